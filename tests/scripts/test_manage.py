"""`manage` becomes manage.py of the current release, as the app user, with its environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base.step import write_json
from codesensei.scripts.release import jobs
from codesensei.scripts.steps import manage
from codesensei.wire import codec
from tests.scripts.manifests import PROJECT, manifest

NAME = "4f2a9c1-8be01d7"


@pytest.fixture
def became(server: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Which user, where, which program; in the order in which it happened."""
    found: list[Any] = []
    for name in ("chdir", "initgroups", "setgid", "setuid", "execve"):
        monkeypatch.setattr(os, name, lambda *words, name=name, **_: found.append((name, *words)))
    monkeypatch.setattr(jobs, "make_app_home", lambda release, process: found.append(("home", release.user, process)))
    return found


def test_the_release_s_own_environment(became: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    (PROJECT.releases / NAME / "site").mkdir(parents=True)
    PROJECT.current.symlink_to(f"releases/{NAME}")
    PROJECT.memory.mkdir(parents=True)
    write_json(PROJECT.live, codec.encode(manifest(directory="site")))
    PROJECT.environments.mkdir()
    PROJECT.env_file(NAME).write_text('GREETING="Hello"\nHOME="/elsewhere"\nDJANGO_SUPERUSER_EMAIL="of the stack"\n')
    for name, value in (("TERM", "xterm"), ("DJANGO_SUPERUSER_EMAIL", "a@example.com"), ("SUDO_USER", "admin")):
        monkeypatch.setenv(name, value)
    for name in ("COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    manage.run("shop", ["check", "--deploy"])
    assert [act[0] for act in became] == ["chdir", "home", "initgroups", "setgid", "setuid", "execve"]
    assert became[1] == ("home", "deploy", "manage")
    assert became[0][1] == PROJECT.current / "site"
    program, words, environment = became[-1][1:]
    venv = PROJECT.current / ".codesensei/venv"
    assert (program, words) == (
        "/usr/bin/setsid",
        ["setsid", "--wait", f"{venv}/bin/python", "manage.py", "check", "--deploy"],
    )
    assert environment.pop("PATH").startswith(f"{venv}/bin:/usr/local/sbin:")
    assert environment == {
        "GREETING": "Hello",
        "DJANGO_SUPERUSER_EMAIL": "a@example.com",
        "TERM": "xterm",
        "VIRTUAL_ENV": str(venv),
        "DJANGO_SETTINGS_MODULE": "shop.settings",
        "PYTHONUNBUFFERED": "1",
        "HOME": str(PROJECT.home("manage")),
        "LANG": "C.UTF-8",
    }


def test_nothing_is_live_yet(became: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert manage.run("shop", ["check"]) == 1
    assert capsys.readouterr().err == "error: shop has no current release on this server\n"
    assert became == []
