"""Remove a project's directories; data stays unless the stack config drops it."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from codesensei.scripts.base import before, files
from codesensei.scripts.base.step import Step

SQLITE = re.compile(r".*\.(sqlite3?|db)")
_JOURNAL = re.compile(r"-(wal|shm|journal)$")
DATABASE, MEDIA = frozenset({"database"}), frozenset({"media"})
BOTH = DATABASE | MEDIA


def remove(step: Step[object], drops: Collection[str], databases: Collection[str] = ()) -> list[Path]:
    """Remove the project's directories, and the kinds of data in `drops`; return what is kept in shared.

    `databases` are the names of the SQLite files that the settings lead to.
    """
    project = step.project
    links = (project.current, project.previous, project.manage, project.backup)
    for path in (*links, project.releases, project.venvs, project.environments, project.hand_over, project.uploads):
        step.converge(files.remove_path(path), f"{path} removed")
    remains: dict[Path, frozenset[str]] = {}
    if project.shared.is_dir():
        with _opened(project.shared) as handle:
            kinds = _kinds(os.listdir(handle), handle, databases)
        for path in sorted(project.shared.iterdir()):
            if _goes(path, drops, kinds.get(path.name, BOTH)):
                step.converge(files.remove_path(path), f"{path} removed")
            elif not _sifted(step, path, drops, databases):
                remains[path] = MEDIA if path.is_dir() else kinds.get(path.name, BOTH)
        if not remains:
            project.shared.rmdir()
    for path, kind in remains.items():
        words = " and ".join(f"onDestroy.{name}" for name in sorted(kind))
        step.say(f"kept: {path} (a deployed {words}: drop removes it)")
    if not remains and project.root.is_dir():
        if left := sorted(project.root.iterdir()):
            step.say(f"kept: {', '.join(map(str, left))}, which codesensei did not make")
        else:
            project.root.rmdir()
            step.changed(f"{project.root} removed")
    return [*remains]


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield handle
    finally:
        os.close(handle)


def _goes(path: Path, drops: Collection[str], kind: frozenset[str]) -> bool:
    """Whether destroy removes this part of shared: what the product made, and the kind of data that is dropped."""
    found = path.lstat()
    if path.name in ("logs", "state") or stat.S_ISSOCK(found.st_mode):
        return True
    if path.name in (".env", "venv") and stat.S_ISLNK(found.st_mode):
        return True
    if path.name == "media" and path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
        return True
    # Everything else the project put there: a MEDIA_ROOT may have any name, and a directory may hold both.
    if path.is_dir() and not path.is_symlink():
        kind = BOTH
    return kind <= {*drops}


def _sifted(step: Step[object], path: Path, drops: Collection[str], databases: Collection[str]) -> bool:
    """Remove databases or media, whichever is dropped, from a directory with both; return whether it is gone."""
    if len(drops) != 1 or path.is_symlink() or not path.is_dir():
        return False
    # Through open directories: a link that the app user puts in place of one meanwhile is not followed.
    removed = 0
    for _, folders, names, handle in os.fwalk(path, topdown=False):
        for name, kind in _kinds(names, handle, databases).items():
            if kind <= {*drops}:
                os.unlink(name, dir_fd=handle)
                removed += 1
        for name in folders:
            # Directories that are not empty stay.
            with contextlib.suppress(OSError):
                os.rmdir(name, dir_fd=handle)
    step.converge(removed > 0, f"{removed} {'databases' if 'database' in drops else 'files'} in {path} removed")
    with contextlib.suppress(OSError):
        path.rmdir()
    return not path.exists()


def _kinds(names: Iterable[str], folder: int, databases: Collection[str]) -> Mapping[str, frozenset[str]]:
    """What `onDestroy` must drop for each of these files to go, before any of them has gone."""
    return {name: _kind(name, folder, databases) for name in names}


def _kind(name: str, folder: int, databases: Collection[str]) -> frozenset[str]:
    main = _JOURNAL.sub("", name)
    known = before.plain(main)
    if known in databases or SQLITE.fullmatch(known):
        return DATABASE
    # A database of the project's, under any name, or an upload in that format: whichever stays, it stays.
    return BOTH if files.is_sqlite(main, folder) else MEDIA
