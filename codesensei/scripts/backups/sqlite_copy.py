"""Runs as the app user: copies a SQLite database while it is used, and counts its rows.

`sqlite_copy.py out <file>` writes a consistent copy to standard output, `in` reads one from standard input and counts,
`put <file> <old>` puts one from standard input in the file's place. The counts go to standard error.
"""

import contextlib
import json
import os
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path


def main() -> None:
    action, *places = sys.argv[1:]
    os.umask(0o027)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.sqlite3"
        if action == "out":
            source = f"{Path(places[0]).absolute().as_uri()}?mode=ro"
            live, other = sqlite3.connect(source, uri=True, timeout=60), sqlite3.connect(copy)
            with contextlib.closing(live), contextlib.closing(other):
                live.backup(other)
            counts = count(copy)
            with copy.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
        elif action == "in":
            with copy.open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
            counts = count(copy)
        else:
            counts = put(*map(Path, places))
    print(json.dumps(counts), file=sys.stderr)


def put(place: Path, old: Path) -> "dict[str, int]":
    """The old database, with what belongs to it, stays beside."""
    new = place.with_name(f"{place.name}.restored")
    with new.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.flush()
        # A power cut would else leave an empty file in the place of the database.
        os.fsync(file.fileno())
    counts = count(new)
    for end in ("", "-wal", "-shm", "-journal"):
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{place}{end}", f"{old}{end}")
    os.rename(new, place)
    return counts


def count(file: Path) -> "dict[str, int]":
    with contextlib.closing(sqlite3.connect(file)) as database:
        (state,) = database.execute("PRAGMA integrity_check").fetchone()
        if state != "ok":
            sys.exit(f"damaged: {state}")
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        names = [name for (name,) in tables if not name.startswith("sqlite_")]
        quoted = {name: '"' + name.replace('"', '""') + '"' for name in names}
        return {name: database.execute(f"SELECT count(*) FROM {quoted[name]}").fetchone()[0] for name in names}


main()
