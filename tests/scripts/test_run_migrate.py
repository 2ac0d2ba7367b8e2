"""manage.py under a limit for locks, with a Django of a few lines: which statements go where."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.release import migrate

# As much of Django, and of what is below it, as the program touches. Statements are printed as they are run.
DJANGO = """
import contextlib, json, os
HOW = json.loads(os.environ["HOW"])
class Raw:
    autocommit = True
    class info:
        backend_pid = 7
        transaction_status = 0
    def cursor(self):
        return Cursor()
class Cursor:
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass
    def execute(self, sql, params=()):
        print("SQL", " ".join(sql.split()), *params)
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
        self.SchemaEditorClass, self.ops = Editor, self
    def quote_name(self, name):
        return f'"{name}"'
    def cursor(self):
        return Cursor()
    def close(self):
        print("CLOSED")
    def execute(self, sql):
        run = lambda sql, *_: print("SQL", sql)
        for wrapper in self.execute_wrappers:
            run = (lambda inner: lambda *words: wrapper(inner, *words, {"connection": self}))(run)
        run(sql, None, False) if self.execute_wrappers else run(sql)
class Signal:
    def connect(self, receiver):
        self.receiver = receiver
class models:
    NOT_PROVIDED = object()
class transaction:
    @contextlib.contextmanager
    def atomic(alias):
        print("SQL BEGIN")
        yield
        print("SQL COMMIT")
invalid = [HOW["before"]]
connections, connection_created = {"default": Connection()}, Signal()
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
PLAIN = {"null": False, "unique": False, "value": 3}
from django.db import connections, connection_created, invalid, HOW
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
    getattr(editor, name)(model, *(types.SimpleNamespace(**{**PLAIN, **field}) for field in fields))
invalid[0] = HOW["after"]
sys.exit(HOW["status"])
"""
AS_USUAL = {"vendor": "postgresql", "pid": 7, "refuses": False, "before": [], "after": [], "status": 0}
AS_USUAL |= {"there": [], "operations": [], "own": [], "sites": {}}
NO_DEFAULTS: dict[str, Any] = {"alias": "default", "keep": False, "kept": [], "drop": []}


def run(
    tmp_path: Path, seconds: int = 5, defaults: dict[str, Any] = NO_DEFAULTS, **changes: Any
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
        "beside.py": "",
        "manage.py": MANAGE,
    }.items():
        (tmp_path / name).write_text(text)
    about = json.dumps({**NO_DEFAULTS, **defaults})
    argv = [sys.executable, "-B", str(migrate.MIGRATE), str(seconds), about, "migrate", "--noinput"]
    done = subprocess.run(argv, cwd=tmp_path, env={"HOW": json.dumps(how)}, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    told = [line.removeprefix("SQL ") for line in lines if line.startswith("SQL ") and "pg_index" not in line]
    [answer] = [line.removeprefix(migrate.MIGRATED) for line in lines if line.startswith(migrate.MIGRATED)]
    assert done.stderr == ""
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
    assert (said, status) == ({"refused": [], "invalid": [], "left": [], "kept": [], "dropped": [], "site": []}, 0)


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
