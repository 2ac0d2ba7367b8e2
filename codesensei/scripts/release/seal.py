"""Give root what the build user has made."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from codesensei.scripts.base.files import group_id, user_id
from codesensei.scripts.base.step import Failure


def seal(tree: Path, build_user: str, group: str, public: Path | None = None) -> None:
    """Make `tree` root's: directories 0750, files 0640 or 0750; below `public` 0755 and 0644.

    Only files of the build user are taken over, or of root, because an earlier seal was interrupted: a hard link to
    somebody else's file is refused. No link is followed. The caller has ended the build user's processes.
    """
    allowed = {user_id(build_user), 0}
    gid = group_id(group)
    taken: set[int] = set()
    for folder, _, names, handle in os.fwalk(tree, follow_symlinks=False):
        shown = public is not None and (Path(folder) == public or public in Path(folder).parents)
        on_the_way = public is not None and Path(folder) in public.parents
        _may_take(folder, os.fstat(handle), allowed, taken)
        os.fchown(handle, 0, gid)
        os.fchmod(handle, 0o755 if shown else 0o751 if on_the_way else 0o750)
        for name in names:
            _seal_entry(f"{folder}/{name}", name, handle, allowed, taken, gid, shown)
        for name in os.listdir(handle):
            if stat.S_ISLNK(os.lstat(name, dir_fd=handle).st_mode):
                _may_take(f"{folder}/{name}", os.lstat(name, dir_fd=handle), allowed, taken)
                os.chown(name, 0, gid, dir_fd=handle, follow_symlinks=False)


def _seal_entry(path: str, name: str, folder: int, allowed: set[int], taken: set[int], gid: int, shown: bool) -> None:
    found = os.lstat(name, dir_fd=folder)
    if stat.S_ISLNK(found.st_mode):
        return
    if not stat.S_ISREG(found.st_mode):
        os.unlink(name, dir_fd=folder)
        return
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    try:
        found = os.fstat(handle)
        _may_take(path, found, allowed, taken)
        executable = bool(found.st_mode & 0o111)
        os.fchown(handle, 0, gid)
        os.fchmod(handle, (0o755 if executable else 0o644) if shown else (0o750 if executable else 0o640))
    finally:
        os.close(handle)


def _may_take(path: str, found: os.stat_result, allowed: set[int], taken: set[int]) -> None:
    """Refuse what is somebody else's, also by a hard link; `taken` are files with several names that were ours."""
    if found.st_uid not in allowed:
        cause = f"{path} belongs to user {found.st_uid}, not to the build user"
        raise Failure("build", cause, "remove it and deploy again")
    if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
        if found.st_uid == 0 and found.st_ino not in taken:
            fix = "find the package or the hook that makes it"
            raise Failure("build", f"{path} is a hard link to a file of root's", fix)
        taken.add(found.st_ino)
