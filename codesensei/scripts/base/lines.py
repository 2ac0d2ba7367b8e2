"""Root's files with one JSON object per line, appended to and never rewritten."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Literal, TypeVar

from codesensei.scripts.base import files
from codesensei.scripts.base.step import copy_of
from codesensei.wire import codec
from codesensei.wire.codec import WireError
from codesensei.wire.quick import dataclass

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class StepRun:
    """One run of a step. `time` is UTC, ISO 8601; `seconds` how long it took."""

    time: str
    step: str
    args: tuple[str, ...]
    result: Literal["changed", "unchanged", "failed"]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class SwitchRun:
    """One switch that changed something; `seconds` by phase."""

    time: str
    release: str
    revision: str
    seconds: dict[str, float]


def append(path: Path, entry: object) -> None:
    """Add a line to the file and to its copy; only root reads them."""
    line = json.dumps(codec.encode(entry), sort_keys=True) + "\n"
    if not copy_of(path).exists():
        files.write_file(copy_of(path), b"".join(_lines(path)), 0o600)
    # Whoever reads in between must not find the file the shorter one.
    for place in (path, copy_of(path)):
        with open(place, "a", opener=files.private) as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())


def read(path: Path, kind: type[T]) -> list[T]:
    """The lines, the oldest first. Damaged ones are skipped; `repair` counts them."""
    found = []
    for line in _lines(path):
        try:
            found.append(codec.decode(kind, json.loads(line), str(path), kept=True))
        except (ValueError, WireError):
            continue
    return found


def damaged(path: Path) -> bool:
    """Whether lines cannot be read, or are lacking."""
    return _lines(path) != _best(path)


def repair(path: Path) -> int:
    """Keep the lines that are whole, here or in the copy; returns how many are lost."""
    before, best = _lines(path), _best(path)
    for place in (copy_of(path), path):
        files.write_file(place, b"".join(best), 0o600)
    return max(0, len(before) - len(best))


def _best(path: Path) -> list[bytes]:
    places = (path, copy_of(path))
    return max(([line for line in _lines(place) if _is_whole(line)] for place in places), key=len)


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return []


def _is_whole(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict) and line.endswith(b"\n")
    except ValueError:
        return False
