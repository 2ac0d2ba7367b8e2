"""Runs inside the project's own Python, as a part of run_migrate.py: a migrate on a copy, which changes nothing else.

DEFAULTS has the `name` of the copy, and the `folder` and the `port` of the socket that leads to it. It takes the place
of the database of `alias`, and no other can be used. `told` is what comes of it.
"""

import contextlib
import errno
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from django.db import connections, utils
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

# Options that fit no socket, or lead elsewhere.
OTHER_WAYS = ("service", "hostaddr", "sslmode", "sslnegotiation", "channel_binding", "gssencmode", "requirepeer")
# What a role may do to the whole cluster, or to sessions in other databases.
BEYOND = re.compile(
    r"\b(?:(?:ALTER|CREATE|DROP|REASSIGN)\s+(?:ROLE|USER|GROUP|DATABASE|TABLESPACE|SUBSCRIPTION|SYSTEM|OWNED)|"
    r"ON\s+DATABASE|pg_(?:terminate|cancel)_backend)\b",
    re.IGNORECASE,
)
# How programs that have no errno of their own say that something cannot be reached, or that there is no room.
UNREACHED = re.compile(
    r"is kept away from a rehearsal|Connection refused|Network is unreachable|Read-only file system"
    r"|No space left on device|Name or service not known|Temporary failure in name resolution"
    r"|Could not connect to the endpoint"
)
ERRORS = {getattr(errno, f"E{name}") for name in "ROFS ACCES PERM CONNREFUSED NETUNREACH HOSTUNREACH NOSPC".split()}
# PostgreSQL has no room or memory left, or is being stopped.
STATES = ("53", "57P")
TICK = 0.1
TABLES = """
    SELECT pg_class.oid FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'm') AND nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
"""
HELD = """
    SELECT DISTINCT relname::text, mode FROM pg_locks JOIN pg_class ON pg_class.oid = relation
    WHERE granted AND pid <> pg_backend_pid() AND relation::bigint = ANY (%s)
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND mode IN ('AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock')
"""
ALL = "AccessExclusiveLock"
# What run_migrate.py was given.
about = json.loads(sys.argv[3])
copy, alias = about["copy"], about["alias"]
real: list[list[str]] = []
joined: list[str] = []
at: list[str] = []
took: dict[str, float] = {}
# The longest time that each table was locked: to readers and writers, and to writers alone.
waits: dict[bool, dict[str, float]] = {True: {}, False: {}}
tried: dict[str, None] = {}
begun, ended = threading.Event(), threading.Event()


class KeptAway(utils.OperationalError):  # type: ignore[misc]
    """What a migration asked for is not there in a rehearsal."""


def place(values: dict[str, Any]) -> list[str]:
    return [str(values.get(key) or "") for key in ("NAME", "HOST", "PORT", "USER")]


def refuse(what: str) -> None:
    tried[what] = None
    raise KeptAway(f"{what} is kept away from a rehearsal")


def lead(connection: Any) -> None:
    """To the copy: other entries of DATABASES may lead to the same database."""
    if not real:
        real.append(place(connections[alias].settings_dict))
    values = connection.settings_dict
    if place(values) == real[0]:
        options = {name: value for name, value in (values.get("OPTIONS") or {}).items() if name not in OTHER_WAYS}
        values.update(NAME=copy["name"], HOST=copy["folder"], PORT=str(copy["port"]), OPTIONS=options)
    elif values["NAME"] != copy["name"]:
        refuse(f"the database {connection.alias}")


def own_alone(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
    if beyond := BEYOND.search(str(sql)):
        refuse(" ".join(beyond[0].split()))
    return execute(sql, params, many, context)


def keep_in() -> None:
    plain = BaseDatabaseWrapper.connect

    def connect(connection: Any) -> None:
        lead(connection)
        if own_alone not in connection.execute_wrappers:
            connection.execute_wrappers.append(own_alone)
        plain(connection)
        joined.append(connection.alias)

    BaseDatabaseWrapper.connect = connect


def hear(event: str, words: tuple[Any, ...]) -> None:
    """Remember what is asked of the network. What a thread of its own reports elsewhere makes no migration fail."""
    if event not in ("socket.connect", "socket.getaddrinfo") or threading.current_thread() is not main:
        return
    asked = words[1] if event == "socket.connect" else words
    # The address of a Unix socket is a text.
    if isinstance(asked, tuple) and not ended.is_set():
        tried[f"{asked[0]}:{asked[1]}"] = None


def measure() -> None:
    """The time of each migration, and from the first one on who would have to wait."""
    apply = MigrationExecutor.apply_migration

    def apply_migration(executor: Any, state: Any, migration: Any, *words: Any, **named: Any) -> Any:
        if not at and not took:
            threading.Thread(target=watch, daemon=True).start()
            begun.wait(5)
        label, started = f"{migration.app_label}.{migration.name}", time.monotonic()
        at.append(label)
        result = apply(executor, state, migration, *words, **named)
        at.pop()
        took[label] = took.get(label, 0) + time.monotonic() - started
        return result

    MigrationExecutor.apply_migration = apply_migration


def watch() -> None:
    """Look again and again which tables of before are locked; a connection is a thread's own."""
    since: dict[tuple[str, bool], float] = {}
    with contextlib.suppress(Exception), connections[alias].cursor() as cursor:
        cursor.execute(TABLES)
        there = [row[0] for row in cursor.fetchall()]
        before = time.monotonic()
        begun.set()
        while not ended.wait(TICK):
            cursor.execute(HELD, [there])
            found = {(name, mode == ALL) for name, mode in cursor.fetchall()}
            now = time.monotonic()
            since = {key: since.get(key, before) for key in found}
            for (name, both), begin in since.items():
                waits[both][name] = max(waits[both].get(name, 0), now - begin)
            before = now
    begun.set()


def chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    while error and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__


def away(error: BaseException | None) -> str:
    """What a failure comes from that is kept away, or that only this copy lacks."""
    for one in chain(error):
        state = str(getattr(one, "sqlstate", None) or getattr(one, "pgcode", None) or "")
        is_unreached = isinstance(one, (KeptAway, socket.gaierror)) or getattr(one, "errno", None) in ERRORS
        if is_unreached or state.startswith(STATES) or UNREACHED.search(str(one)):
            return " ".join(str(one).split())[:200] or type(one).__name__
    return ""


def rounded(seconds: dict[str, float]) -> dict[str, float]:
    return {name: round(each, 1) for name, each in seconds.items()}


def told(error: BaseException | None) -> dict[str, Any]:
    """What the step is told, after the last migration."""
    ended.set()
    return {
        "joined": bool(joined),
        "at": at[-1] if at else "",
        "took": rounded(took),
        "closed": rounded(waits[True]),
        "readable": rounded(waits[False]),
        "tried": [*tried][:5],
        "away": away(error),
    }


main = threading.main_thread()
keep_in()
measure()
sys.addaudithook(hear)
