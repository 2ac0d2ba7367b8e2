"""Whether a project may run as its app user (contract, "App user")."""

from __future__ import annotations

import grp
import pwd
import shutil

from codesensei.scripts.base import commands, register
from codesensei.scripts.base.step import Failure, Step
from codesensei.wire.names import is_system_user
from codesensei.wire.processes import SYSTEM_PATH
from codesensei.wire.register import of_user
from codesensei.wire.steps import Preflight

# How destroy knows the accounts that codesensei made.
APP_COMMENT = "codesensei application"
BUILD_COMMENT = "codesensei builds"
POWERFUL_GROUPS = frozenset(
    "adm admin disk docker incus incus-admin kmem kvm libvirt lxd root shadow sudo systemd-journal wheel".split()
)


def check(step: Step[Preflight], entry: register.Entry) -> None:
    """Raise Failure for a user with root's power, of the system, or of another project."""
    data, user = step.data, step.data.user
    thing, other = f"user {user}", "choose another codesensei:project.user"
    if user == data.login_user:
        raise Failure(thing, "codesensei logs in as this user, and the app user must have no such power", other)
    if is_system_user(user):
        raise Failure(thing, "this account belongs to the system", other)
    check_power(user, thing, other)
    if not data.share_user:
        register.refuse(of_user(register.whole(), step.slug, user))
    if entry.user and entry.user != user and step.project.shared.exists() and not data.adopt:
        cause = f"this project runs as {entry.user}, and its media, logs and state belong to that user"
        chown = f"chown -hR --from={entry.user} {user}:{user} {step.project.shared}/*"
        fix = f"put codesensei:project.user: {entry.user} back; or stop the project, give the files to {user} on the"
        raise Failure(thing, cause, f"{fix} server ({chown}), and set adopt: true once")


def check_power(user: str, thing: str, fix: str) -> None:
    """Raise Failure for a user that could become root; sudo lists no rules for one that does not exist yet."""
    groups = [group.gr_name for group in grp.getgrall() if user in group.gr_mem]
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        groups.append(user)
    else:
        groups.append(grp.getgrgid(found.pw_gid).gr_name)
        if found.pw_uid == 0:
            raise Failure(thing, "its user id is 0: it is root", fix)
        if found.pw_gecos != APP_COMMENT and found.pw_uid < 100:
            raise Failure(thing, "this account belongs to the system", fix)
        _not_listed_by_sudo(user, thing, fix)
    if powerful := sorted(set(groups) & POWERFUL_GROUPS):
        raise Failure(thing, f"it is in the group {', '.join(powerful)}, which gives it the power of root", fix)


def _not_listed_by_sudo(user: str, thing: str, fix: str) -> None:
    if shutil.which("sudo", path=SYSTEM_PATH) is None:
        return
    # sudo knows sources other than files (LDAP, sssd), and answers in English only under C.
    argv = ["sudo", "-n", "-l", "-U", user]
    said = commands.run(argv, env={"LC_ALL": "C"}, check=False, timeout=30, fix=f"on the server: {' '.join(argv)}")
    if "may run the following commands" in said.stdout:
        rule = said.stdout.strip().splitlines()[-1].strip()
        raise Failure(thing, f"sudo lets it run: {rule[:120]}", f"{fix}, or remove the rule")
    if "is not allowed to run sudo" not in said.stdout:
        raise Failure(thing, "sudo does not say what it may run", f"on the server: {' '.join(argv)}", said.stderr)
