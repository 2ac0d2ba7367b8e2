"""A rehearsal inside the project's own Python: where its databases lead, and what is told of it; with the real Django.

Two files stand for the database and its copy, and a driver of a few lines for what PostgreSQL says of its locks.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from codesensei.scripts.release import migrate
from codesensei.scripts.release.rehearsal import Rehearsed
from codesensei.wire import codec

pytestmark = pytest.mark.slow

SETTINGS = """
SECRET_KEY = "x"
INSTALLED_APPS = ["books"]
REAL = {"ENGINE": "driver", "NAME": "real.sqlite3", "USER": "shop", "HOST": "127.0.0.1"}
REAL["OPTIONS"] = {"timeout": 5, "sslmode": "require", "service": "x"}
DATABASES = {"default": REAL, "same": dict(REAL), "reader": {**REAL, "USER": "reader"}}
DATABASES["other"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": "other.sqlite3"}
"""
# The lock is there for as long as the file is; what PostgreSQL alone knows is asked in words that SQLite has not.
DRIVER = """
import pathlib
from django.db.backends.sqlite3.base import DatabaseWrapper as Plain, SQLiteCursorWrapper
class Cursor(SQLiteCursorWrapper):
    found = None
    def execute(self, sql, params=None):
        if "pg_class" not in sql:
            return super().execute(sql, params)
        self.found = [(7,)]
        if "pg_locks" in sql:
            assert params == [[7]], params
            lock = pathlib.Path("lock")
            self.found = [("book", mode) for mode in lock.read_text().split()] if lock.exists() else []
        return self
    def fetchall(self):
        return super().fetchall() if self.found is None else self.found
class DatabaseWrapper(Plain):
    def get_connection_params(self):
        given = self.settings_dict
        assert not {"sslmode", "service"} & set(given["OPTIONS"]), given
        assert given["NAME"] == "copy.sqlite3" and (given["HOST"], given["PORT"]) == ("/run/postgresql", "5433"), given
        return super().get_connection_params()
    def create_cursor(self, name=None):
        return self.connection.cursor(factory=Cursor)
"""
MANAGE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
FIRST = """
from django.db import migrations, models
class Migration(migrations.Migration):
    operations = [migrations.CreateModel("Book", [("id", models.BigAutoField(primary_key=True))])]
"""
SECOND = """
import pathlib, socket, threading, time
from django.db import connections, migrations, models
def work(apps, editor):
    Book = apps.get_model("books", "Book")
    {work}
class Migration(migrations.Migration):
    dependencies = [("books", "0001_first")]
    operations = [migrations.RunPython(work)]
"""
TABLES = "SELECT count(*) FROM sqlite_master WHERE name LIKE 'books%'"


@dataclass(frozen=True)
class Ended:
    """What the step is told, and how it ended."""

    said: Rehearsed
    code: int
    log: str


def rehearse(folder: Path, *work: str) -> Ended:
    """Rehearse two migrations, of which the second one does this work."""
    for name, text in {
        "settings.py": SETTINGS,
        "manage.py": MANAGE,
        "driver/__init__.py": "",
        "driver/base.py": DRIVER,
        "books/__init__.py": "",
        "books/migrations/__init__.py": "",
        "books/migrations/0001_first.py": FIRST,
        "books/migrations/0002_second.py": SECOND.format(work="\n    ".join(work)),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    copy = {"name": "copy.sqlite3", "folder": "/run/postgresql", "port": 5433}
    given = {"alias": "default", "keep": False, "kept": [], "drop": [], "copy": copy}
    argv = [sys.executable, "-B", str(migrate.MIGRATE), "5", "0", json.dumps(given), "migrate", "--noinput"]
    done = subprocess.run(
        argv, cwd=folder, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False
    )
    answer = next(line for line in done.stdout.splitlines() if line.startswith(migrate.MIGRATED))
    said = codec.decode(migrate.Migrated, json.loads(answer.removeprefix(migrate.MIGRATED)), "answer")
    assert said.rehearsal is not None
    return Ended(said.rehearsal, done.returncode, done.stderr)


def count(file: Path, query: str = TABLES) -> int:
    with closing(sqlite3.connect(file)) as database:
        return int(database.execute(query).fetchone()[0])


@pytest.mark.proves("migrations.rehearsal", "migrations.rehearsal.kept-away")
def test_the_copy_takes_the_place_of_the_database(tmp_path: Path) -> None:
    """Also where another entry leads to it."""
    ended = rehearse(tmp_path, "Book.objects.create()", "Book.objects.using('same').count()")
    assert (ended.code, ended.said.joined, ended.said.at, ended.said.away, ended.said.tried) == (0, True, "", "", ()), (
        ended
    )
    assert [*ended.said.took] == ["books.0001_first", "books.0002_second"]
    assert count(tmp_path / "copy.sqlite3", "SELECT count(*) FROM books_book") == 1
    assert not (tmp_path / "real.sqlite3").exists()


@pytest.mark.proves("migrations.rehearsal")
def test_what_a_migration_takes_and_who_would_wait(tmp_path: Path) -> None:
    """The longest time that the lock is there without a break."""
    locked = "pathlib.Path('lock').write_text('{}'); time.sleep({})"
    work = [
        locked.format("AccessExclusiveLock", 0.6),
        locked.format("ShareLock", 0.3),
        locked.format("", 0.3),
        locked.format("ShareLock", 1.0),
        locked.format("", 0.3),
    ]
    ended = rehearse(tmp_path, *work)
    assert ended.code == 0, ended.log
    assert 2.5 <= ended.said.took["books.0002_second"] < 10
    assert 0.4 <= ended.said.closed["book"] < 0.95
    assert 0.8 <= ended.said.readable["book"] < 1.35


@pytest.mark.proves("migrations.rehearsal.undecided")
@pytest.mark.parametrize(
    ("work", "away"),
    [
        (["apps.get_model('books', 'Book').objects.using('other').count()"], "the database other is kept away"),
        # Whoever else logs in cannot be let into the copy.
        (["Book.objects.using('reader').count()"], "the database reader is kept away"),
        (["editor.execute('ALTER  database shop SET timezone TO utc')"], "ALTER database is kept away"),
        (["connections['same'].cursor().execute('GRANT ALL ON DATABASE x TO y')"], "ON DATABASE is kept away"),
        (["editor.execute('SELECT pg_terminate_backend(7)')"], "pg_terminate_backend is kept away"),
        (["socket.create_connection(('127.0.0.1', 9))"], "[Errno 111] Connection refused"),
        (["raise RuntimeError('of a library') from OSError(30, 'Read-only file system')"], "Read-only file system"),
        (["try: raise PermissionError(13, 'no')", "finally: raise KeyError"], "[Errno 13] no"),
        (["error = ValueError('a text of C: Connection refused')", "raise error"], "a text of C: Connection refused"),
        (["error = ValueError('full')", "error.sqlstate = '53100'", "raise error"], "full"),
        (["raise ValueError('of the code')"], ""),
        (["Book.objects.create(id=1)", "Book.objects.create(id=1)"], ""),
    ],
)
def test_why_it_fails(tmp_path: Path, work: list[str], away: str) -> None:
    ended = rehearse(tmp_path, *work)
    assert (ended.code != 0, ended.said.at) == (True, "books.0002_second")
    assert away in ended.said.away
    assert bool(ended.said.away) == bool(away), ended.log
    assert [*ended.said.took] == ["books.0001_first"]


@pytest.mark.proves("migrations.rehearsal.undecided")
def test_what_is_asked_of_the_network_is_told(tmp_path: Path) -> None:
    """Code may go on without, and fail for want of it; what reports errors does so in a thread of its own."""
    ask = "def ask(port):\n        try: socket.create_connection(('127.0.0.1', port))\n        except OSError: pass"
    thread = "other = threading.Thread(target=ask, args=(8,)); other.start(); other.join()"
    ended = rehearse(tmp_path, ask, thread, "ask(9)", "raise KeyError('rate')")
    assert (ended.said.tried, ended.said.away) == (("127.0.0.1:9",), "")


@pytest.mark.proves("migrations.rehearsal.undecided")
def test_settings_that_do_not_load_reach_no_copy(tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    (tmp_path / "books/models.py").write_text("raise KeyError('at the start')\n")
    ended = rehearse(tmp_path, "pass")
    assert (ended.code, ended.said.joined) == (1, False)
