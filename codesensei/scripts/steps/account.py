"""The app user, the build user, and the project's directories."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path

from codesensei.scripts.base import commands, files, nginx
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.checks.user import APP_COMMENT, BUILD_COMMENT, check_power
from codesensei.scripts.serving import media
from codesensei.scripts.serving.live import Live
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import Account

NOBODY_HOME = "/nonexistent"
NO_LOGIN = "/usr/sbin/nologin"
COMMAND = Path(__file__).with_name("command.sh")


def run(step: Step[Account]) -> None:
    """Make both accounts, the directories, the links; what is inside the app user's own directories is left alone."""
    project = step.project
    user = group = step.data.user
    former = Former(files.owner(project.shared / "state"), files.group(project.environments))
    _refuse_power(user, is_new=step.converge(ensure_user(user, APP_COMMENT, former), f"user {user} made"))
    step.converge(ensure_user(project.build_user, BUILD_COMMENT), f"user {project.build_user} made")
    for name in (user, project.build_user):
        step.need_user(name)
    roots = {project.root: 0o751, project.releases: 0o751, project.environments: 0o750, project.venvs: 0o751}
    roots[project.uploads] = 0o751
    # Sticky: the app may add files, but not replace root's.
    roots[project.shared] = 0o1771
    for path, mode in roots.items():
        _directory(step, path, mode, "root", group)
        step.manage(path)
    for path in map(Path, step.data.shared_paths):
        _make_parents(step, path)
    served = project.shared / step.data.media
    shared = [project.shared / path for path in step.data.shared_paths]
    live = Live.read(project).manifest
    for path in dict.fromkeys([project.media, project.logs, project.shared / "state", *shared]):
        serving = step.data.media_serving if path == served else "none"
        if serving == "none":
            # What serves goes on as it is; the switch closes it.
            serving = media.serving(live, str(path.relative_to(project.shared)))
        # What not everybody gets, other users of the server cannot read either; root's own link leads where it led.
        ours = serving == "internal" and not path.is_symlink()
        mode = media.CLOSED if ours or serving == "none" else 0o755
        _directory(step, path, mode, user, nginx.USER if ours else group)
        if not path.is_symlink():
            step.manage_owner(path)
    if step.data.media_serving != "none":
        _lead_proxy(step, served)
    manage, env, venv = project.manage, project.env_link, project.venv_link
    for path, target in ((env, "../current/.codesensei/env"), (venv, "../current/.codesensei/venv")):
        step.converge(files.make_link(path, target), f"{path} leads to {target}")
        step.manage(path)
    step.converge(files.write_file(manage, COMMAND.read_bytes(), 0o755), f"{manage} written")
    step.manage(manage, shown=True)


def _lead_proxy(step: Step[Account], served: Path) -> None:
    """Make the proxy's way to the uploads: nginx enters only what belongs to the owner of this link.

    So a link that the app user puts in place of its folder leads to its own files alone, and root's where root says.
    """
    link = step.project.uploads_link(step.data.media)
    uid = _owner_behind(served, files.user_id(step.data.user))
    step.converge(files.make_link(link, f"../shared/{step.data.media}", uid), f"{link} leads to {served}")
    step.manage(link)
    step.manage_owner(link)


def _owner_behind(served: Path, app: int) -> int:
    """Whose the folder is that a link of root's leads to; `app` where the app user may change what is there."""
    found = os.lstat(served)
    if not (stat.S_ISLNK(found.st_mode) and found.st_uid == 0):
        return app
    led = served.parent / os.readlink(served)
    # In a folder of its own, it may put a link to anything in the place of the next one.
    if not led.is_dir() or app in [os.stat(parent).st_uid for parent in led.parents]:
        return app
    return os.stat(led).st_uid


def _refuse_power(user: str, *, is_new: bool) -> None:
    """Refuse and remove a new user whose name already has a sudo rule: preflight cannot see that before it exists."""
    try:
        check_power(user, f"user {user}", "choose another codesensei:project.user")
    except Failure:
        if is_new:
            commands.run(["userdel", "--", user], check=False)
        raise


@dataclass(frozen=True)
class Former:
    """The numbers that a user and its group had, by what is theirs; None where nothing is."""

    user: int | None = None
    group: int | None = None


NOBODY = Former()


def ensure_user(name: str, comment: str, former: Former = NOBODY) -> bool:
    """Make a system user without login and with its own group; an existing user stays as it is.

    One that somebody has removed gets its numbers again, where they are free: what it owns has no others.
    """
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        options = ["--system", "--no-create-home", "--home-dir", NOBODY_HOME, "--shell", NO_LOGIN, "--comment", comment]
        if former.user and files.user_name(former.user) == str(former.user):
            options += ["--uid", str(former.user)]
        if former.group and not _is_group(former.group) and not _is_group(name):
            commands.run(["groupadd", "--system", "--gid", str(former.group), "--", name], thing=f"group {name}")
        group_option = ["--gid", name] if _is_group(name) else ["--user-group"]
        commands.run(["useradd", *options, *group_option, "--", name], thing=f"user {name}")
        return True
    group = grp.getgrgid(found.pw_gid).gr_name
    if group != name:
        fix = f"choose another codesensei:project.user; or on the server: groupadd {name}; usermod -g {name} {name}"
        raise Failure(f"user {name}", f"its primary group is {group}, not {name}", fix)
    return False


def _is_group(group: str | int) -> bool:
    try:
        return bool(grp.getgrnam(group) if isinstance(group, str) else grp.getgrgid(group))
    except KeyError:
        return False


def _make_parents(step: Step[Account], path: Path) -> None:
    """Make the folders around a shared one root's, so that nobody puts a link in its place."""
    for folder in reversed([step.project.shared / parent for parent in path.parents][:-1]):
        if files.owner(folder) not in (None, files.user_id("root")):
            cause = "it is the app user's, and what contains a shared folder must be root's"
            fix = f"share it as a whole, or on the server: chown -h root:{step.data.user} {folder}"
            raise Failure(str(folder), cause, fix)
        _directory(step, folder, 0o751, "root", step.data.user)


def _directory(step: Step[object], path: Path, mode: int, owner: str, group: str) -> None:
    # Root may have led it elsewhere (a bigger disk); nobody else's link is accepted.
    if step.project.shared in path.parents and path.is_symlink() and os.lstat(path).st_uid == 0:
        if mode & 0o005:
            step.converge(files.open_directory(path, mode, owner), f"{path}, where root led it: mode {mode:04o}")
        return
    try:
        made = files.make_directory(path, mode, owner, group)
    except NotADirectoryError:
        fix = f"look at it on the server and move it away: ls -ld {path}"
        raise Failure(str(path), "a directory belongs there, and something else has its name", fix) from None
    step.converge(made, f"directory {path}: {owner}:{group} {mode:04o}")
