"""A SQLite database: root opens no file of the app user's, so the app user itself copies it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from codesensei.scripts.base.commands import WITH_CALLER, as_user
from codesensei.scripts.base.step import Failure
from codesensei.wire.processes import SYSTEM_PATH

SCRIPT = Path(__file__).with_name("sqlite_copy.py")


def dump(user: str, place: str, into: Path) -> Mapping[str, int]:
    """Write a consistent copy into a file; the counts of its rows."""
    with into.open("wb") as file:
        return _run(user, ["out", place], place, stdout=file)


def count(user: str, file: Path) -> Mapping[str, int]:
    """The counts of a copy, which must be whole."""
    with file.open("rb") as stdin:
        return _run(user, ["in"], file.name, stdin=stdin)


def put(user: str, file: Path, place: str, old: str) -> Mapping[str, int]:
    """Put a copy in the database's place; what was there gets the name `old`."""
    with file.open("rb") as stdin:
        return _run(user, ["put", place, old], place, stdin=stdin)


def _run(user: str, words: list[str], thing: str, **streams: object) -> Mapping[str, int]:
    # Read by root: the app user cannot open the toolkit.
    argv = as_user(user, *WITH_CALLER, "/usr/bin/python3", "-I", "-B", "-c", SCRIPT.read_text(), *words)
    done = subprocess.run(  # type: ignore[call-overload]
        argv,
        **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **streams},
        stderr=subprocess.PIPE,
        env={"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8"},
        cwd="/",
        check=False,
    )
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode:
        raise Failure(f"SQLite file {thing}", "it cannot be copied whole", "look at it on the server", said)
    counts: Mapping[str, int] = json.loads(said.splitlines()[-1])
    return counts
