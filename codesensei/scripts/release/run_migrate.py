"""Runs inside the project's own Python, as the app user: what follows SECONDS, LONGEST and DEFAULTS is for manage.py.

On PostgreSQL it waits for a lock no longer than SECONDS (0: for ever), and tells of indexes that are invalid. The limit
is set on the open connection, because poolers refuse it as a start-up option. A migration that holds its own locks for
longer than LONGEST seconds (0: there is no bound) is cancelled. Who holds the lock for which one waits is told, and of
one that does not get its lock whether all of it was rolled back.

DEFAULTS is JSON: whether to `keep` the defaults of new columns in the database of `alias`, the tables and columns where
they are `kept` already, and those where they are to `drop`. With a `copy` all of it is a rehearsal on that.
"""

import contextlib
import importlib
import json
import os
import re
import runpy
import signal
import sys
import threading
import time
from typing import Any

sys.path.pop(0)
sys.path.insert(0, os.getcwd())

from django.apps import apps
from django.db import connections, models, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.signals import connection_created
from django.db.migrations.executor import MigrationExecutor

# One that is just being made is no leftover. A partitioned one may be meant to be invalid.
INVALID = """
    SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE NOT indisvalid AND relkind = 'i'
    AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE index_relid = indexrelid)
"""
IDLE = 0
PLACEHOLDER = "example.com"
# Django names columns as they are, so those of the schemas that it looks in.
COLUMN = """
    SELECT FROM information_schema.columns
    WHERE table_schema = ANY (current_schemas(false)) AND table_name = %s AND column_name = %s
"""
locks = runpy.run_path(os.path.join(os.path.dirname(os.path.abspath(__file__)), "watch_locks.py"))
# How often a migration's time is looked at, and how often it is cancelled again.
TICK, AGAIN = 0.2, 1.0
seconds, longest = map(int, sys.argv[1:3])
defaults = json.loads(sys.argv[3])
kept = {tuple(column) for column in defaults["kept"]}
dropped: list[list[str]] = []
before: dict[str, list[str]] = {}
refused: list[str] = []
# The migrations that run, each since when: one, or another inside it. Those that were cancelled, in one transaction or
# in parts. Which kind of database has no bound.
running: list[tuple[str, float]] = []
over: list[str] = []
partly: list[str] = []
unbounded: list[str] = []
watches: list[Any] = []
# The migration that did not get a lock, and what keeps each that runs from being rolled back as a whole.
locked: list[dict[str, Any]] = []
ended: list[str] = []
ENDS = re.compile(r"(?:^|;)\s*(?:COMMIT|ROLLBACK(?!\s+TO))\b", re.IGNORECASE)


def invalid(connection: Any) -> list[str]:
    # A database may only speak as PostgreSQL does.
    with contextlib.suppress(Exception), connection.cursor() as cursor:
        cursor.execute(INVALID)
        return sorted(row[0] for row in cursor.fetchall())
    return []


def connected(connection: Any, **_: Any) -> None:
    if connection.vendor != "postgresql" or threading.current_thread().name == locks["THREAD"]:
        return
    if all(watch.connection is not connection for watch in watches):
        watches.append(locks["Watch"](connections, connection, running, seconds))
        connection.execute_wrappers.append(note_end)
    if seconds:
        try:
            limit(connection)
        except Exception as error:  # noqa: BLE001  # whatever refuses it, migrations can do without
            refused.append(str(error).strip())
    if connection.alias not in before:
        before[connection.alias] = invalid(connection)
        if connection.alias == defaults["alias"]:
            drop_defaults(connection)
    if connection.alias == defaults["alias"] and (defaults["keep"] or kept):
        keep_defaults(connection)


def limit(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        # A pooler names another process. What a session sets there would stay for the site's own queries.
        if cursor.fetchone()[0] == connection.connection.info.backend_pid:
            cursor.execute(f"SET lock_timeout = '{seconds}s'")
        elif limit_transaction not in connection.execute_wrappers:
            connection.execute_wrappers.append(limit_transaction)


def limit_transaction(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
    raw = context["connection"].connection
    if raw.info.transaction_status == IDLE and not raw.autocommit:
        with raw.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{seconds}s'")
    return execute(sql, params, many, context)


def drop_defaults(connection: Any) -> None:
    """Each on its own: one that has to wait too long stays until the next time. What models say themselves stays."""
    fields = [(model._meta.db_table, field) for model in apps.get_models() for field in model._meta.local_fields]
    own = {(table, field.column) for table, field in fields if is_own(field)}
    for table, column in defaults["drop"]:
        with contextlib.suppress(Exception), transaction.atomic(connection.alias), connection.cursor() as cursor:
            cursor.execute(COLUMN, [table, column])
            if cursor.fetchone() is not None and (table, column) not in own:
                cursor.execute(f"{altering(connection, table, column)} DROP DEFAULT")
            dropped.append([table, column])


def is_own(field: Any) -> bool:
    """Whether the project gives the column a default of the database itself."""
    return getattr(field, "db_default", models.NOT_PROVIDED) is not models.NOT_PROVIDED


def is_plain(field: Any) -> bool:
    """Whether rows need a value in the column that the project's own code alone gives."""
    return bool(field.column) and not (
        field.null or field.unique or getattr(field, "generated", False) or is_own(field)
    )


def forget(here: tuple[str, str]) -> None:
    if here in kept:
        kept.discard(here)
        dropped.append([*here])


def altering(connection: Any, table: str, column: str) -> str:
    quote = connection.ops.quote_name
    return f"ALTER TABLE {quote(table)} ALTER COLUMN {quote(column)}"


def keep_defaults(connection: Any) -> None:
    """Its editor of the schema leaves the default that it fills a new column with."""
    if connection.SchemaEditorClass.__module__ == __name__:
        return
    # Tables and columns of this run.
    made, added = set[str](), set[tuple[str, str]]()

    def keep(editor: Any, model: Any, field: Any) -> None:
        table, column = model._meta.db_table, field.column
        if is_plain(field) and (value := editor.effective_default(field)) is not None:
            editor.execute(altering(connection, table, column).replace("%", "%%") + " SET DEFAULT %s", [value])
            kept.add((table, column))

    def stays(editor: Any, old: Any, new: Any) -> bool:
        """Whether the value in the database is all that there is, and fits the column still."""
        types = [(field.get_internal_type(), field.db_type(connection)) for field in (old, new)]
        return is_plain(new) and editor.effective_default(new) is None and types[0] == types[1]

    class Editor(connection.SchemaEditorClass):  # type: ignore[misc]
        def create_model(self, model: Any) -> None:
            super().create_model(model)
            made.add(model._meta.db_table)

        def add_field(self, model: Any, field: Any) -> None:
            # In one transaction, also of a migration that has none: meanwhile rows come.
            with transaction.atomic(connection.alias):
                super().add_field(model, field)
                # One that was noted is of a migration that was rolled back.
                forget((model._meta.db_table, field.column))
                if defaults["keep"] and model._meta.db_table not in made:
                    added.add((model._meta.db_table, field.column))
                    keep(self, model, field)

        def alter_field(self, model: Any, old_field: Any, new_field: Any, strict: bool = False) -> None:
            table, here = model._meta.db_table, (model._meta.db_table, old_field.column)
            if here not in kept | added:
                super().alter_field(model, old_field, new_field, strict)
                return
            with transaction.atomic(connection.alias):
                if here in kept and stays(self, old_field, new_field):
                    super().alter_field(model, old_field, new_field, strict)
                    forget(here)
                    kept.add((table, new_field.column))
                    return
                if here in kept and not is_own(old_field):
                    # Django knows nothing of it, and it may not fit another type.
                    self.execute(f"{altering(connection, *here)} DROP DEFAULT")
                forget(here)
                super().alter_field(model, old_field, new_field, strict)
                added.add((table, new_field.column))
                keep(self, model, new_field)

    connection.SchemaEditorClass = Editor


class TooLong(Exception):
    """The migration has taken longer than it may."""


class Bound:
    """The time that a migration may take: in one transaction all of it, else each transaction on its own.

    When it is over, what is asked of the database is cancelled, and whatever is asked then is refused. A thread of its
    own cancels, because a driver may wait in C; it interrupts Python code by a signal, because that has nothing to be
    cancelled.
    """

    def __init__(self, connection: Any, label: str, atomic: bool) -> None:
        self.connection, self.label, self.atomic = connection, label, atomic
        self.lock, self.ended = threading.Lock(), threading.Event()
        # Whether a statement is under way, or the transaction ends.
        self.asks = self.ends = self.is_over = False
        self.since = time.monotonic() if atomic else None
        self.before = signal.signal(signal.SIGALRM, self.interrupt)
        connection.execute_wrappers.append(self.ask)
        threading.Thread(target=self.watch, daemon=True).start()

    def idles(self) -> bool:
        raw = self.connection.connection
        return raw is None or raw.info.transaction_status == IDLE

    def ask(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        """Run a statement while there is time."""
        with self.lock:
            if not self.atomic and self.idles():
                # For what is made concurrently nobody waits.
                self.since = None if " CONCURRENTLY " in str(sql) else time.monotonic()
            self.asks = True
        try:
            if self.is_over:
                raise TooLong
            return execute(sql, params, many, context)
        finally:
            self.asks = self.ends

    def watch(self) -> None:
        while not self.ended.wait(AGAIN if self.is_over else TICK):
            with self.lock:
                if not self.atomic and not self.asks and self.idles():
                    self.since = None
                if self.since is not None and time.monotonic() - self.since >= longest:
                    self.is_over = True
                if self.is_over and not self.ended.is_set():
                    self.stop()

    def stop(self) -> None:
        if self.asks:
            # Without it the next attempt, or the statement's own end, is what remains.
            with contextlib.suppress(Exception):
                raw = self.connection.connection
                getattr(raw, "cancel_safe", raw.cancel)()
        else:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)

    def interrupt(self, *_: Any) -> None:
        if self.is_over and not self.asks and not self.ended.is_set():
            raise TooLong

    def end(self) -> None:
        """Cancel nothing any more: the next statement records the migration."""
        with self.lock:
            self.ended.set()
        self.connection.execute_wrappers.remove(self.ask)
        signal.signal(signal.SIGALRM, self.before)
        if self.is_over:
            (over if self.atomic else partly).append(self.label)


def bound_migrations() -> None:
    """Each between the beginning and the end of its transaction: then it is recorded."""
    enter, leave = BaseDatabaseSchemaEditor.__enter__, BaseDatabaseSchemaEditor.__exit__

    def begin(editor: Any) -> Any:
        entered = enter(editor)
        if running and not editor.collect_sql:
            if editor.connection.vendor == "postgresql":
                editor.bound = Bound(editor.connection, running[-1][0], editor.atomic_migration)
            else:
                unbounded.append(editor.connection.vendor)
        return entered

    def finish(editor: Any, kind: Any, error: Any, trace: Any) -> Any:
        bound = getattr(editor, "bound", None)
        if bound is None:
            return leave(editor, kind, error, trace)
        bound.ends = bound.asks = True
        try:
            if bound.is_over and kind is None:
                # It has gone on in spite of all.
                leave(editor, TooLong, TooLong(), None)
                raise TooLong
            return leave(editor, kind, error, trace)
        finally:
            bound.end()

    BaseDatabaseSchemaEditor.__enter__, BaseDatabaseSchemaEditor.__exit__ = begin, finish


def note_end(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
    """Notice a migration that ends the transaction around it by a statement of its own."""
    if running and ENDS.search(str(sql)):
        ended.append("own transaction")
    return execute(sql, params, many, context)


class Counted(list[Any]):
    """The operations of a migration; `done` is the number of those that are over."""

    done = 0

    def __iter__(self) -> Any:
        for self.done, operation in enumerate(super().__iter__()):
            yield operation
        self.done = len(self)

    def told(self) -> dict[str, Any]:
        words = [operation.describe() for operation in list.__iter__(self)]
        at = f"{self.done + 1} of {len(words)} ({words[self.done]})" if self.done < len(words) else ""
        return {"at": at, "done": words[: self.done]}


def follow_migrations() -> None:
    """Keep in `running` which one runs, and in `locked` which one did not get a lock."""
    apply, leave = MigrationExecutor.apply_migration, BaseDatabaseSchemaEditor.__exit__

    def apply_migration(executor: Any, state: Any, migration: Any, *words: Any, **named: Any) -> Any:
        label = f"{migration.app_label}.{migration.name}"
        running.append((label, time.monotonic()))
        operations, before_it, noted = migration.operations, len(ended), (set(kept), [*dropped])
        migration.operations = Counted(operations)
        try:
            result = apply(executor, state, migration, *words, **named)
        except Exception as error:
            why_not = ended[before_it:] if migration.atomic else ["no transaction"]
            if not why_not:
                # The database has them as before.
                kept.clear()
                kept.update(noted[0])
                dropped[:] = noted[1]
            about = {"migration": label, "whyNot": "".join(why_not[:1])}
            locked[:] = [about | migration.operations.told()] if locks["is_timeout"](error) else []
            raise
        else:
            # Whoever has called it went on.
            locked.clear()
            return result
        finally:
            migration.operations = operations
            running.pop()

    def finish(editor: Any, kind: Any, error: Any, trace: Any) -> Any:
        result = leave(editor, kind, error, trace)
        # With another transaction around it, nothing is committed yet.
        if kind is None and running and not editor.collect_sql and not editor.connection.in_atomic_block:
            ended.append("unrecorded")
        return result

    MigrationExecutor.apply_migration, BaseDatabaseSchemaEditor.__exit__ = apply_migration, finish


def placeholder() -> list[str]:
    """The domain of the settings' site, where it is the one with which django.contrib.sites begins."""
    with contextlib.suppress(Exception):
        number = importlib.import_module("django.conf").settings.SITE_ID
        domain = apps.get_model("sites", "Site").objects.get(pk=number).domain
        return [domain] if domain == PLACEHOLDER else []
    return []


rehearsal: dict[str, Any] = {}
if "copy" in defaults:
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run_rehearsal.py")
    rehearsal = runpy.run_path(program)
connection_created.connect(connected)
follow_migrations()
if longest:
    bound_migrations()
sys.argv = ["manage.py", *sys.argv[4:]]
try:
    runpy.run_path(os.path.abspath("manage.py"), run_name="__main__")
finally:
    said: dict[str, list[Any]] = {"refused": refused[:1], "invalid": [], "left": []}
    if rehearsal:
        said["rehearsal"] = rehearsal["told"](sys.exc_info()[1])
    said |= {"over": over[-1:], "partly": partly[-1:], "unbounded": unbounded[:1]}
    said["locked"] = locked
    said["held"] = [held for watch in watches for held in watch.failed]
    said |= {"kept": sorted(map(list, kept)), "dropped": [column for column in dropped if tuple(column) not in kept]}
    for alias, earlier in before.items():
        # What failed may have left it in a transaction.
        connections[alias].close()
        there = invalid(connections[alias])
        said["invalid"] += there
        said["left"] += [name for name in there if name not in earlier]
    if defaults["alias"] == "default":
        said["site"] = placeholder()
    print("\ncodesensei-migrate:" + json.dumps(said))
