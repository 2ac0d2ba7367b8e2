"""Files that converge: each function makes what is asked and says whether anything changed.

Nothing here follows a symbolic link at its last component, and every write is a rename over the old file.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import re
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

SQLITE = b"SQLite format 3\0"
# Of an OSError for a user or a group that is not there.
NO_SUCH_USER = errno.EOWNERDEAD


def user_id(name: str) -> int:
    """The user's number. OSError where there is no such user."""
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise OSError(NO_SUCH_USER, "there is no such user on this server", f"user {name}") from None


def is_user(name: str) -> bool:
    """Whether there is such a user."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def user_name(number: int) -> str:
    """The name of the user with this number; the number itself where there is none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def group_id(name: str) -> int:
    """The group's number. OSError where there is no such group."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise OSError(NO_SUCH_USER, "there is no such group on this server", f"group {name}") from None


def private(path: str, flags: int) -> int:
    """Open a file that root alone may read: the `opener` of `open`."""
    return os.open(path, flags, 0o600)


def write_file(path: Path, content: str | bytes, mode: int = 0o644, owner: str = "root", group: str = "root") -> bool:
    """Make `path` a regular file with exactly this content, mode and owner."""
    if is_same(path, content, mode, owner, group):
        return False
    data = _data(content)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            os.fchown(stream.fileno(), user_id(owner), group_id(group))
            os.fchmod(stream.fileno(), mode)
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return True


def is_same(path: Path, content: str | bytes, mode: int = 0o644, owner: str = "root", group: str = "root") -> bool:
    """Whether `path` is a regular file with exactly this content, mode and owner."""
    data = _data(content)
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return (
        stat.S_ISREG(found.st_mode)
        and stat.S_IMODE(found.st_mode) == mode
        and (found.st_uid, found.st_gid) == (user_id(owner), group_id(group))
        and found.st_size == len(data)
        and path.read_bytes() == data
    )


def text_of(path: Path) -> str:
    """The text of a file in which others may have written anything; `write_file` writes it as it was."""
    return path.read_text("utf-8", "surrogateescape")


def _data(content: str | bytes) -> bytes:
    return content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content


def make_directory(path: Path, mode: int, owner: str = "root", group: str = "root") -> bool:
    """Make `path` a directory with this mode and owner; its parent must exist.

    Raises NotADirectoryError when something else, a link included, has the name.
    """
    changed = False
    try:
        os.mkdir(path, 0o700)
        changed = True
    except FileExistsError:
        pass
    return keep_directory(path, mode, owner, group) or changed


def keep_directory(path: Path, mode: int, owner: str, group: str) -> bool:
    """Give a directory that is there this mode and owner. OSError where there is none, or a link in its place."""
    wanted = (user_id(owner), group_id(group), mode)
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        found = os.fstat(handle)
        if (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == wanted:
            return False
        os.fchown(handle, wanted[0], wanted[1])
        os.fchmod(handle, mode)
        return True
    finally:
        os.close(handle)


def open_directory(path: Path, mode: int, owner: str) -> bool:
    """Let those in whom `mode` lets in, where a link of root's leads to a directory of `owner`'s."""
    try:
        handle = os.open(os.path.realpath(path), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        found = os.fstat(handle)
        if found.st_uid != user_id(owner) or found.st_mode & mode == mode:
            return False
        os.fchmod(handle, stat.S_IMODE(found.st_mode) | mode)
        return True
    finally:
        os.close(handle)


def close_to_others(path: Path, group: str) -> bool:
    """Let a file's owner and `group` alone read it; False where nothing has to change, or no file is there."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        found = os.fstat(handle)
        if found.st_gid == group_id(group) and not found.st_mode & 0o007:
            return False
        os.fchown(handle, -1, group_id(group))
        os.fchmod(handle, 0o640)
        return True
    finally:
        os.close(handle)


def owner(path: Path) -> int | None:
    """The number of the user who owns what is at `path`, a link itself included; None where nothing is."""
    try:
        return os.lstat(path).st_uid
    except FileNotFoundError:
        return None


def group(path: Path) -> int | None:
    """The number of its group; None where nothing is."""
    try:
        return os.lstat(path).st_gid
    except FileNotFoundError:
        return None


def make_link(path: Path, target: str, uid: int | None = None) -> bool:
    """Make `path` a symbolic link to `target`, by one rename; `uid` is whose it is, where that matters."""
    if path.is_symlink() and os.readlink(path) == target and uid in (None, owner(path)):
        return False
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    os.symlink(target, temporary)
    if uid is not None:
        os.chown(temporary, uid, -1, follow_symlinks=False)
    os.rename(temporary, path)
    return True


def remove_path(path: Path) -> bool:
    """Remove a file, a link (never what it leads to) or a whole directory."""
    if path.is_symlink() or path.is_file() or (path.exists() and not path.is_dir()):
        path.unlink()
        return True
    if path.is_dir():
        shutil.rmtree(path)
        return True
    return False


def mount_points() -> set[str]:
    """Where something is mounted, a directory in another place included, as this process sees it."""
    with open("/proc/self/mountinfo", errors="surrogateescape") as file:
        # Spaces and the like are written as octal numbers.
        return {re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), line.split()[4]) for line in file}


def mount_of(path: Path) -> str:
    """The mount that a path is in: from one to another nothing can be renamed."""
    points, real = mount_points(), Path(os.path.realpath(path))
    return next((str(place) for place in (real, *real.parents) if str(place) in points), "/")


def holds_mount(path: Path) -> bool:
    """Whether something is mounted at a path or below: a rename would not move it, or would take the mount along."""
    real = Path(os.path.realpath(path))
    return any(Path(point).is_relative_to(real) for point in mount_points())


def keep_only(folder: Path, wanted: Callable[[str], bool]) -> None:
    """Remove what is in the folder under other names than those that are wanted."""
    if folder.is_dir():
        for entry in folder.iterdir():
            if not wanted(entry.name):
                remove_path(entry)


def link_target(path: Path) -> str | None:
    """Where a link leads, as written; None when there is no link."""
    return os.readlink(path) if path.is_symlink() else None


def read_foreign(path: Path | str, start: int = 0, limit: int = 2**24, folder: int | None = None) -> bytes:
    """What is in a file of somebody else's, who may have put anything in its place; nothing where it is no file.

    `folder` is an open directory that `path` is in.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return b""
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        return b""
    with os.fdopen(handle, "rb") as stream:
        # A log that was rotated since then is a new file.
        stream.seek(start if start <= found.st_size else 0)
        return stream.read(limit)


def is_sqlite(path: Path | str, folder: int | None = None) -> bool:
    """Whether a file of somebody else's begins as a SQLite database does."""
    return read_foreign(path, limit=len(SQLITE), folder=folder) == SQLITE
