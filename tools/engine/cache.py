"""The cache outside the checkout: content-named directories, made aside and renamed, one maker at a time."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

UNFINISHED = ".making-"


def cache_root() -> Path:
    """`engine` in `$CODESENSEI_CACHE`, else `$XDG_CACHE_HOME/codesensei`, else `~/.cache/codesensei`."""
    own = os.environ.get("CODESENSEI_CACHE")
    if own:
        return Path(own).expanduser().absolute() / "engine"
    base = os.environ.get("XDG_CACHE_HOME")
    root = Path(base) if base else Path.home() / ".cache"
    return root.absolute() / "codesensei" / "engine"


def digest(*parts: str | bytes | Path) -> str:
    """Twelve hexadecimal digits that change when any part does; a path stands for its file's content."""
    total = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, Path) else part.encode() if isinstance(part, str) else part
        total.update(hashlib.sha256(data).digest())
    return total.hexdigest()[:12]


def tree_digest(root: Path, files: Iterable[Path]) -> str:
    """The digest of these files' names below `root` and contents."""
    return digest(*(part for file in sorted(files) for part in (str(file.relative_to(root)), file)))


@contextmanager
def cache_lock() -> Iterator[None]:
    """Hold the cache; a second process waits here until the first has made what both need."""
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        for leftover in root.glob(f"{UNFINISHED}*"):  # of a run that was killed: only the lock's holder makes any
            shutil.rmtree(leftover, ignore_errors=True)
        yield


def make_directory(target: Path, fill: Callable[[Path], None]) -> Path:
    """`target`, filled by `fill` if it does not exist yet: complete or absent, whatever happens on the way.

    fill: called with a new directory on the same file system, which then takes the target's name.
    """
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=target.parent))
    try:
        aside.chmod(0o755)
        fill(aside)
        aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return target
