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
    def execute(self, sql):
        print("SQL", " ".join(sql.split()))
        self.rows = [(HOW["pid"],)] if "backend_pid" in sql else [(name,) for name in invalid[0]]
        if HOW["refuses"] and "lock_timeout" in sql:
            raise ValueError("unknown parameter")
    def fetchone(self):
        return self.rows[0]
    def fetchall(self):
        return self.rows
class Connection:
    def __init__(self):
        self.alias, self.vendor, self.connection, self.execute_wrappers = "default", HOW["vendor"], Raw(), []
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
invalid = [HOW["before"]]
connections, connection_created = {"default": Connection()}, Signal()
"""
MANAGE = """
import sys
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
invalid[0] = HOW["after"]
sys.exit(HOW["status"])
"""
AS_USUAL = {"vendor": "postgresql", "pid": 7, "refuses": False, "before": [], "after": [], "status": 0}


def run(tmp_path: Path, seconds: int = 5, **changes: Any) -> tuple[list[str], dict[str, list[str]], int]:
    """What the database was told, what the step is told, and how it ended."""
    how = {**AS_USUAL, **changes}
    (tmp_path / "django/db/backends").mkdir(parents=True)
    for name, text in {
        "django/__init__.py": "",
        "django/db/__init__.py": DJANGO,
        "django/db/backends/__init__.py": "",
        "django/db/backends/signals.py": "from django.db import connection_created",
        "beside.py": "",
        "manage.py": MANAGE,
    }.items():
        (tmp_path / name).write_text(text)
    argv = [sys.executable, "-B", str(migrate.MIGRATE), str(seconds), "migrate", "--noinput"]
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
    assert (said, status) == ({"refused": [], "invalid": [], "left": []}, 0)


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
