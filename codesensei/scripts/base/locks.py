"""Who holds a lock: what a step waits for, and what the look tells while somebody deploys."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from codesensei.scripts.base import files
from codesensei.scripts.base.step import Failure, Step, read_json
from codesensei.wire import paths


def file_of(name: str) -> Path:
    """The lock of the server, or of a project (`project-<slug>`)."""
    return paths.SERVER.locks / f"{name}.lock"


def note_of(name: str) -> Path:
    """What the holder of a lock says of itself; it stays when the lock is free again."""
    return paths.SERVER.locks / f"{name}.holder"


def note(name: str, step: Step[object]) -> None:
    """Say who holds the lock, to whoever waits for it."""
    with open(note_of(name), "w", opener=files.private) as file:
        since = time.strftime("%H:%M:%S")
        json.dump({"step": step.name, "slug": step.slug, "pid": os.getpid(), "since": since}, file)


@contextlib.contextmanager
def held(file: Path, taken: Callable[[], Failure]) -> Iterator[None]:
    """Hold a lock until the block or the process ends. `taken` makes the Failure where somebody else has it."""
    files.make_directory(file.parent, 0o700)
    with open(file, "a", opener=files.private) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise taken() from None
        yield


def holder(name: str) -> str:
    """Who has, or had, the lock. Between taking it and writing the note there is none."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        note = read_json(note_of(name), {})
        return f"{note['step']} of {note['slug']} (process {note['pid']}, since {note['since']})"
    return "another step"


def deploying(slug: str) -> str:
    """Which step of the project runs right now, and since when; empty where none does."""
    for name in (f"project-{slug}", "server"):
        if is_held(name) and f" of {slug} (" in (who := holder(name)):
            return who
    return ""


def is_held(name: str) -> bool:
    """Whether a living process has the lock: the kernel releases it with its holder."""
    with contextlib.suppress(FileNotFoundError), open(file_of(name)) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
