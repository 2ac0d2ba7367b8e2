"""Files that belong to all projects of a server, which may be deployed by different versions of the product.

Each such file has a version number. The newest text that ever was in use is kept in root's memory, and an older
version of the product writes that one instead of its own: two stacks never undo each other's work.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from codesensei.scripts.base import files
from codesensei.scripts.base.step import read_json, write_json
from codesensei.wire import paths


def newest(path: Path, text: str, version: int) -> str:
    """The text that belongs at `path`: this one, or that of a newer version. The caller holds the server's lock."""
    known = read_json(_note(path), {"version": 0, "text": ""})
    return str(known["text"]) if known["version"] > version else text


def remember(path: Path, text: str, version: int) -> None:
    """Keep a text that is in use now, unless a newer version's is known."""
    if read_json(_note(path), {"version": 0})["version"] <= version:
        files.make_directory(_note(path).parent, 0o700)
        write_json(_note(path), {"path": str(path), "version": version, "text": text})


def _note(path: Path) -> Path:
    return paths.SERVER.memory / "newest" / f"{hashlib.sha256(str(path).encode()).hexdigest()[:16]}.json"
