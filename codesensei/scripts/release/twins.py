"""A release that is served from and prepared again: its new directory, the twin, waits for the switch.

The switch exchanges the two at one instant, and exchanges them again where it puts everything back.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
from pathlib import Path
from typing import Any

from codesensei.scripts.base import files
from codesensei.scripts.base.paths import ProjectPaths
from codesensei.scripts.base.step import Failure, read_json

# renameat2(2); Python has no name for it.
AT_FDCWD = -100
RENAME_EXCHANGE = 2
_TWIN = re.compile(r"\.([0-9a-f]{7}-[0-9a-f]{7})")


def waits(project: ProjectPaths, name: str) -> bool:
    """Whether a complete twin of the release waits for the switch."""
    noted = read_json(project.notes(name), {}).get("twin")
    return noted is not None and noted == identity(project.twin(name))


def identity(path: Path) -> int | None:
    """What tells a directory from the one that takes its name; None where there is none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def exchange(project: ProjectPaths, name: str) -> None:
    """Give the release's path to its twin, and the twin's to the release, at one instant."""
    here, there = project.release(name), project.twin(name)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(here), AT_FDCWD, os.fsencode(there), RENAME_EXCHANGE) == 0:
        return
    code = ctypes.get_errno()
    if code in (errno.EXDEV, errno.EINVAL, errno.ENOSYS):
        raise Failure(
            f"release {name}",
            "it is being served from, and its directory cannot be exchanged on this file system",
            "set project.rebuild to any new text: a new release is made, and the changed hooks run in it",
        )
    raise OSError(code, os.strerror(code), str(here))


def journal(project: ProjectPaths, name: str) -> dict[str, Any] | None:
    """What `put_back` needs; None where the switch exchanges nothing."""
    return {"release": name, "identity": identity(project.release(name))} if waits(project, name) else None


def put_back(project: ProjectPaths, kept: dict[str, Any] | None) -> None:
    """Exchange the two again, if they were exchanged."""
    if kept and identity(project.release(kept["release"])) != kept["identity"]:
        exchange(project, kept["release"])


def prune(project: ProjectPaths) -> None:
    """Remove the directories that served before they were exchanged."""
    for folder in project.releases.iterdir():
        found = _TWIN.fullmatch(folder.name)
        if found and not waits(project, found[1]):
            files.remove_path(folder)
