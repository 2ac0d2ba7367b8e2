"""Who may be an app user: nobody with power, nobody of the system, and nobody of another project by accident."""

from __future__ import annotations

import grp
import pwd
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import commands, register
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import Failure
from codesensei.scripts.checks import user
from tests.scripts.examples import IDENTITY, PREFLIGHT, STACK

# As sudo 1.9.13 says it.
ALLOWED = """\
Matching Defaults entries for anna on vm:
    env_reset

User anna may run the following commands on vm:
    (root) NOPASSWD: /usr/bin/systemctl restart shop, /usr/bin/reboot
"""
NOT_ALLOWED = "User anna is not allowed to run sudo on vm.\n"


class Machine:
    """Accounts, groups and sudo of a machine."""

    def __init__(self) -> None:
        self.accounts: dict[str, tuple[int, int, str]] = {}
        self.groups: dict[str, tuple[int, list[str]]] = {}
        self.sudo = Result(NOT_ALLOWED, "", 0)
        self.asked: list[tuple[list[str], dict[str, str]]] = []

    def add(self, name: str, uid: int = 1001, group: str = "", comment: str = "") -> None:
        self.groups.setdefault(group or name, (uid, []))
        self.accounts[name] = (uid, self.groups[group or name][0], comment)

    def getpwnam(self, name: str) -> pwd.struct_passwd:
        uid, gid, comment = self.accounts[name]
        return pwd.struct_passwd((name, "x", uid, gid, comment, "/nonexistent", "/bin/sh"))

    def getgrall(self) -> list[grp.struct_group]:
        return [grp.struct_group((name, "x", gid, members)) for name, (gid, members) in self.groups.items()]

    def getgrgid(self, wanted: int) -> grp.struct_group:
        return next(group for group in self.getgrall() if group.gr_gid == wanted)

    def run(self, argv: Sequence[str], *, env: dict[str, str], **options: Any) -> Result:
        self.asked.append((list(argv), env))
        return self.sudo


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(pwd, "getpwnam", made.getpwnam)
    monkeypatch.setattr(grp, "getgrall", made.getgrall)
    monkeypatch.setattr(grp, "getgrgid", made.getgrgid)
    monkeypatch.setattr(commands, "run", made.run)
    monkeypatch.setattr(shutil, "which", lambda name, path: f"/usr/bin/{name}")
    return made


@pytest.fixture
def check(server: Path, machine: Machine, make_step: Any) -> Any:
    register.claim_slug("shop", STACK, IDENTITY)

    def run(**changes: Any) -> None:
        entry = register.entry("shop")
        assert entry is not None
        user.check(make_step("preflight", data=replace(PREFLIGHT, **changes)), entry)

    return run


def test_a_user_that_does_not_exist_yet_is_fine_and_sudo_is_not_asked(check: Any, machine: Machine) -> None:
    check()
    assert machine.asked == []


@pytest.mark.parametrize("name", ["root", "postgres", "www-data", "systemd-network", "csb-12345678"])
def test_accounts_of_the_system_are_no_app_users(check: Any, name: str) -> None:
    with pytest.raises(Failure, match="belongs to the system"):
        check(user=name, login_user="debian")


@pytest.mark.parametrize(
    ("uid", "comment", "said"),
    [
        (0, "", "it is root"),
        (99, "", "belongs to the system"),
        (99, user.APP_COMMENT, ""),
        (1001, "", ""),
    ],
)
def test_an_account_is_known_by_its_number(check: Any, machine: Machine, uid: int, comment: str, said: str) -> None:
    machine.add("deploy", uid, comment=comment)
    if said:
        with pytest.raises(Failure, match=said):
            check()
    else:
        check()


@pytest.mark.proves("user.refused")
def test_the_login_user_is_no_app_user(check: Any) -> None:
    with pytest.raises(Failure, match="logs in as this user"):
        check(user="debian", login_user="debian")


@pytest.mark.proves("user.refused")
@pytest.mark.parametrize("there", [True, False])
def test_a_powerful_group_is_refused(check: Any, machine: Machine, there: bool) -> None:
    machine.groups["docker"] = (999, ["deploy"])
    if there:
        machine.add("deploy")
    with pytest.raises(Failure, match="it is in the group docker, which gives it the power of root"):
        check()


@pytest.mark.proves("user.refused")
def test_a_powerful_primary_group_is_refused_also_when_the_user_is_to_be_made(check: Any, machine: Machine) -> None:
    with pytest.raises(Failure, match="in the group docker"):
        check(user="docker")
    machine.groups["sudo"] = (27, [])
    machine.add("deploy", group="sudo")
    with pytest.raises(Failure, match="in the group sudo"):
        check()


@pytest.mark.proves("user.refused")
def test_a_user_whom_sudo_lets_run_something_is_refused(check: Any, machine: Machine) -> None:
    machine.add("anna")
    machine.sudo = Result(ALLOWED, "", 0)
    with pytest.raises(Failure) as refused:
        check(user="anna")
    assert refused.value.cause == (
        "sudo lets it run: (root) NOPASSWD: /usr/bin/systemctl restart shop, /usr/bin/reboot"
    )
    assert "remove the rule" in refused.value.fix
    assert machine.asked == [(["sudo", "-n", "-l", "-U", "anna"], {"LC_ALL": "C"})]


@pytest.mark.proves("user.refused")
def test_a_user_whom_sudo_lets_run_nothing_is_fine(check: Any, machine: Machine) -> None:
    machine.add("anna")
    check(user="anna")
    assert len(machine.asked) == 1


@pytest.mark.parametrize("said", ["sudo: unknown user anna\n", "sudo: error initializing audit plugin\n"])
def test_a_sudo_that_tells_nothing_is_no_leave(check: Any, machine: Machine, said: str) -> None:
    machine.add("anna")
    machine.sudo = Result("", said, 1)
    with pytest.raises(Failure, match="sudo does not say what it may run") as refused:
        check(user="anna")
    assert said.strip() in refused.value.text()


def test_without_sudo_there_are_no_rules(check: Any, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.add("deploy")
    monkeypatch.setattr(shutil, "which", lambda name, path: None)
    check()
    assert machine.asked == []


def test_a_sudo_that_does_not_answer_is_no_leave(check: Any, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(argv: Sequence[str], **options: Any) -> Result:
        raise Failure("sudo", "sudo did not end within 30 seconds")

    machine.add("deploy")
    monkeypatch.setattr(commands, "run", hang)
    with pytest.raises(Failure, match="sudo did not end"):
        check()


@pytest.mark.proves("user.shared")
def test_a_second_project_says_that_it_shares_the_user(check: Any) -> None:
    register.claim_slug("blog", "org/codesensei/blog", "id2")
    register.claim("blog", {}, user="deploy")
    with pytest.raises(Failure, match="the project blog runs as this user"):
        check()
    check(share_user=True)
    # Once it does, the first project's own next deploy is not refused for it.
    register.claim("shop", {}, user="deploy")
    check()


def test_the_user_of_a_deployed_project_does_not_change_by_itself(check: Any, server: Path) -> None:
    register.claim("shop", {}, user="deploy")
    check(user="other")
    (server / "srv/shop/shared").mkdir(parents=True)
    with pytest.raises(Failure, match=r"runs as deploy.*media"):
        check(user="other")
    check(user="other", adopt=True)
