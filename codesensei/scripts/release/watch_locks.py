"""Who holds the lock in PostgreSQL that a migration waits for.

A part of run_migrate.py: runs in the project's Python as the app user. It asks only while a statement takes long, over
a connection of its own, as the project's role: of its own sessions that role sees all, of others who they are.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

TELLS = "codesensei-waits:"
THREAD = "codesensei-locks"
# How often it is looked whether a statement takes long; how long is long; the longest pause between two questions.
TICK, PATIENCE, PAUSE = 0.2, 2.0, 30.0
# Behind a pooler the process that waits is not known; then its statement tells it, up to what is filled in there.
LEAST, MOST = 20, 200
SHOWN = 3
# What PostgreSQL says whatever its language: lock_not_available.
TIMEOUT = "55P03"
# Of the holder's statement only the first word: there may be secrets in the rest.
HOLDERS = r"""
    SELECT w.pid, l.locktype, l.relation::regclass::text, b.pid, h.usename, h.application_name, host(h.client_addr),
        h.state, extract(epoch FROM clock_timestamp() - h.state_change), substring(h.query FROM '^\s*([A-Za-z]+)')
    FROM pg_stat_activity w
    JOIN pg_locks l ON l.pid = w.pid AND NOT l.granted
    CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) b (pid)
    LEFT JOIN pg_stat_activity h ON h.pid = b.pid
    WHERE w.usename = session_user AND w.datname = current_database() AND (w.pid = %s OR left(w.query, %s) = %s)
    ORDER BY w.pid <> %s, w.pid, h.wait_event_type IS NOT DISTINCT FROM 'Lock', h.state_change
"""
OTHER_LOCKS = {
    "transactionid": "a row that another transaction has changed",
    "virtualxid": "an older transaction",
    "advisory": "an advisory lock",
}


class Watch:
    """One connection of migrate: `held` is who holds up its statement, `failed` who held up the last that has failed.

    `running` is the migrations that run, each with the time when it began.
    """

    def __init__(self, connections: Any, connection: Any, running: Sequence[tuple[str, float]], seconds: int) -> None:
        self.connections, self.connection, self.running = connections, connection, running
        # Well before the database gives up.
        self.patience = min(PATIENCE, seconds / 2) if seconds else PATIENCE
        self.statement, self.since = "", 0.0
        self.held: list[dict[str, Any]] = []
        self.failed = self.held
        self.told: set[tuple[str, int]] = set()
        connection.execute_wrappers.append(self.ask)
        threading.Thread(target=self.watch, name=THREAD, daemon=True).start()

    def ask(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        self.statement, self.held, self.since = str(sql), [], time.monotonic()
        try:
            return execute(sql, params, many, context)
        except BaseException:
            self.failed = self.held or self.failed
            raise
        finally:
            self.since = 0.0

    def watch(self) -> None:
        statement = due = pause = 0.0
        while True:
            time.sleep(TICK)
            since = self.since
            if since != statement:
                statement, due, pause = since, since + self.patience, self.patience
            if since and time.monotonic() >= due:
                # Without an answer the migration goes on as it would.
                with suppress(Exception):
                    self.look(since)
                due, pause = time.monotonic() + pause, min(2 * pause, PAUSE)

    def look(self, since: float) -> None:
        """Ask who holds the lock, if there is one, that the statement since then waits for; tell of new ones."""
        process = self.connection.connection.info.backend_pid
        begins = self.statement.partition("%")[0][:MOST]
        # This thread has its own.
        other = self.connections[self.connection.alias]
        try:
            with other.cursor() as cursor:
                known = begins if len(begins) >= LEAST else None
                cursor.execute(HOLDERS, [process, len(begins), known, process])
                rows = cursor.fetchall()
        finally:
            other.close()
        if since != self.since:
            return
        ours = [row[1:] for row in rows if row[0] == rows[0][0]]
        self.held = [{"lock": lock(*row[:2]), "text": holder(*row[2:]), "process": row[2]} for row in ours[:SHOWN]]
        migration, began = self.running[-1] if self.running else ("migrate", since)
        holders = {(migration, held["process"]) for held in self.held}
        if holders - self.told:
            self.told |= holders
            by = " and ".join(held["text"] for held in self.held)
            after = spoken(time.monotonic() - began)
            tell(f"{migration}, after {after}, waits for {self.held[0]['lock']}, held by {by}")


def is_timeout(error: BaseException | None) -> bool:
    """Whether it comes from a statement that did not get a lock in time."""
    seen: list[BaseException] = []
    while error and error not in seen:
        if TIMEOUT in (getattr(error, "sqlstate", None), getattr(error, "pgcode", None)):
            return True
        seen.append(error)
        error = error.__cause__ or error.__context__
    return False


def lock(kind: str, relation: str | None) -> str:
    """What is waited for."""
    if kind in OTHER_LOCKS or not relation:
        return OTHER_LOCKS.get(kind, "a lock")
    return f"a row of {relation}" if kind == "tuple" else f"a lock on {relation}"


def holder(
    process: int, role: str | None, program: str | None, client: str | None, state: str | None, for_: Any, word: Any
) -> str:
    """Who holds a lock, in words; of another role's session, its state is not known."""
    if not process:
        return "a prepared transaction (pg_prepared_xacts)"
    about = [f"role {role}"] if role else []
    about += [program] if program else []
    about += [f"from {client}"] if client else []
    about += [f"{state} for {spoken(float(for_))}"] if state and for_ is not None else []
    about += [f"last command {word.upper()}"] if word else []
    return f"process {process}" + (f" ({', '.join(about)})" if about else "")


def spoken(seconds: float) -> str:
    """A time as people say it."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def tell(text: str) -> None:
    """Say it at once, also in the middle of a line of migrate's: past its buffer."""
    with suppress(OSError):
        os.write(1, f"{TELLS}{' '.join(text.split())}\n".encode(errors="replace"))
