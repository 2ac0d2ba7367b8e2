"""The app user, the build user, and the project's directories."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

from codesensei.scripts.base import commands, files
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.checks.user import APP_COMMENT, BUILD_COMMENT, check_power
from codesensei.wire.steps import Account

NOBODY_HOME = "/nonexistent"
NO_LOGIN = "/usr/sbin/nologin"
MANAGE = Path(__file__).with_name("manage.sh")


def run(step: Step[Account]) -> None:
    """Make both accounts and the directories; what is below the app user's own is left alone."""
    user = step.data.user
    _refuse_power(user, is_new=step.converge(ensure_user(user, APP_COMMENT), f"user {user} made"))
    build = step.project.build_user
    step.converge(ensure_user(build, BUILD_COMMENT), f"user {build} made")
    _directories(step, user)
    _links(step)


def _refuse_power(user: str, *, is_new: bool) -> None:
    """Raise Failure for a user that a rule of sudo has waited for: preflight cannot see that, nor may it stay."""
    try:
        check_power(user, f"user {user}", "choose another codesensei:project.user")
    except Failure:
        if is_new:
            commands.run(["userdel", "--", user], check=False)
        raise


def ensure_user(name: str, comment: str) -> bool:
    """Make a system user without login and with a group of its own; an existing user stays as it is."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        pass
    else:
        group = grp.getgrgid(found.pw_gid).gr_name
        if group != name:
            raise Failure(
                f"user {name}",
                f"its primary group is {group}, not {name}",
                f"choose another codesensei:project.user; or on the server: groupadd {name}; usermod -g {name} {name}",
            )
        return False
    group_option = ["--gid", name] if _group_exists(name) else ["--user-group"]
    options = ["--system", "--no-create-home", "--home-dir", NOBODY_HOME, "--shell", NO_LOGIN, "--comment", comment]
    commands.run(["useradd", *options, *group_option, "--", name], thing=f"user {name}")
    return True


def _group_exists(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _directories(step: Step[Account], user: str) -> None:
    project, group = step.project, user
    for path, mode in (
        (project.root, 0o751),
        (project.releases, 0o751),
        (project.environments, 0o750),
        (project.venvs, 0o751),
        # Sticky: the app may add files, not replace root's.
        (project.shared, 0o1771),
    ):
        _directory(step, path, mode, "root", group)
        step.manage(path)
    served = step.data.media_serving == "proxy"
    _directory(step, project.media, 0o755 if served else 0o750, user, group)
    _directory(step, project.logs, 0o750, user, group)
    _directory(step, project.shared / "state", 0o750, user, group)


def _directory(step: Step[object], path: Path, mode: int, owner: str, group: str) -> None:
    if path.parent == step.project.shared and _roots_link(path):
        return
    try:
        made = files.make_directory(path, mode, owner, group)
    except NotADirectoryError:
        raise Failure(
            str(path),
            "a directory belongs there, and something else has its name",
            f"look at it on the server and move it away: ls -ld {path}",
        ) from None
    step.converge(made, f"directory {path}: {owner}:{group} {mode:04o}")


def _roots_link(path: Path) -> bool:
    """Whether root has led this directory elsewhere (a bigger disk); nobody else's link is accepted."""
    return path.is_symlink() and os.lstat(path).st_uid == 0


def _links(step: Step[object]) -> None:
    project = step.project
    for name, target in (("env", "../current/.codesensei/env"), ("venv", "../current/.codesensei/venv")):
        path = project.env_link if name == "env" else project.venv_link
        step.converge(files.make_link(path, target), f"{path} leads to {target}")
        step.manage(path)
    manage = project.manage
    step.converge(files.write_file(manage, MANAGE.read_bytes(), 0o755), f"{manage} written")
    step.manage(manage)
