"""Root's notes that a fault has emptied or cut short: put back from their copies, or set aside and made again.

Every note is written by a rename, so only a failing disk or a person leaves one half written; the last line of a file
that grows can be cut short by a power failure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from codesensei.scripts.base import files, lines, register
from codesensei.scripts.base.step import copy_of
from codesensei.wire import paths
from codesensei.wire.paths import ProjectPaths


def find(project: ProjectPaths) -> list[Path]:
    """The damaged notes of the project, and of the server."""
    notes = [*paths.SERVER.memory.glob("*.json"), *paths.SERVER.memory.glob("newest/*.json")]
    notes += project.memory.rglob("*.json")
    found = [path for path in notes if not _is_whole(path)]
    return sorted(found + [path for path in project.memory.glob("*.jsonl") if lines.damaged(path)])


def repair(project: ProjectPaths) -> list[str]:
    """Make every note readable again; returns what was done. The caller holds the project's lock or the server's."""
    if not find(project):
        return []
    # Another project's step may be writing what all share.
    with register.locked():
        return list(_repaired(find(project)))


def _repaired(found: list[Path]) -> Iterator[str]:
    for path in found:
        if path.suffix == ".jsonl":
            lost = lines.repair(path)
            yield f"{path} was damaged: its whole lines are kept" + (f", {lost} lost" if lost else "")
        elif _is_whole(copy_of(path)):
            files.write_file(path, copy_of(path).read_bytes(), 0o600)
            yield f"{path} was damaged: it is put back from its copy"
        else:
            aside = path.with_name(f"{path.name}.damaged")
            path.rename(aside)
            yield f"{path} was damaged: it is kept as {aside.name} and made again"


def _is_whole(path: Path) -> bool:
    try:
        json.loads(path.read_text())
    except (OSError, ValueError):
        return False
    return True
