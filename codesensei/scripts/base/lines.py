"""Root's files with one JSON object per line, appended to and never rewritten."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from codesensei.wire import codec
from codesensei.wire.codec import WireError

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
    """Add a line; only root reads the file."""
    with open(path, "a", opener=_private) as file:
        file.write(json.dumps(codec.encode(entry), sort_keys=True) + "\n")


def read(path: Path, kind: type[T]) -> list[T]:
    """The lines, the oldest first. One cut short by a power failure is skipped."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(codec.decode(kind, json.loads(line), str(path), kept=True))
        except (ValueError, WireError):
            continue
    return found


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
