"""manage.py under a limit for locks, with a Django of a few lines: which statements go where."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.release import migrate, watch_locks

pytestmark = pytest.mark.slow

# As much of Django, and of what is below it, as the program touches. Statements are printed as they are run.
DJANGO = """
import contextlib, json, os, threading, types
HOW = json.loads(os.environ["HOW"])
class Raw:
    autocommit = True
    cancelled = threading.Event()
    class info:
        backend_pid = 7
        transaction_status = 0
    def cursor(self):
        return Cursor()
    def cancel(self):
        self.cancelled.set()
class Cursor:
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass
    def execute(self, sql, params=()):
        print("SQL", " ".join(sql.split()), *params)
        if "pg_blocking_pids" in sql:
            self.rows = [tuple(row) for row in HOW["holders"][min(len(asked), len(HOW["holders"]) - 1)]]
            asked.append(params)
            enough.set() if len(asked) > len(HOW["holders"]) else None
            return
        self.rows = [(HOW["pid"],)] if "backend_pid" in sql else [(name,) for name in invalid[0]]
        if "information_schema" in sql:
            self.rows = [()] if params[1] in HOW["there"] else []
        if HOW["refuses"] and "lock_timeout" in sql:
            raise ValueError("unknown parameter")
    def fetchone(self):
        return next(iter(self.rows), None)
    def fetchall(self):
        return self.rows
class Editor:
    def create_model(self, model):
        print("SQL CREATE", model._meta.db_table)
    def add_field(self, model, field):
        print("SQL ADD", field.column)
    def alter_field(self, model, old, new, strict):
        print("SQL ALTER", old.column, new.column)
    def effective_default(self, field):
        return field.value
    def execute(self, sql, params=()):
        print("SQL", sql % tuple(params) if params else sql)
class Connection:
    def __init__(self):
        self.alias, self.vendor, self.connection, self.execute_wrappers = "default", HOW["vendor"], Raw(), []
        self.SchemaEditorClass, self.ops, self.in_atomic_block = Editor, self, False
    def quote_name(self, name):
        return f'"{name}"'
    def cursor(self):
        return Cursor()
    def close(self):
        print("CLOSED")
    def execute(self, sql):
        run = lambda sql, *_: print("SQL", sql)
        for wrapper in reversed(self.execute_wrappers):
            run = (lambda inner, outer: lambda *words: outer(inner, *words[:3], {"connection": self}))(run, wrapper)
        run(sql, None, False) if self.execute_wrappers else run(sql)
class Locked(Exception):
    sqlstate = "55P03"
class Signal:
    def connect(self, receiver):
        self.receiver = receiver
class models:
    NOT_PROVIDED = object()
class Field(types.SimpleNamespace):
    def get_internal_type(self):
        return "Field"
    def db_type(self, connection):
        return self.type
class transaction:
    @contextlib.contextmanager
    def atomic(alias):
        print("SQL BEGIN")
        yield
        print("SQL COMMIT")
invalid, asked, enough = [HOW["before"]], [], threading.Event()
connections, connection_created = {"default": Connection()}, Signal()
"""
SCHEMA = """
from django.db import HOW, Locked
class BaseDatabaseSchemaEditor:
    collect_sql = False
    def __init__(self, connection, atomic):
        self.connection, self.atomic_migration = connection, atomic
    def __enter__(self):
        print("SQL BEGIN")
        return self
    def __exit__(self, kind, *_):
        if HOW["at_commit"] and not kind:
            raise Locked
        print("SQL ROLLBACK" if kind else "SQL COMMIT")
"""
EXECUTOR = """
from django.db import HOW, Locked, connections
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
class MigrationExecutor:
    def apply_migration(self, state, migration):
        with BaseDatabaseSchemaEditor(connections["default"], migration.atomic) as editor:
            for operation in migration.operations:
                operation.work(editor)
            migration.work(editor.connection)
        if HOW["unrecorded"]:
            raise Locked
        print("SQL RECORD")
"""
APPS = """
import json, os, types
class apps:
    def get_model(app, name):
        rows = json.loads(os.environ["HOW"])["sites"]
        get = lambda pk: types.SimpleNamespace(domain=rows[str(pk)])
        return types.SimpleNamespace(objects=types.SimpleNamespace(get=get))
    def get_models():
        for table, column in json.loads(os.environ["HOW"])["own"]:
            field = types.SimpleNamespace(column=column, db_default=1)
            yield types.SimpleNamespace(_meta=types.SimpleNamespace(db_table=table, local_fields=[field]))
"""
MANAGE = """
import sys, types
PLAIN = {"null": False, "unique": False, "value": 3, "type": "integer"}
from django.db import Field, connections, connection_created, invalid, HOW
assert __name__ == "__main__" and sys.argv[1:] == ["migrate", "--noinput"]
import beside
connection = connections["default"]
connection_created.receiver(sender=None, signal=None, connection=connection)
connection.execute("CREATE INDEX")
connection.connection.autocommit = False
connection.execute("CREATE TABLE")
connection.connection.info.transaction_status = 2
connection.execute("ALTER TABLE")
editor = connection.SchemaEditorClass()
for name, table, *fields in HOW["operations"]:
    model = types.SimpleNamespace(_meta=types.SimpleNamespace(db_table=table))
    getattr(editor, name)(model, *(Field(**{**PLAIN, **field}) for field in fields))
invalid[0] = HOW["after"]
sys.exit(HOW["status"])
"""
# A migration that works in one way or another, and another one after it.
WORK = """
import time, types
from django.db import HOW, connection_created, connections, enough
from django.db.migrations.executor import MigrationExecutor
from django.db import Raw
class Cancelled(Exception):
    pass
def one_statement(connection):
    def wait(*_):
        print("SQL WAIT")
        if Raw.cancelled.wait(30):
            raise Cancelled
        print("SQL WAITED TO THE END")
    connection.execute_wrappers[-1](wait, HOW["statement"], None, False, {"connection": connection})
def held_up(connection):
    connection_created.receiver(connection=connection)
    def wait(*_):
        # Once more than there are answers: the last one has been told, too.
        assert enough.wait(30)
        if HOW["fails"]:
            raise Cancelled
    connection.execute_wrappers[0](wait, HOW["statement"], None, False, {"connection": connection})
def many_statements(connection):
    for _ in range(3000):
        connection.execute("UPDATE")
        time.sleep(0.01)
def python_alone(connection):
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        pass
    print("SQL COMPUTED TO THE END")
def nothing_stops_it(connection):
    for _ in range(300):
        try:
            connection.execute("UPDATE")
            time.sleep(0.01)
        except Exception:
            pass
def batches(connection):
    for _ in range(4):
        connection.execute("UPDATE")
        Raw.info.transaction_status = 2
        time.sleep(0.5)
        connection.execute("UPDATE")
        Raw.info.transaction_status = 0
    # Nothing is locked now.
    time.sleep(1.5)
def quick(connection):
    connection.execute("UPDATE")
for name, work in (("0001_x", globals()[HOW["work"]]), ("0002_y", quick)):
    about = {"app_label": "books", "name": name, "atomic": HOW["atomic"], "work": work, "operations": []}
    migration = types.SimpleNamespace(**about)
    MigrationExecutor().apply_migration(None, migration)
# The time of one that has ended goes on for nobody.
print("SQL STOPPED" if Raw.cancelled.wait(HOW.get("waits", 0)) else "SQL LEFT ALONE")
"""
AS_USUAL = {"vendor": "postgresql", "pid": 7, "refuses": False, "before": [], "after": [], "status": 0}
AS_USUAL |= {
    "at_commit": False,
    "unrecorded": False,
    "there": [],
    "operations": [],
    "own": [],
    "sites": {},
    "holders": [[]],
}
NO_DEFAULTS: dict[str, Any] = {"alias": "default", "keep": False, "kept": [], "drop": []}


def run(
    tmp_path: Path,
    seconds: int = 5,
    defaults: dict[str, Any] = NO_DEFAULTS,
    longest: int = 0,
    manage: str = MANAGE,
    **changes: Any,
) -> tuple[list[str], dict[str, list[Any]], int]:
    """What the database was told, what the step is told, and how it ended."""
    how = {**AS_USUAL, **changes}
    (tmp_path / "django/db/backends").mkdir(parents=True)
    for name, text in {
        "django/__init__.py": "",
        "django/apps.py": APPS,
        "django/conf.py": "class settings:\n    SITE_ID = 2\n",
        "django/db/__init__.py": DJANGO,
        "django/db/backends/__init__.py": "",
        "django/db/backends/signals.py": "from django.db import connection_created",
        "django/db/backends/base/__init__.py": "",
        "django/db/backends/base/schema.py": SCHEMA,
        "django/db/migrations/__init__.py": "",
        "django/db/migrations/executor.py": EXECUTOR,
        "beside.py": "",
        "manage.py": manage,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    about = json.dumps({**NO_DEFAULTS, **defaults})
    numbers = (str(seconds), str(longest))
    argv = [sys.executable, "-B", str(migrate.MIGRATE), *numbers, about, "migrate", "--noinput"]
    done = subprocess.run(argv, cwd=tmp_path, env={"HOW": json.dumps(how)}, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    told = [line.removeprefix("SQL ") for line in lines if line.startswith("SQL ") and "pg_index" not in line]
    told += [line for line in lines if line.startswith(watch_locks.TELLS)]
    [answer] = [line.removeprefix(migrate.MIGRATED) for line in lines if line.startswith(migrate.MIGRATED)]
    assert done.stderr == "" or manage in (WORK, LOCKED)
    return told, json.loads(answer), done.returncode


@pytest.mark.proves("migrate.lock-timeout.poolers")
def test_the_limit_is_set_on_the_session(tmp_path: Path) -> None:
    told, said, status = run(tmp_path)
    assert told == [
        "SELECT pg_backend_pid()",
        "SET lock_timeout = '5s'",
        "CREATE INDEX",
        "CREATE TABLE",
        "ALTER TABLE",
    ]
    names = ("refused", "invalid", "left", "over", "partly", "unbounded", "site", "held", "locked")
    nothing: dict[str, list[Any]] = {name: [] for name in names}
    nothing |= {"kept": [], "dropped": []}
    assert (said, status) == (nothing, 0)


@pytest.mark.proves("migrate.lock-timeout.poolers")
def test_behind_a_pooler_it_is_set_for_each_transaction_and_nothing_longer(tmp_path: Path) -> None:
    """The session is somebody else's as well."""
    told, _, _ = run(tmp_path, pid=8)
    limit = "SET LOCAL lock_timeout = '5s'"
    assert told == ["SELECT pg_backend_pid()", "CREATE INDEX", limit, "CREATE TABLE", "ALTER TABLE"]


@pytest.mark.proves("config.lock-timeout")
@pytest.mark.parametrize("changes", [{"seconds": 0}, {"vendor": "sqlite"}])
def test_no_limit(tmp_path: Path, changes: dict[str, Any]) -> None:
    told, _, _ = run(tmp_path, **changes)
    assert told == ["CREATE INDEX", "CREATE TABLE", "ALTER TABLE"]


@pytest.mark.proves("migrate.lock-timeout.poolers")
def test_a_database_that_refuses_it_is_migrated_without(tmp_path: Path) -> None:
    told, said, status = run(tmp_path, refuses=True)
    assert told[-3:] == ["CREATE INDEX", "CREATE TABLE", "ALTER TABLE"]
    assert (said["refused"], status) == (["unknown parameter"], 0)


@pytest.mark.proves("migrate.invalid-index")
def test_what_is_invalid_afterwards_is_told_however_it_ended(tmp_path: Path) -> None:
    _, said, status = run(tmp_path, before=["old_idx"], after=["old_idx", "note_idx"], status=3)
    assert (said["invalid"], said["left"], status) == (["note_idx", "old_idx"], ["note_idx"], 3)


@pytest.mark.proves("migrate.site")
@pytest.mark.parametrize(
    ("sites", "told"),
    [({"2": "example.com"}, ["example.com"]), ({"1": "example.com", "2": "shop.example.com"}, []), ({}, [])],
)
def test_a_site_that_nobody_has_named_is_told(tmp_path: Path, sites: dict[str, str], told: list[str]) -> None:
    assert run(tmp_path, sites=sites)[1]["site"] == told


def sql_of(tmp_path: Path, defaults: dict[str, Any], *operations: Any, **changes: Any) -> tuple[list[str], Any, Any]:
    """What the schema is told, and the columns whose defaults are said to be kept and dropped."""
    told, said, _ = run(tmp_path, 0, defaults, operations=operations, **changes)
    usual = ["CREATE INDEX", "CREATE TABLE", "ALTER TABLE"]
    return [line for line in told if line not in usual], said["kept"], said["dropped"]


SET = 'ALTER TABLE "book" ALTER COLUMN "note" SET DEFAULT 3'
DROP = 'ALTER TABLE "book" ALTER COLUMN "note" DROP DEFAULT'
NOTE = {"column": "note"}
ADDED = ["BEGIN", "ADD note", SET, "COMMIT"]
KEEP = {"keep": True}


@pytest.mark.proves("migrations.defaults")
def test_the_default_of_a_new_column_is_set_again_in_its_own_transaction(tmp_path: Path) -> None:
    assert sql_of(tmp_path, KEEP, ("add_field", "book", NOTE)) == (ADDED, [["book", "note"]], [])


@pytest.mark.proves("migrations.defaults")
@pytest.mark.parametrize(
    "field",
    [{"null": True}, {"unique": True}, {"generated": True}, {"db_default": 1}, {"value": None}, {"column": None}],
)
def test_another_column_is_left_as_it_is(tmp_path: Path, field: dict[str, Any]) -> None:
    told, kept, dropped = sql_of(tmp_path, KEEP, ("add_field", "book", {**NOTE, **field}))
    assert (told, kept, dropped) == (["BEGIN", f"ADD {field.get('column', 'note')}", "COMMIT"], [], [])


@pytest.mark.proves("migrations.defaults")
def test_a_column_that_gets_its_default_later_in_the_same_run(tmp_path: Path) -> None:
    """Added with null, filled, then made non-null: the usual way for large tables."""
    steps = [("add_field", "book", {**NOTE, "null": True}), ("alter_field", "book", {**NOTE, "null": True}, NOTE)]
    told, kept, _ = sql_of(tmp_path, KEEP, *steps)
    assert told == ["BEGIN", "ADD note", "COMMIT", "BEGIN", "ALTER note note", SET, "COMMIT"]
    assert kept == [["book", "note"]]


@pytest.mark.proves("migrations.defaults")
@pytest.mark.parametrize("earlier", [True, False])
def test_it_is_out_of_the_way_while_its_column_changes(tmp_path: Path, earlier: bool) -> None:
    change = ("alter_field", "book", NOTE, {"column": "remark"})
    steps = [change] if earlier else [("add_field", "book", NOTE), change]
    defaults = {"kept": [["book", "note"]]} if earlier else KEEP
    told, kept, dropped = sql_of(tmp_path, defaults, *steps)
    again = SET.replace('"note"', '"remark"')
    assert told == [*([] if earlier else ADDED), "BEGIN", DROP, "ALTER note remark", again, "COMMIT"]
    assert (kept, dropped) == ([["book", "remark"]], [["book", "note"]])


@pytest.mark.proves("migrations.defaults")
@pytest.mark.parametrize("earlier", [True, False])
@pytest.mark.parametrize(("name", "kept_there"), [("note", ["book", "note"]), ("remark", ["book", "remark"])])
def test_a_default_that_only_the_database_has_stays(
    tmp_path: Path, earlier: bool, name: str, kept_there: list[str]
) -> None:
    """It was of the operation alone (preserve_default=False), so the field that changes has none."""
    change = ("alter_field", "book", {**NOTE, "value": None}, {"column": name, "value": None})
    steps = [change] if earlier else [("add_field", "book", NOTE), change]
    told, kept, _ = sql_of(tmp_path, {"kept": [["book", "note"]]} if earlier else KEEP, *steps)
    assert told == [*([] if earlier else ADDED), "BEGIN", f"ALTER note {name}", "COMMIT"]
    assert kept == [kept_there]


@pytest.mark.proves("migrations.defaults")
@pytest.mark.parametrize("change", [{"type": "bigint"}, {"null": True}, {"unique": True}, {"db_default": 1}])
def test_a_default_that_may_not_fit_does_not_stay(tmp_path: Path, change: dict[str, Any]) -> None:
    steps = [("alter_field", "book", {**NOTE, "value": None}, {**NOTE, "value": None, **change})]
    told, kept, dropped = sql_of(tmp_path, {"kept": [["book", "note"]]}, *steps)
    assert told == ["BEGIN", DROP, "ALTER note note", "COMMIT"]
    assert (kept, dropped) == ([], [["book", "note"]])


@pytest.mark.proves("migrations.defaults")
def test_a_column_that_was_there_and_a_table_that_is_new(tmp_path: Path) -> None:
    steps = [("alter_field", "book", NOTE, NOTE), ("create_model", "tag"), ("add_field", "tag", NOTE)]
    assert sql_of(tmp_path, KEEP, *steps) == (["ALTER note note", "CREATE tag", *ADDED[:2], "COMMIT"], [], [])


@pytest.mark.proves("migrations.defaults")
def test_where_none_shall_stay_nothing_is_touched(tmp_path: Path) -> None:
    assert sql_of(tmp_path, {}, ("add_field", "book", NOTE)) == (["ADD note"], [], [])
    (tmp_path / "other").mkdir()
    assert sql_of(tmp_path / "other", KEEP, ("add_field", "book", NOTE), vendor="sqlite")[0] == ["ADD note"]


@pytest.mark.proves("migrations.defaults")
def test_what_is_due_is_dropped_before_anything_else_and_may_be_gone(tmp_path: Path) -> None:
    due = {"drop": [["book", "note"], ["book", "gone"]]}
    told, _, dropped = sql_of(tmp_path, due, there=["note"])
    assert [line for line in told if "information_schema" not in line] == ["BEGIN", DROP, "COMMIT", "BEGIN", "COMMIT"]
    assert dropped == due["drop"]


@pytest.mark.proves("migrations.defaults")
def test_what_the_project_gives_the_database_itself_is_not_dropped(tmp_path: Path) -> None:
    """A column may have got it since: from models, by a migration that was changed, or by hand."""
    (tmp_path / "due").mkdir()
    due = {"drop": [["book", "note"]]}
    told, _, dropped = sql_of(tmp_path / "due", due, there=["note"], own=[["book", "note"]])
    assert DROP not in told
    assert dropped == due["drop"]
    own, noted = {**NOTE, "db_default": 1}, {"kept": [["book", "note"]]}
    for number, operation in enumerate([("add_field", "book", own), ("alter_field", "book", own, own)]):
        (tmp_path / str(number)).mkdir()
        told, kept, dropped = sql_of(tmp_path / str(number), noted, operation)
        assert DROP not in told
        assert (kept, dropped) == ([], [["book", "note"]])


def worked(
    tmp_path: Path, work: str, atomic: bool = True, **changes: Any
) -> tuple[list[str], dict[str, list[Any]], int]:
    """What the database was told by a migration that may take a second, and the one after it."""
    how = {"manage": WORK, "longest": 1, "work": work, "atomic": atomic, "statement": "UPDATE", **changes}
    told, said, status = run(tmp_path, 0, **how)
    return [line for line in dict.fromkeys(told) if line != "UPDATE"], said, status


@pytest.mark.proves("migrations.timeout", "migrations.timeout.code")
@pytest.mark.parametrize("work", ["one_statement", "many_statements", "python_alone", "nothing_stops_it"])
def test_a_migration_that_takes_too_long_is_cancelled_and_rolled_back(tmp_path: Path, work: str) -> None:
    """Whatever it does: wait for the database, ask it again and again, compute, or ignore what it is told."""
    told, said, status = worked(tmp_path, work)
    assert [line for line in told if line != "WAIT"] == ["BEGIN", "ROLLBACK"]
    assert (said["over"], said["partly"], status) == (["books.0001_x"], [], 1)


@pytest.mark.proves("migrations.timeout.code")
def test_what_is_asked_then_is_refused_at_once(tmp_path: Path) -> None:
    """Of the 300 that would take three seconds."""
    told, _, _ = run(tmp_path, 0, manage=WORK, longest=1, work="nothing_stops_it", atomic=True)
    assert told.count("UPDATE") < 200


@pytest.mark.proves("migrations.timeout")
def test_one_that_ends_in_time_is_recorded_and_so_is_the_next(tmp_path: Path) -> None:
    told, said, status = worked(tmp_path, "quick", waits=1.5)
    assert told == ["BEGIN", "COMMIT", "RECORD", "LEFT ALONE"]
    assert (said["over"], said["partly"], said["unbounded"], status) == ([], [], [], 0)


@pytest.mark.proves("migrations.timeout")
@pytest.mark.parametrize("changes", [{"longest": 0}, {"vendor": "sqlite"}])
def test_where_there_is_no_bound_nothing_is_cancelled(tmp_path: Path, changes: dict[str, Any]) -> None:
    told, said, status = worked(tmp_path, "nothing_stops_it", **changes)
    assert told == ["BEGIN", "COMMIT", "RECORD", "LEFT ALONE"]
    assert (said["over"], status) == ([], 0)
    assert said["unbounded"] == (["sqlite"] if changes.get("vendor") else [])


@pytest.mark.proves("migrations.timeout.parts")
def test_without_a_transaction_each_batch_has_its_own_time(tmp_path: Path) -> None:
    told, said, status = worked(tmp_path, "batches", atomic=False)
    assert (told, said["partly"], status) == (["BEGIN", "COMMIT", "RECORD", "LEFT ALONE"], [], 0)


@pytest.mark.proves("migrations.timeout.parts")
@pytest.mark.parametrize(("statement", "is_bounded"), [("UPDATE x", True), ("CREATE INDEX CONCURRENTLY x", False)])
def test_a_statement_without_a_transaction(tmp_path: Path, statement: str, is_bounded: bool) -> None:
    """An index that is built concurrently may take its time: nobody waits for it."""
    manage = WORK if is_bounded else WORK.replace("wait(30)", "wait(2)")
    told, said, status = worked(tmp_path, "one_statement", atomic=False, statement=statement, manage=manage)
    assert "WAIT" in told
    assert (said["partly"], status) == ((["books.0001_x"], 1) if is_bounded else ([], 0))


# The process that waits, the lock, its table, and who holds it.
REPORT = (7, "relation", "books_book", 41, "shop", "report", "10.0.0.7", "idle in transaction", 720.4, "select")
ANOTHER = (7, "relation", "books_book", 42, "postgres", "psql", None, None, None, None)
OF_REPORT = "process 41 (role shop, report, from 10.0.0.7, idle in transaction for 12 min, last command SELECT)"
OF_ANOTHER = "process 42 (role postgres, psql)"
SAID = "codesensei-waits:books.0001_x, after {} s, waits for a lock on books_book, held by {}"


def held_up(tmp_path: Path, *holders: list[tuple[Any, ...]], **changes: Any) -> tuple[list[str], list[Any]]:
    """What was told of who held the lock, and who is said to have held it in the end."""
    how = {"manage": WORK, "work": "held_up", "atomic": True, "statement": "ALTER TABLE", "fails": True, **changes}
    told, said, _ = run(tmp_path, 1, holders=holders, **how)
    return [line.replace("after 2 s", "after 1 s") for line in told if line.startswith(watch_locks.TELLS)], said["held"]


@pytest.mark.proves("migrate.lock-holder")
def test_who_holds_a_lock_is_told_once_and_when_it_has_failed(tmp_path: Path) -> None:
    """Well before the limit: this one is a second."""
    told, held = held_up(tmp_path, [REPORT])
    assert told == [SAID.format(1, OF_REPORT)]
    assert held == [{"lock": "a lock on books_book", "text": OF_REPORT, "process": 41}]


@pytest.mark.proves("migrate.lock-holder")
def test_one_that_comes_later_is_told_with_those_before_it(tmp_path: Path) -> None:
    told, held = held_up(tmp_path, [REPORT], [REPORT, ANOTHER])
    assert told == [SAID.format(1, OF_REPORT), SAID.format(1, f"{OF_REPORT} and {OF_ANOTHER}")]
    assert [holder["process"] for holder in held] == [41, 42]


@pytest.mark.proves("migrate.lock-holder")
@pytest.mark.parametrize(("holders", "changes"), [([[]], {}), ([[REPORT], []], {}), ([[REPORT]], {"fails": False})])
def test_nobody_is_named_who_holds_nothing_any_more(
    tmp_path: Path, holders: list[list[tuple[Any, ...]]], changes: dict[str, Any]
) -> None:
    told, held = held_up(tmp_path, *holders, **changes)
    assert (len(told), held) == (sum(map(bool, holders)), [])


@pytest.mark.proves("migrate.lock-holder")
@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("tuple", "book"), "a row of book"),
        (("transactionid", None), "a row that another transaction has changed"),
        (("virtualxid", None), "an older transaction"),
        (("object", None), "a lock"),
    ],
)
def test_what_is_waited_for(row: tuple[str, str | None], words: str) -> None:
    assert watch_locks.lock(*row) == words


@pytest.mark.proves("migrate.lock-holder")
@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((0, None, None, None, None, None, None), "a prepared transaction (pg_prepared_xacts)"),
        ((41, None, None, None, None, None, None), "process 41"),
        (
            (41, "shop", "", None, "active", 119.0, "UPDATE"),
            "process 41 (role shop, active for 119 s, last command UPDATE)",
        ),
        ((41, "shop", "", None, "active", 9000.0, None), "process 41 (role shop, active for 2 h)"),
    ],
)
def test_who_it_is(row: Any, words: str) -> None:
    assert watch_locks.holder(*row) == words


# One that gets no lock for its second operation; the first is over then.
LOCKED = """
import types
from django.db import HOW, Field, Locked, connection_created, connections
from django.db.migrations.executor import MigrationExecutor
PLAIN = {"null": False, "unique": False, "value": 3, "type": "integer"}
connection = connections["default"]
connection_created.receiver(connection=connection)
editor = connection.SchemaEditorClass()
model = types.SimpleNamespace(_meta=types.SimpleNamespace(db_table="book"))
def alter(_):
    fields = [Field(column=column, **PLAIN) for column in ("note", "remark")]
    editor.alter_field(model, *fields)
def add(_):
    editor.add_field(model, Field(column="mood", **PLAIN))
    connection.execute(HOW["statement"])
def wait(_):
    if HOW["error"] == "handled":
        try:
            raise Locked
        except Locked:
            raise ValueError
    if HOW["error"]:
        raise {"locked": Locked, "other": ValueError}[HOW["error"]]
def operation(words, work):
    return types.SimpleNamespace(describe=lambda: words, work=work)
def apply(name, operations, work=lambda _: None):
    about = {"app_label": "books", "name": name, "atomic": HOW["atomic"], "operations": operations, "work": work}
    MigrationExecutor().apply_migration(None, types.SimpleNamespace(**about))
try:
    apply("0001_x", [operation("Alter note", alter), operation("Add mood", add), operation("Fill mood", wait)])
except Exception:
    if not HOW["goes_on"]:
        raise
    apply("0002_y", [])
"""
BOOK = {"kept": [["book", "note"]], "keep": True}


def locked_out(tmp_path: Path, **changes: Any) -> dict[str, list[Any]]:
    """What is said of a migration that got no lock."""
    how = {"atomic": True, "statement": "UPDATE", "error": "locked", "goes_on": False, **changes}
    return run(tmp_path, 0, BOOK, manage=LOCKED, **how)[1]


@pytest.mark.proves("migrate.lock-tries.safe")
def test_what_got_no_lock_and_was_rolled_back_is_told_as_such(tmp_path: Path) -> None:
    at = {"at": "3 of 3 (Fill mood)", "done": ["Alter note", "Add mood"]}
    said = locked_out(tmp_path)
    assert said["locked"] == [{"migration": "books.0001_x", "whyNot": "", **at}]
    # Its defaults have come back, and those it had added are gone.
    assert (said["kept"], said["dropped"]) == ([["book", "note"]], [])


@pytest.mark.proves("migrate.lock-tries.safe")
@pytest.mark.parametrize(
    ("changes", "why_not"),
    [
        ({"error": "handled"}, ""),
        ({"error": "", "at_commit": True}, ""),
        ({"statement": "UPDATE book; ROLLBACK TO SAVEPOINT a"}, ""),
        ({"atomic": False}, "no transaction"),
        ({"statement": "commit"}, "own transaction"),
        ({"statement": "UPDATE book; ROLLBACK; UPDATE book"}, "own transaction"),
        ({"error": "", "unrecorded": True}, "unrecorded"),
    ],
)
def test_what_may_be_applied_in_part_is_told_as_such(tmp_path: Path, changes: dict[str, Any], why_not: str) -> None:
    said = locked_out(tmp_path, **changes)
    [locked] = said["locked"]
    assert locked["whyNot"] == why_not
    ended = not locked["at"]
    assert ended is (changes.get("error") == "")
    assert (said["kept"] == [["book", "note"]]) is (not why_not)


@pytest.mark.proves("migrate.lock-tries.safe")
@pytest.mark.parametrize("changes", [{"error": "other"}, {"goes_on": True}])
def test_what_fails_for_another_reason_or_goes_on_is_not_told(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert locked_out(tmp_path, **changes)["locked"] == []
