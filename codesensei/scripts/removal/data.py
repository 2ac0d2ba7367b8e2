"""Remove a project's directories; data stays unless the stack config drops it."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path

from codesensei.scripts.base import files
from codesensei.scripts.base.step import Step

SQLITE = re.compile(r".*\.(sqlite3?|db)(-wal|-shm|-journal)?")


def remove(step: Step[object], drop_database: bool, drop_media: bool) -> list[Path]:
    """Remove the project's directories; return what is kept in shared."""
    project = step.project
    links = (project.current, project.previous, project.manage, project.backup)
    for path in (*links, project.releases, project.venvs, project.environments, project.hand_over, project.uploads):
        step.converge(files.remove_path(path), f"{path} removed")
    remains = []
    if project.shared.is_dir():
        for path in sorted(project.shared.iterdir()):
            if _goes(path, drop_database, drop_media):
                step.converge(files.remove_path(path), f"{path} removed")
            elif not _sifted(step, path, drop_database, drop_media):
                remains.append(path)
        if not remains:
            project.shared.rmdir()
    for path in remains:
        step.say(f"kept: {path} (a deployed onDestroy.{'database' if _is_sqlite(path) else 'media'}: drop removes it)")
    if not remains and project.root.is_dir():
        if left := sorted(project.root.iterdir()):
            step.say(f"kept: {', '.join(map(str, left))}, which codesensei did not make")
        else:
            project.root.rmdir()
            step.changed(f"{project.root} removed")
    return remains


def _goes(path: Path, drop_database: bool, drop_media: bool) -> bool:
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
        return drop_database and drop_media
    return drop_database if _is_sqlite(path) else drop_media


def _sifted(step: Step[object], path: Path, drop_database: bool, drop_media: bool) -> bool:
    """Remove databases or media, whichever is dropped, from a directory with both; return whether it is gone."""
    if drop_database == drop_media or path.is_symlink() or not path.is_dir():
        return False
    # Through open directories: a link that the app user puts in place of one meanwhile is not followed.
    removed = 0
    for _, folders, names, handle in os.fwalk(path, topdown=False):
        for name in names:
            if _is_sqlite(Path(name)) == drop_database:
                os.unlink(name, dir_fd=handle)
                removed += 1
        for name in folders:
            # Directories that are not empty stay.
            with contextlib.suppress(OSError):
                os.rmdir(name, dir_fd=handle)
    step.converge(removed > 0, f"{removed} {'databases' if drop_database else 'files'} in {path} removed")
    with contextlib.suppress(OSError):
        path.rmdir()
    return not path.exists()


def _is_sqlite(path: Path) -> bool:
    return SQLITE.fullmatch(path.name) is not None
