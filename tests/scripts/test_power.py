"""Who may become root is no app user: what sudo says of it, and the groups it is in."""

from __future__ import annotations

import grp
import pwd
import shutil
from collections.abc import Sequence
from typing import Any

import pytest

from codesensei.scripts.base import commands
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import Failure
from codesensei.scripts.checks import user
from codesensei.scripts.steps import account
from codesensei.wire.steps import Account

# What sudo 1.9.13 of Debian 12 and 1.9.16 of Debian 13 say; the status is 0 but for a user that does not exist.
NOTHING = Result("User deploy is not allowed to run sudo on vm.\n", "", 0)
SOMETHING = Result(
    """Matching Defaults entries for deploy on vm:
    env_reset, mail_badpass,
    secure_path=/usr/local/sbin\\:/usr/local/bin\\:/usr/sbin\\:/usr/bin\\:/sbin\\:/bin,
    use_pty

User deploy may run the following commands on vm:
    (ALL) NOPASSWD: /usr/bin/systemctl restart x
""",
    "sudo: unable to resolve host vm: Temporary failure in name resolution\n",
    0,
)
UNKNOWN = Result("", "sudo: unknown user deploy\n", 1)


class System:
    """Accounts, groups, and what sudo says; None: it is not installed."""

    def __init__(self) -> None:
        self.users = {"deploy": pwd.struct_passwd(("deploy", "x", 999, 999, user.APP_COMMENT, "/", "/"))}
        self.groups = {"deploy": 999, "sudo": 27}
        self.members: dict[str, list[str]] = {}
        self.sudo: Result | None = NOTHING
        self.calls: list[list[str]] = []

    def run(self, argv: Sequence[str], **options: Any) -> Result:
        self.calls.append(list(argv))
        if argv[0] == "sudo":
            assert options["env"] == {"LC_ALL": "C"}
            assert self.sudo is not None
            return self.sudo if argv[-1] in self.users else UNKNOWN
        if argv[0] == "useradd":
            self.users[argv[-1]] = pwd.struct_passwd((argv[-1], "x", 998, 999, user.APP_COMMENT, "/", "/"))
        if argv[0] == "userdel":
            del self.users[argv[-1]]
        return Result("", "", 0)

    def group(self, name: str) -> grp.struct_group:
        return grp.struct_group((name, "x", self.groups[name], self.members.get(name, [])))


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    fake = System()
    names = {number: name for name, number in fake.groups.items()}
    monkeypatch.setattr(commands, "run", fake.run)
    monkeypatch.setattr(shutil, "which", lambda name, path: name if fake.sudo else None)
    monkeypatch.setattr(pwd, "getpwnam", lambda name: fake.users[name])
    monkeypatch.setattr(grp, "getgrall", lambda: [fake.group(name) for name in fake.groups])
    monkeypatch.setattr(grp, "getgrgid", lambda number: fake.group(names[number]))
    monkeypatch.setattr(grp, "getgrnam", fake.group)
    return fake


def check() -> None:
    user.check_power("deploy", "user deploy", "choose another")


def test_a_plain_user_is_fine(system: System) -> None:
    check()
    assert system.calls == [["sudo", "-n", "-l", "-U", "deploy"]]


@pytest.mark.proves("user.refused")
def test_what_sudo_lets_it_run_is_named(system: System) -> None:
    system.sudo = SOMETHING
    with pytest.raises(Failure, match=r"sudo lets it run: \(ALL\) NOPASSWD: /usr/bin/systemctl restart x$"):
        check()


def test_where_sudo_is_not_installed_nobody_has_rules(system: System) -> None:
    system.sudo = None
    check()
    assert system.calls == []


@pytest.mark.parametrize("said", [UNKNOWN, Result("", "sudo: error initializing audit plugin\n", 1)])
def test_a_sudo_that_does_not_answer_lets_nobody_pass(system: System, said: Result) -> None:
    system.sudo = said
    with pytest.raises(Failure, match="does not tell what it may run") as refused:
        check()
    assert said.stderr.strip() in refused.value.text()


@pytest.mark.proves("user.refused")
@pytest.mark.parametrize("exists", [True, False])
def test_a_group_with_the_power_of_root_is_named(system: System, exists: bool) -> None:
    system.members["sudo"] = ["deploy"]
    if not exists:
        system.users.clear()
    with pytest.raises(Failure, match="in the group sudo, which gives it the power of root"):
        check()


@pytest.mark.parametrize(
    ("number", "comment", "cause"),
    [
        (0, user.APP_COMMENT, "it is root"),
        (33, "www-data", "belongs to the system"),
        (33, user.APP_COMMENT, ""),
    ],
)
def test_low_numbers_are_accounts_of_the_system(system: System, number: int, comment: str, cause: str) -> None:
    system.users["deploy"] = pwd.struct_passwd(("deploy", "x", number, 999, comment, "/", "/"))
    if not cause:
        check()
        return
    with pytest.raises(Failure, match=cause):
        check()


def test_of_a_user_that_does_not_exist_sudo_is_not_asked(system: System) -> None:
    system.users.clear()
    check()
    assert system.calls == []


@pytest.mark.proves("user.refused")
@pytest.mark.usefixtures("server")
def test_a_rule_that_has_waited_for_the_user_is_found_before_anything_uses_it(system: System, make_step: Any) -> None:
    system.users.clear()
    system.sudo = SOMETHING
    step = make_step("account", data=Account(user="deploy", media_serving="none"))
    with pytest.raises(Failure, match="sudo lets it run"):
        account.run(step)
    assert "deploy" not in system.users
    assert not step.project.root.exists()


@pytest.mark.usefixtures("server")
def test_a_user_that_was_there_is_refused_and_stays(system: System, make_step: Any) -> None:
    """A run that was cut off may have left it unchecked."""
    system.sudo = SOMETHING
    with pytest.raises(Failure, match="sudo lets it run"):
        account.run(make_step("account", data=Account(user="deploy", media_serving="none")))
    assert "deploy" in system.users
