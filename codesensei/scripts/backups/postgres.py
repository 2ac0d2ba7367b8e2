"""A PostgreSQL database as one consistent file with the counts of its rows, and a new database made of it.

What is restored runs as a role without any power: a dump may hold functions that the project's owner wrote.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from codesensei.scripts.base.commands import WITH_CALLER, how_it_ended
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.postgres import passwords, postgresql, scram
from codesensei.scripts.postgres.postgresql import identifier, literal
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.processes import SYSTEM_PATH
from codesensei.wire.quick import dataclass

SOCKETS = "/var/run/postgresql"
# Every table that is not an extension's, counted in one statement.
COUNTS = """
    SELECT coalesce(json_object_agg(format('%I.%I', nspname, relname), (xpath('/row/c/text()', query_to_xml(
        format('SELECT count(*) AS c FROM %I.%I', nspname, relname), false, true, '')))[1]::text::bigint), '{}')
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid
        AND deptype = 'e');
"""
# Recovery empties unlogged tables; a table is counted with those that inherit from it.
_EMPTIED = """
    WITH RECURSIVE found AS (
        SELECT oid FROM pg_class WHERE relpersistence = 'u' AND relkind IN ('r', 'p')
        UNION SELECT inhparent FROM pg_inherits JOIN found ON inhrelid = found.oid
    )
    SELECT coalesce(json_agg(format('%I.%I', nspname, relname)), '[]')
    FROM found JOIN pg_class ON pg_class.oid = found.oid JOIN pg_namespace ON pg_namespace.oid = relnamespace;
"""
_OPEN = f"{postgresql.GUARDED}BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;\n"
_EXTENSIONS = "SELECT coalesce(json_agg(extname), '[]') FROM pg_extension WHERE extname <> 'plpgsql';\n"
# As a dump makes an extension.
_NAME = r'"(?:[^"]|"")+"|\w+'
_PLACED = re.compile(f"^CREATE EXTENSION IF NOT EXISTS ({_NAME}) WITH SCHEMA ({_NAME});$", re.MULTILINE)
# What projects write into tables of an extension, as coordinate systems of their own into PostGIS's, is in a dump.
_FILLED = (
    "SELECT format('{}', CASE relkind WHEN 'S' THEN 'UPDATE ON SEQUENCE' ELSE 'INSERT ON' END, pg_class.oid::regclass,"
    " {}) FROM pg_extension, unnest(extconfig) AS filled JOIN pg_class ON pg_class.oid = filled \\gexec"
)
_ENTRY = re.compile(r"\d+; \d+ \d+ ")
_EXTENSION, _SCHEMA = (re.compile(f"{_ENTRY.pattern}{kind} - ") for kind in ("EXTENSION", "SCHEMA"))
# Entries of a dump that only a superuser may restore; extensions are made before.
_NOT_RESTORED = re.compile(
    r"\d+; \d+ \d+ (EXTENSION - |COMMENT - EXTENSION |SCHEMA - public |COMMENT - SCHEMA public |EVENT TRIGGER |ACL |"
    r"DEFAULT ACL |PUBLICATION |SUBSCRIPTION )"
)
_DUMPED_BY = re.compile(r"^; +Dumped by pg_dump version: (\d+)", re.MULTILINE)
# The first that a pg_restore since 17 says, and that a server before it does not know.
_NEWER = "Command was: SET transaction_timeout = 0;"
_UNREADABLE = "in file header"
_ONE_ERROR = "errors ignored on restore: 1\n"
_COUNTED = " ".join(COUNTS.split()) + "\n" + _EXTENSIONS
Counts = Mapping[str, int]


class Quiet(Step[None]):
    """A step for what is dropped again: only its end is told."""

    def say(self, text: str) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Session:
    """A session of psql's, as the cluster's superuser: a transaction in it stays open from one question to the next."""

    name: str
    process: subprocess.Popen[str]

    def ask(self, text: str, lines: int) -> list[str]:
        """What the statements print. Failure where that is less."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(text)
            self.process.stdin.flush()
        found = [self.process.stdout.readline().strip() for _ in range(lines)]
        if not found[-1]:
            raise Failure(f"database {self.name}", "its tables cannot be read", postgresql.CLUSTERS_TEXT)
        return found


@contextlib.contextmanager
def session(port: int, name: str, sockets: str = SOCKETS) -> Iterator[Session]:
    """A session with this database, for the block."""
    words = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", sockets, "-p", str(port), "-d", name]
    with subprocess.Popen(
        _as_postgres(words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_environment(), cwd="/"
    ) as process:
        yield Session(name, process)
        assert process.stdin is not None
        process.stdin.close()


def dump(
    port: int, name: str, into: Path, sockets: str = SOCKETS, schema: Path | None = None
) -> tuple[Counts, list[str]]:
    """Write the database into a file; the counts of its rows and its extensions, both of the same moment.

    `schema` is where it is written once more, without rows.
    """
    with session(port, name, sockets) as asked:
        text = f"{_OPEN}SHOW server_version_num;\nSELECT pg_export_snapshot();\n{_COUNTED}"
        version, snapshot, counts, extensions = asked.ask(text, 4)
        # A newer one writes what the pg_restore of this version cannot read.
        program = postgresql.program("pg_dump", int(version) // 10000)
        # Not compressed: restic does it, and keeps what has not changed once.
        argv = [program, "-h", sockets, "-p", str(port), "-Fc", "-Z0", f"--snapshot={snapshot}"]
        _pg_dump(argv, name, into)
        if schema:
            _pg_dump([*argv, "--schema-only"], name, schema)
    return json.loads(counts), json.loads(extensions)


def _pg_dump(argv: list[str], name: str, into: Path) -> None:
    with into.open("wb") as file:
        done = subprocess.run(
            _as_postgres([*argv, "--", name]),
            stdout=file,
            stderr=subprocess.PIPE,
            env=_environment(),
            cwd="/",
            check=False,
        )
    if done.returncode:
        fix = postgresql.FREE_SPACE if b"No space left" in done.stderr else postgresql.CLUSTERS_TEXT
        log = done.stderr.decode(errors="replace")
        raise Failure(f"database {name}", f"pg_dump {how_it_ended(done.returncode)}", fix, log)


def counted(port: int, name: str, snapshot: str) -> tuple[Counts, list[str]]:
    """The counts of its rows and its extensions, as a transaction sees them that has exported this snapshot."""
    with session(port, name) as asked:
        text = f"{_OPEN}SET TRANSACTION SNAPSHOT {literal(snapshot)};\n{_COUNTED}"
        counts, extensions = asked.ask(text, 2)
    return json.loads(counts), json.loads(extensions)


def emptied(port: int, name: str, sockets: str) -> list[str]:
    """The tables whose number of rows is another one after recovery."""
    with session(port, name, sockets) as asked:
        found: list[str] = json.loads(asked.ask(_OPEN + " ".join(_EMPTIED.split()) + "\n", 1)[0])
    return found


def count(port: int, name: str) -> Counts:
    """The counts of its rows now."""
    found: Counts = json.loads(postgresql.sql(port, COUNTS, name))
    return found


def restore(step: Step[object], port: int, file: Path, name: str, role: str, extensions: list[str]) -> None:
    """Make a new database of a dump, which `role` owns with all that is in it; it must not exist."""
    listed = contents(file)
    entries = [line for line in listed.splitlines() if _ENTRY.match(line)]
    made = _extensions(file, entries, extensions)
    # Lets in no role but its owner.
    postgresql.create_database(step, port, name, role)
    postgresql.sql(port, f"GRANT ALL ON SCHEMA public TO {identifier(role)};", name)
    # A check of a backup may restore at the same time.
    helper, password = _helper(name), secrets.token_hex(32)
    drop_helper = f"DROP ROLE IF EXISTS {identifier(helper)};"
    make_helper = f"CREATE ROLE {identifier(helper)} LOGIN PASSWORD {passwords.in_sql(scram.verifier(password))};"
    postgresql.sql(port, f"{drop_helper}\n{make_helper}\nGRANT {identifier(role)} TO {identifier(helper)};")
    try:
        words = ["-h", "127.0.0.1", "-p", str(port), "-U", helper, "-d", name, f"--role={role}"]
        words += ["--no-owner", "--no-privileges"]
        dumped_by = _DUMPED_BY.search(listed)
        # An older one than the dump cannot read it.
        program = postgresql.program("pg_restore", max(postgresql.version(port), int(dumped_by[1]) if dumped_by else 0))
        wanted = [line for line in entries if not _NOT_RESTORED.match(line)]
        # Extensions may be in them.
        schemas = [line for line in wanted if made and _SCHEMA.match(line)]
        _fill([program, *words], file, schemas, password)
        if made:
            granted = _FILLED.format("GRANT %s %s TO %I", literal(role))
            postgresql.sql(port, "\n".join([postgresql.MAKING, *made, granted]), name)
        _fill([program, *words], file, [line for line in wanted if line not in schemas], password)
        if made:
            postgresql.sql(port, _FILLED.format("REVOKE %s %s FROM %I", literal(role)), name)
    finally:
        postgresql.sql(port, drop_helper)


def _extensions(file: Path, entries: list[str], names: list[str]) -> list[str]:
    """The statements that make these: each where it was, and after those that it needs, as a dump has them."""
    found = [line for line in entries if _EXTENSION.match(line)] if names else []
    text = _read(["--file=-"], file, found) if found else ""
    placed = {_plain(name): f" SCHEMA {schema}" for name, schema in _PLACED.findall(text)}
    ordered = sorted(names, key=[*placed, *names].index)
    return [f"CREATE EXTENSION IF NOT EXISTS {identifier(name)}{placed.get(name, '')} CASCADE;" for name in ordered]


def _plain(name: str) -> str:
    """The name without the quotes that it has in SQL where it needs them."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def contents(file: Path) -> str:
    """What pg_restore says is in a dump."""
    return _read(["--list"], file)


def _read(words: list[str], file: Path, entries: Sequence[str] = ()) -> str:
    done = _pg_restore([postgresql.program("pg_restore"), *words], file, entries)
    if done.returncode:
        raise _failure(done)
    return done.stdout


def drop(port: int, name: str) -> None:
    """Drop a database of our own making, if it is there, and what is left of a restore that was cut off."""
    text = f"DROP DATABASE IF EXISTS {identifier(name)} WITH (FORCE);\nDROP ROLE IF EXISTS {identifier(_helper(name))};"
    postgresql.sql(port, text, thing=f"database {name}")


def scratch(project: ProjectPaths, what: str) -> str:
    """The database that a copy or a backup is restored into; `what` is `check` or `new`."""
    return f"codesensei_{what}_{project.slug}"


def sweep(project: ProjectPaths, port: int) -> list[str]:
    """Drop those that a run which was killed has left, with their roles; returns what to say of it."""
    names = [scratch(project, what) for what in ("check", "new")]
    left = [f"database {name}" for name in names if exists(port, name)]
    for name in names:
        drop(port, name)
    return left


def _helper(name: str) -> str:
    """The role that restores this database."""
    return f"{name[:55]}_restore"


def exists(port: int, name: str) -> bool:
    """Whether there is a database of this name."""
    return bool(postgresql.rows(port, f"SELECT 1 FROM pg_database WHERE datname = {literal(name)}"))


def size(port: int, name: str) -> int:
    """Its bytes on the disk."""
    return int(postgresql.sql(port, f"SELECT pg_database_size({literal(name)});"))


def _fill(words: list[str], file: Path, entries: list[str], password: str) -> None:
    """Restore these entries of a dump. Failure with the first error."""
    if not entries:
        return
    done = _pg_restore([*words, "--exit-on-error"], file, entries, password)
    if done.returncode and _NEWER in done.stderr:
        # No option leaves it out.
        done = _pg_restore(words, file, entries, password)
        if _NEWER in done.stderr and done.stderr.endswith(_ONE_ERROR):
            return
    if done.returncode:
        raise _failure(done)


def _failure(done: subprocess.CompletedProcess[str]) -> Failure:
    fix = postgresql.FREE_SPACE if postgresql.NO_SPACE in done.stderr else ""
    if _UNREADABLE in done.stderr:
        fix = "it was made by a newer pg_dump: install the postgresql-client of that version on this server"
    return Failure("copy of the database", f"pg_restore {how_it_ended(done.returncode)}", fix, done.stderr)


def _pg_restore(
    words: list[str], file: Path, entries: Sequence[str] = (), password: str = ""
) -> subprocess.CompletedProcess[str]:
    """As nobody: it reads what root has opened, and logs in as any client does."""
    argv = [*WITH_CALLER, "--reuid=nobody", "--regid=nogroup", "--clear-groups", *words]
    chosen = file.with_suffix(".list") if entries else file
    if entries:
        chosen.write_text("".join(f"{line}\n" for line in entries))
        # Who reads it by its descriptor has no way to it but that.
        chosen.chmod(0o644)
    with file.open("rb") as stdin, chosen.open("rb") as listed:
        return subprocess.run(
            [*argv, *(["-L", f"/dev/fd/{listed.fileno()}"] if entries else [])],
            stdin=stdin,
            pass_fds=(listed.fileno(),),
            capture_output=True,
            text=True,
            errors="replace",
            env={**_environment(), "PGPASSWORD": password},
            cwd="/",
            check=False,
        )


def _as_postgres(words: list[str]) -> list[str]:
    return [*WITH_CALLER, "--reuid=postgres", "--regid=postgres", "--init-groups", *words]


def _environment() -> dict[str, str]:
    return {"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8"}
