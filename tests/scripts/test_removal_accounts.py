"""Accounts go when they were made here and are of no more use."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import commands, register
from codesensei.scripts.base.commands import Result
from codesensei.scripts.checks.user import APP_COMMENT, BUILD_COMMENT
from codesensei.scripts.removal import accounts
from codesensei.wire import paths
from codesensei.wire.names import build_user
from tests.scripts.examples import IDENTITY, STACK

BUILD = build_user("shop")
ENTRY = register.Entry(stack=STACK, identity=IDENTITY, user="deploy", names={})


class Machine:
    """Accounts by name, each with its comment, and `userdel`."""

    def __init__(self) -> None:
        self.accounts = {"deploy": APP_COMMENT, BUILD: BUILD_COMMENT}

    def getpwnam(self, name: str) -> pwd.struct_passwd:
        return pwd.struct_passwd((name, "x", os.getuid(), 0, self.accounts[name], "/nonexistent", "/bin/sh"))

    def run(self, argv: Sequence[str], **options: Any) -> Result:
        assert list(argv[:2]) == ["userdel", "--"]
        del self.accounts[argv[2]]
        return Result("", "", 0)


@pytest.fixture
def machine(server: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    (server / "proc").mkdir()
    monkeypatch.setattr(paths, "SERVER", replace(paths.SERVER, processes=server / "proc"))
    monkeypatch.setattr(pwd, "getpwnam", made.getpwnam)
    monkeypatch.setattr(commands, "run", made.run)
    register.claim_slug("shop", STACK, IDENTITY)
    register.claim("shop", {}, user="deploy")
    return made


@pytest.mark.proves("destroy.goes")
def test_both_go_and_a_second_run_finds_none(machine: Machine, make_step: Any) -> None:
    step = make_step("destroy")
    assert not accounts.remove(step, ENTRY, [])
    assert step.said == [f"user {BUILD} removed", "user deploy removed"]
    again = make_step("destroy")
    assert not accounts.remove(again, ENTRY, [])
    assert again.changes == 0


@pytest.mark.proves("destroy.own-only")
def test_what_was_not_made_here_stays(machine: Machine, make_step: Any) -> None:
    machine.accounts["deploy"] = "Anna"
    step = make_step("destroy")
    assert accounts.remove(step, ENTRY, [])
    assert "kept: user deploy, which codesensei did not make" in step.said
    assert set(machine.accounts) == {"deploy"}


@pytest.mark.proves("destroy.own-only")
def test_the_user_of_another_project_stays(machine: Machine, make_step: Any) -> None:
    register.claim_slug("blog", "org/codesensei/blog", "id2")
    register.claim("blog", {}, user="deploy")
    assert accounts.remove(make_step("destroy"), ENTRY, [])
    assert set(machine.accounts) == {"deploy"}


def test_the_owner_of_what_is_kept_stays(machine: Machine, make_step: Any, server: Path) -> None:
    step = make_step("destroy")
    assert accounts.remove(step, ENTRY, [server / "srv/shop/shared/media"])
    assert step.said[-1] == "kept: user deploy, whose files are kept"
    assert set(machine.accounts) == {"deploy"}


def test_a_user_that_still_runs_something_stays(machine: Machine, make_step: Any, server: Path) -> None:
    (server / "proc/77").mkdir()
    (server / "proc/77/comm").write_text("tmux\n")
    (server / "proc/self").mkdir()
    step = make_step("destroy")
    assert accounts.remove(step, ENTRY, [])
    assert step.said == [f"kept: user {BUILD}, which still runs tmux", "kept: user deploy, which still runs tmux"]
