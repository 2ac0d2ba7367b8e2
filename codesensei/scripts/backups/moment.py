"""One database as it was at a moment: a scratch copy of its cluster, which nobody else sees, replays until then."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from codesensei.scripts.backups import postgres
from codesensei.scripts.backups.pgbackrest import AS_POSTGRES, USER, Archive
from codesensei.scripts.backups.postgres import Counts
from codesensei.scripts.base import commands, files
from codesensei.scripts.base.step import BELOW, Failure, Step
from codesensei.scripts.postgres import postgresql
from codesensei.scripts.postgres.postgresql import FREE_SPACE, PORT
from codesensei.wire import moments
from codesensei.wire.processes import SYSTEM_PATH
from codesensei.wire.quick import dataclass
from codesensei.wire.text import size

# What WAL and the databases of PostgreSQL itself need, beside the one that is read and the dump of it.
RESERVE, PARTS = 1 << 30, 2.5
PROGRAMS = Path("/usr/lib/postgresql")
KEPT_LINES = 30
TOLD_SEGMENTS = 100
# A moment in which no transaction that writes is open, and none ends: the counts are the restore point's.
_POINT = """
BEGIN ISOLATION LEVEL READ COMMITTED;
DO $$
DECLARE
    before text; found text; after text; writers boolean;
BEGIN
    FOR number IN 1..500 LOOP
        SELECT seen::text, pg_export_snapshot(), WRITERS INTO before, found, writers FROM pg_current_snapshot() AS seen;
        IF NOT writers THEN
            PERFORM pg_create_restore_point(NAME || number);
            SELECT pg_current_snapshot()::text, WRITERS INTO after, writers;
            IF before = after AND NOT writers THEN
                PERFORM set_config('codesensei.point', NAME || number || ' ' || found, false);
                RETURN;
            END IF;
        END IF;
        PERFORM pg_sleep(0.01);
    END LOOP;
    PERFORM pg_create_restore_point(NAME || 0);
    PERFORM set_config('codesensei.point', NAME || 0, false);
END $$;
SELECT current_setting('codesensei.point');
"""
# A prepared transaction has no process.
_WRITERS = (
    "EXISTS (SELECT FROM pg_locks WHERE locktype = 'transactionid' AND granted"
    " AND pid IS DISTINCT FROM pg_backend_pid())"
)
_READY = "database system is ready to accept connections"
_NOT_REACHED = "recovery ended before configured recovery target was reached"
_LAST = re.compile(r"last completed transaction was at log time (\S+ [\d:.]+)")


@dataclass(frozen=True)
class Point:
    """A restore point, with the rows of that moment; `counts` is None where they were not counted."""

    name: str
    counts: Counts | None


def parse(text: str) -> datetime | None:
    """A moment, in UTC; None for the end. Failure for any other text."""
    try:
        return moments.parse(text)
    except ValueError as error:
        raise Failure(f"moment {text}", "it is no time with an offset from UTC", str(error)) from None


def at(moment: datetime | None, label: str) -> list[str]:
    """What pgBackRest is told of a moment, and of the backup before it; no moment is the end of all that is there.

    By itself it chooses among the backups of the present cluster alone, and on a new server there are none yet.
    """
    chosen = [f"--set={label}"] if label else []
    if moment is None:
        return ["--type=default", *chosen]
    return ["--type=time", f"--target={moment:%Y-%m-%d %H:%M:%S.%f}+00", "--target-action=promote", *chosen]


def of_point(name: str, label: str) -> list[str]:
    """What it is told of a backup and the restore point after it."""
    return ["--type=name", f"--target={name}", f"--set={label}", "--target-action=promote"]


def mark(port: int, database: str, name: str, *, counts: bool) -> Point:
    """Set a restore point; one with `counts` in a moment in which nobody writes, to count what is there."""
    if not counts:
        postgresql.sql(port, f"SELECT pg_create_restore_point({postgresql.literal(name)});")
        return Point(name, None)
    text = _POINT.replace("NAME", postgresql.literal(f"{name}-")).replace("WRITERS", _WRITERS)
    with postgres.session(port, database) as session:
        point, _, snapshot = session.ask(text, 1)[0].partition(" ")
        counted = postgres.counted(port, database, snapshot)[0] if snapshot else None
    return Point(point, counted)


def reach_now(archive: Archive) -> None:
    """Bring all that was written until now into the archive, and one transaction after it: a target lies before one."""
    postgresql.sql(archive.port, "SELECT txid_current();")
    archive.check()


def sweep(archive: Archive) -> list[str]:
    """Remove what a run that was killed has left."""
    scratch = archive.project.wal_scratch
    return [str(path) for path in (scratch, _tablespaces(scratch)) if files.remove_path(path)]


def dump(
    step: Step[object], archive: Archive, words: list[str], into: Path, bytes_of_it: int, schema: Path | None = None
) -> tuple[Counts, list[str], list[str]]:
    """Write the database as it was into a file; the counts of its rows, its extensions, and what recovery empties.

    `schema` is where it is written without rows.
    """
    database = archive.settings.database
    assert database is not None
    _require_room(archive, bytes_of_it)
    with _copy(step, archive, database.name, words) as sockets:
        query = f"SELECT count(*) FROM pg_database WHERE datname = {postgresql.literal(database.name)};\n"
        with postgres.session(PORT, "postgres", str(sockets)) as asked:
            if asked.ask(query, 1) == ["0"]:
                cause = f"there was no database {database.name} at that moment"
                raise Failure(archive.thing, cause, "choose a later one")
        step.say(f"reading {database.name} from the copy")
        emptied = postgres.emptied(PORT, database.name, str(sockets))
        return *postgres.dump(PORT, database.name, into, str(sockets), schema), emptied


def _require_room(archive: Archive, bytes_of_it: int) -> None:
    place, needed = archive.project.wal_work, int(PARTS * bytes_of_it) + RESERVE
    if (free := shutil.disk_usage(place).free) < needed:
        cause = f"{size(free)} are free, and a copy of the database with a dump of it needs {size(needed)}"
        raise Failure(f"disk of {place}", cause, FREE_SPACE)


@contextlib.contextmanager
def _copy(step: Step[object], archive: Archive, database: str, words: list[str]) -> Iterator[Path]:
    """The cluster at that moment, reached by a socket in a folder of its own alone, for the block."""
    place = archive.project.wal_scratch
    sweep(archive)
    try:
        for path in (place, _tablespaces(place)):
            files.make_directory(path, 0o700, USER, USER)
        step.say("fetching the cluster's files into a scratch copy")
        archive.restore(place, database, words)
        step.say("replaying what was written since")
        with _running(step, archive, place):
            yield place
    finally:
        sweep(archive)


@contextlib.contextmanager
def _running(step: Step[object], archive: Archive, place: Path) -> Iterator[None]:
    version = (place / "PG_VERSION").read_text().strip()
    program = PROGRAMS / version / "bin" / "postgres"
    if not program.exists():
        fix = f"install the package postgresql-{version} on this server"
        raise Failure("scratch copy", f"it is of PostgreSQL {version}, which is not installed", fix)
    # Nothing of the cluster's own configuration but its data: no port, no preloaded library, no archive.
    files.write_file(place / "scratch.conf", _SETTINGS, 0o600, USER, USER)
    files.write_file(place / "scratch_hba.conf", f"local all {USER} peer\n", 0o600, USER, USER)
    argv = [str(program), "-D", str(place), "-c", f"config_file={place / 'scratch.conf'}"]
    argv += ["-c", f"hba_file={place / 'scratch_hba.conf'}", "-c", f"unix_socket_directories={place}"]
    for line in _SETTINGS.splitlines():
        # Once more, for ALTER SYSTEM has the last word in files.
        name, _, value = line.partition(" = ")
        argv += ["-c", f"{name}={value.strip(chr(39))}"]
    with subprocess.Popen(
        [*AS_POSTGRES, *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8"},
        cwd="/",
    ) as process:
        try:
            assert process.stderr is not None
            lines: deque[str] = deque(maxlen=KEPT_LINES)
            _await(step, archive, process.stderr, lines)
            # Nobody waits for these, and a full pipe would stop it.
            threading.Thread(target=lines.extend, args=(process.stderr,), daemon=True).start()
            yield
        finally:
            # At once: it is thrown away. As its own user, for the service of the backups may signal no other's process.
            commands.run(
                [*AS_POSTGRES, str(program.with_name("pg_ctl")), "kill", "QUIT", str(process.pid)], check=False
            )
            process.wait()


def _await(step: Step[object], archive: Archive, said: Iterator[str], lines: deque[str]) -> None:
    segments = 0
    for line in said:
        lines.append(line)
        if _READY in line:
            return
        if "restored log file" in line:
            segments += 1
            if segments % TOLD_SEGMENTS == 0:
                step.say(f"replayed {segments} pieces of WAL")
    text = "".join(lines)
    if _NOT_REACHED in text:
        last = _LAST.search(text)
        cause = f"it ends before that moment: its last transaction is of {last[1] if last else 'an earlier time'} UTC"
        fix = f"choose an earlier moment, or all that is there: restore --at {moments.END}"
        raise Failure(archive.thing, cause, fix)
    raise Failure("scratch copy", "PostgreSQL does not start with it", BELOW, text)


_SETTINGS = f"""listen_addresses = ''
port = {PORT}
archive_mode = 'off'
autovacuum = 'off'
fsync = 'off'
full_page_writes = 'off'
hot_standby = 'off'
log_destination = 'stderr'
log_timezone = 'UTC'
logging_collector = 'off'
log_min_messages = 'log'
max_locks_per_transaction = 1024
max_prepared_transactions = 100
primary_conninfo = ''
recovery_end_command = ''
restart_after_crash = 'off'
session_preload_libraries = ''
shared_preload_libraries = ''
ssl = 'off'
timezone = 'UTC'
"""


def _tablespaces(scratch: Path) -> Path:
    return scratch.with_name(f"{scratch.name}-tablespaces")
