"""Files that all projects of a server share, whatever version of the product deploys them.

Each such file has a version number. Root keeps the newest text that was ever in use, and an older version of the
product writes that one instead of its own: two stacks never undo each other's work.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from codesensei.scripts.base import files
from codesensei.scripts.base.step import read_json, write_json
from codesensei.wire import codec, paths
from codesensei.wire.quick import dataclass


@dataclass(frozen=True, kw_only=True)
class Newest:
    """The newest text that was ever in use."""

    path: str = ""
    version: int = 0
    text: str = ""


def newest(path: Path, text: str, version: int) -> str:
    """The text that belongs at `path`: this one, or that of a newer version. The caller holds the server's lock."""
    known = _known(path)
    return known.text if known.version > version else text


def remember(path: Path, text: str, version: int) -> None:
    """Keep a text that is in use now, unless a newer version's is known."""
    if _known(path).version <= version:
        files.make_directory(_note(path).parent, 0o700)
        write_json(_note(path), codec.encode(Newest(path=str(path), version=version, text=text)))


def _known(path: Path) -> Newest:
    return codec.decode(Newest, read_json(_note(path), {}), str(_note(path)), kept=True)


def _note(path: Path) -> Path:
    return paths.SERVER.memory / "newest" / f"{hashlib.sha256(str(path).encode()).hexdigest()[:16]}.json"
