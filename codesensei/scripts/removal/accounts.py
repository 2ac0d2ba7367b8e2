"""Remove the accounts that were made for a project."""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

from codesensei.scripts.base import commands, register
from codesensei.scripts.base.step import Step
from codesensei.scripts.checks.user import APP_COMMENT, BUILD_COMMENT
from codesensei.wire import paths


def remove(step: Step[object], entry: register.Entry, remains: list[Path]) -> bool:
    """Remove the accounts that codesensei made and nothing needs; return whether the app user stays."""
    _remove_user(step, step.project.build_user, BUILD_COMMENT)
    if not entry.user or entry.user in register.users(but=step.slug):
        return bool(entry.user)
    if remains:
        step.say(f"kept: user {entry.user}, whose files are kept")
        return True
    return not _remove_user(step, entry.user, APP_COMMENT)


def _remove_user(step: Step[object], name: str, comment: str) -> bool:
    """Remove an account that codesensei made; return whether it is gone."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return True
    if found.pw_gecos != comment:
        step.say(f"kept: user {name}, which codesensei did not make")
        return False
    if busy := sorted(_processes_of(found.pw_uid)):
        step.say(f"kept: user {name}, which still runs {', '.join(busy)}")
        return False
    commands.run(["userdel", "--", name], thing=f"user {name}")
    step.changed(f"user {name} removed")
    return True


def _processes_of(uid: int) -> Iterator[str]:
    for pid in os.listdir(paths.SERVER.processes):
        if pid.isdigit():
            with contextlib.suppress(OSError):
                if os.stat(paths.SERVER.processes / pid).st_uid == uid:
                    yield (paths.SERVER.processes / pid / "comm").read_text().strip()
