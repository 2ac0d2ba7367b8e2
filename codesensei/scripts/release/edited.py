"""What somebody has done to a release, which never changes: it is gone, or files in it are newer than its seal."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

from codesensei.scripts.release import record
from codesensei.wire.paths import OWN_FOLDER, ProjectPaths

# The seal itself takes less, and writes last what the times are compared with.
SEAL_SECONDS = 2.0
MOST_LOOKED_AT = 100_000


def gone(project: ProjectPaths, release: str) -> Iterator[str]:
    """The release, or its packages, where they are no longer there: what serves from memory would not start again."""
    venv = record.read(project, release).venv
    if not project.release(release).is_dir():
        yield f"release {release} is gone"
    elif venv and not (project.venvs / venv / ".complete").exists():
        yield f"the packages of release {release} are gone"


def edited(project: ProjectPaths, release: str) -> list[str]:
    """Files of the release that somebody has written since, or else its folders in which some are gone; sorted.

    Of a release that was copied as a whole, to another disk for example, the times say nothing.
    """
    top = str(project.release(release))
    try:
        sealed = os.lstat(project.own_folder(release) / "REVISION").st_mtime + SEAL_SECONDS
    except OSError:
        return []
    files, folders, seen = list[str](), list[str](), 0
    for entry in itertools.islice(_walk(top), MOST_LOOKED_AT):
        seen += 1
        if entry.stat(follow_symlinks=False).st_mtime > sealed:
            (folders if entry.is_dir(follow_symlinks=False) else files).append(os.path.relpath(entry.path, top))
    return [] if len(files) > seen / 2 else sorted(files or folders)


def _walk(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        entries = [*os.scandir(folder)]
    except OSError:
        return
    for entry in entries:
        if entry.name == OWN_FOLDER:
            continue
        yield entry
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)
