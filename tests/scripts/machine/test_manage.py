"""`manage`: manage.py of the current release, as the app user, with the environment of its live processes."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from tests.scripts.machine import doors, stack
from tests.scripts.machine.machine import Machine
from tests.scripts.machine.scenarios import FIRST, NEW_COMMIT, Scenario, switch

pytestmark = pytest.mark.proves("paths.manage", "root.env-file", "root.never")
LIVE = Scenario("", FIRST, FIRST)


class Became(BaseException):
    """The process has become another program."""


def manage(machine: Machine, monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[list[tuple[Any, ...]], Any]:
    """What the step did before it became manage.py, and as what it did."""
    done: list[tuple[Any, ...]] = []

    def note(name: str) -> Any:
        return lambda *arguments: done.append((name, *map(str, arguments)))

    def become(program: object, argv: list[str], environment: dict[str, str]) -> None:
        done.append(("execve", str(program), *argv))
        raise Became(environment)

    for name in ("chdir", "umask", "initgroups", "setgid", "setuid"):
        monkeypatch.setattr(os, name, note(name))
    monkeypatch.setattr(os, "execve", become)
    with pytest.raises(Became) as became:
        doors.run(machine, "manage", *words)
    return done, became.value.args[0]


def test_it_becomes_the_projects_manage_py(monkeypatch: pytest.MonkeyPatch) -> None:
    with LIVE.machine() as machine:
        done, _ = manage(machine, monkeypatch, "migrate", "--plan", "a b")
        user, group = str(os.getuid()), str(os.getgid())
        current = f"{stack.ROOT}/current"
        program = (f"{current}/.codesensei/venv/bin/python", "manage.py")
        assert done == [
            ("chdir", current),
            ("umask", str(0o022)),
            # The groups first: without root's rights nobody can leave root's groups.
            ("initgroups", stack.USER, group),
            ("setgid", group),
            ("setuid", user),
            ("execve", "/usr/bin/setsid", "setsid", "--wait", *program, "migrate", "--plan", "a b"),
        ]


@pytest.mark.proves("paths.manage.terminal")
def test_on_a_terminal_it_gets_another_one_that_root_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    with LIVE.machine() as machine:
        monkeypatch.setattr(os, "isatty", lambda number: True)
        done, _ = manage(machine, monkeypatch, "createsuperuser")
        program = (f"{stack.ROOT}/current/.codesensei/venv/bin/python", "manage.py", "createsuperuser")
        assert done[2:] == [("execve", "/usr/sbin/runuser", "runuser", "-u", stack.USER, "--pty", "--", *program)]
        assert machine.files.path(f"{stack.ROOT}/shared/state/manage").is_dir()


@pytest.mark.proves("paths.manage.terminal")
@pytest.mark.parametrize("number", [0, 1])
def test_with_a_pipe_on_one_side_it_has_none(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with LIVE.machine() as machine:
        monkeypatch.setattr(os, "isatty", lambda asked: asked != number)
        assert manage(machine, monkeypatch, "dumpdata")[0][-1][1:4] == ("/usr/bin/setsid", "setsid", "--wait")


@pytest.mark.proves("processes.environment", "paths.shared.home")
def test_it_has_the_environment_of_the_current_release(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "TERM": "xterm",
        "DJANGO_SUPERUSER_EMAIL": "a@example.com",
        "DJANGO_SETTINGS_MODULE": "roots.settings",
        "SUDO_USER": "admin",
        "PYTHONPATH": "/root",
        "HOME": "/root",
    }.items():
        monkeypatch.setenv(name, value)
    with NEW_COMMIT.machine() as machine:
        venv = f"{stack.ROOT}/current/.codesensei/venv"
        _, environment = manage(machine, monkeypatch, "check")
        environment = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
        assert environment == {
            **FIRST.variables,
            "TERM": "xterm",
            "DJANGO_SUPERUSER_EMAIL": "a@example.com",
            "PATH": f"{venv}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "VIRTUAL_ENV": venv,
            "HOME": f"{stack.ROOT}/shared/state/manage",
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "shop.settings",
        }


def test_after_a_switch_it_is_the_new_release(monkeypatch: pytest.MonkeyPatch) -> None:
    after = replace(FIRST, env="e000002")
    with Scenario("", FIRST, after).machine() as machine:
        assert manage(machine, monkeypatch, "check")[1]["GREETING"] == FIRST.env
        monkeypatch.undo()
        assert switch(machine, after).ok
        assert manage(machine, monkeypatch, "check")[1]["GREETING"] == after.env


def test_before_the_first_switch_there_is_none() -> None:
    machine = Machine.make()
    try:
        stack.make_server(machine)
        ended = doors.run(machine, "manage", "check")
        assert ended.code == 1
        assert ended.error == "error: shop has no current release on this server\n"
    finally:
        machine.end()
