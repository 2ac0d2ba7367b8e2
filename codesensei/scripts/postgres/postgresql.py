"""The server's own PostgreSQL: its clusters, and statements sent to them as their superuser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from codesensei.scripts.base import commands, units
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Failure, Step
from codesensei.wire import paths
from codesensei.wire.quick import dataclass

PORT = 5432
# It starts every cluster when the server boots.
UNIT = "postgresql.service"
# Whatever the cluster logs, no statement of ours enters its log: they carry verifiers.
QUIET = (
    "SET log_statement = 'none'; SET log_min_duration_statement = -1; SET log_min_error_statement = 'panic';"
    " SET log_duration = off; SET log_min_duration_sample = -1; SET log_transaction_sample_rate = 0;"
    " SET debug_print_parse = off; SET debug_print_rewritten = off; SET debug_print_plan = off;"
    " SET pg_stat_statements.track_utility = off; SET client_min_messages = 'warning';\n\\set VERBOSITY terse\n"
)
_RESTRICT = (
    "SELECT set_config(name, '{kinds}', false) FROM pg_settings"
    " WHERE name = 'restrict_nonsystem_relation_kind' \\g /dev/null\n"
)
# A superuser runs no code of a project's: no function of its own stands in for one of PostgreSQL's, and no view takes a
# table's place meanwhile. So pg_dump does it, with what all versions since August 2024 have.
GUARDED = f"SET search_path = pg_catalog;\n{_RESTRICT.format(kinds='view, foreign-table')}"
# Before an extension, which brings things of its own.
MAKING = f"SET search_path = public;\n{_RESTRICT.format(kinds='')}"
CLUSTERS_TEXT = "look at the cluster on the server: pg_lsclusters"


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL cluster as pg_lsclusters has it."""

    version: str
    name: str
    port: int
    online: bool


def identifier(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + _held(name).replace('"', '""') + '"'


def literal(value: str) -> str:
    """`value` as an SQL string, read the same whatever standard_conforming_strings says."""
    text = "'" + _held(value).replace("'", "''") + "'"
    return " E" + text.replace("\\", "\\\\") if "\\" in text else text


def _held(text: str) -> str:
    if "\0" in text:
        raise Failure("database", "a name or value has a NUL character", "take it out")
    return text


def ensure_cluster(step: Step[object], port: int = PORT) -> int:
    """Start the cluster of this port when it is down; returns the port. Failure when there are only others."""
    found = clusters()
    if not found and (server := _newest("postgres")):
        version = server.parts[-3]
        # Debian's package makes none where the environment names a locale that the server does not have.
        argv = ["pg_createcluster", "--locale", "C.UTF-8", "--port", str(port), version, "main"]
        commands.run(argv, thing="PostgreSQL", fix=CLUSTERS_TEXT)
        step.changed(f"PostgreSQL had no cluster: {version}/main made, with the locale C.UTF-8")
        found = clusters()
    chosen = next((cluster for cluster in found if cluster.port == port), None)
    if chosen is None:
        there = ", ".join(f"{item.version}/{item.name} at {item.port}" for item in found) or "none"
        fix = "name the cluster's port in DATABASE_URL, or give the cluster this port in its postgresql.conf"
        raise Failure("PostgreSQL", f"no cluster of this server has port {port} (there is: {there})", fix)
    if not chosen.online:
        unit = f"postgresql@{chosen.version}-{chosen.name}.service"
        if not systemctl("start", unit, check=False).ok:
            log = commands.run(["journalctl", "-u", unit, "-n", "20", "--no-pager", "-o", "cat"], check=False)
            cause = f"the cluster {chosen.version}/{chosen.name} does not start"
            raise Failure("PostgreSQL", cause, CLUSTERS_TEXT, log.stdout)
        step.changed(f"PostgreSQL cluster {chosen.version}/{chosen.name} started")
    return port


def start_at_boot(step: Step[object]) -> None:
    """Have PostgreSQL start with the server, where somebody has ended that."""
    if any(units.amiss(UNIT)):
        systemctl("enable", "--now", "--quiet", UNIT)
        step.changed("PostgreSQL starts with the server again")


# What psql and PostgreSQL call an error; the statement itself is not in it.
_SAID = re.compile(r"^(?:psql:(?:<stdin>:\d+:)? *)?(?:ERROR|FATAL|PANIC|error): +(.+)$", re.MULTILINE)
NO_SPACE = "No space left on device"
LET_ROOT_IN = "write as the first line of pg_hba.conf: local all postgres peer; then: systemctl reload postgresql"
FREE_SPACE = "free some space on the server (df -h), then run pulumi up again"


def _newest(program: str) -> Path | None:
    """A program of the newest PostgreSQL that has it here."""
    found = paths.SERVER.postgresql_programs.glob(f"[1-9]*/bin/{program}")
    return max(found, key=lambda path: [int(part) for part in path.parts[-3].split(".")], default=None)


def program(name: str, version: int = 0) -> str:
    """A client program of this version, or of the newest where that one is not here.

    The one of that name in PATH is Debian's, which takes the newest of all, or that of another cluster.
    """
    own = paths.SERVER.postgresql_programs / str(version) / "bin" / name
    return str(own if own.exists() else _newest(name) or name)


def clusters() -> list[Cluster]:
    """All clusters of this server; empty where there is no PostgreSQL."""
    try:
        listed = commands.run(["pg_lsclusters", "-h"], check=False).stdout
    except Failure:
        return []
    return [
        Cluster(words[0], words[1], int(words[2]), words[3].startswith("online"))
        for line in listed.splitlines()
        if len(words := line.split()) >= 4
    ]


def sql(port: int, text: str, database: str = "postgres", thing: str = "PostgreSQL") -> str:
    """Run statements as the cluster's superuser, from standard input; returns what psql prints, unaligned.

    They are guarded from what a project has in the database; names in it need their schema.
    """
    argv = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", program("psql"), "-X", "-q", "-A", "-t"]
    argv += ["-v", "ON_ERROR_STOP=1", "-h", "/var/run/postgresql", "-p", str(port), "-d", database, "-f", "-"]
    done = commands.run(
        argv, input=f"{QUIET}{GUARDED}{text}\n", timeout=600, thing=thing, fix=CLUSTERS_TEXT, check=False
    )
    if done.ok:
        return done.stdout
    said = _SAID.findall(done.stderr)
    known = {NO_SPACE: FREE_SPACE, "pg_hba.conf": LET_ROOT_IN}
    fix = next((fix for words, fix in known.items() if any(words in line for line in said)), CLUSTERS_TEXT)
    raise Failure(thing, f"psql: {said[-1]}" if said else f"psql {commands.how_it_ended(done.code)}", fix, done.stderr)


def version(port: int) -> int:
    """The major version of the cluster."""
    return int(sql(port, "SHOW server_version_num;")) // 10000


def rows(port: int, query: str, database: str = "postgres") -> list[dict[str, Any]]:
    """The rows of a query, by column."""
    text = sql(port, f"SELECT coalesce(json_agg(found), '[]'::json) FROM ({query}) AS found;", database)
    found: list[dict[str, Any]] = json.loads(text)
    return found


def create_database(step: Step[object], port: int, name: str, role: str) -> None:
    """An empty database in UTF-8 that its owner alone may connect to."""
    query = "SELECT pg_encoding_to_char(encoding) AS encoding FROM pg_database WHERE datname = 'template0'"
    template = rows(port, query)
    # The cluster's own locale where it can hold UTF-8; every supported system has C.UTF-8.
    locale = "" if template[0]["encoding"] == "UTF8" else " LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'"
    create = f"CREATE DATABASE {identifier(name)} OWNER {identifier(role)} TEMPLATE template0 ENCODING 'UTF8'{locale}"
    sql(port, f"{create} ALLOW_CONNECTIONS false;", thing=f"database {name}")
    open_database(port, name)
    step.changed(f"database {name} made")


def is_closed(port: int, name: str) -> bool:
    """Whether a database is there and takes no connection: while it is made, and while a restore changes its name."""
    return bool(rows(port, f"SELECT 1 FROM pg_database WHERE datname = {literal(name)} AND NOT datallowconn"))


def open_database(port: int, name: str) -> None:
    """Let in its owner and no other role. Until then it is closed, so the next run completes one that was cut off."""
    quoted = identifier(name)
    text = f"REVOKE CONNECT, TEMPORARY ON DATABASE {quoted} FROM PUBLIC;\n"
    sql(port, f"{text}ALTER DATABASE {quoted} ALLOW_CONNECTIONS true;", thing=f"database {name}")
