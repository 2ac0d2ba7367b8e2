"""What the program says that asks Django; with as little of Django as it needs."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codesensei.scripts.release import checks
from tests.scripts import test_ask_databases

PROGRAM = Path(checks.__file__).with_name("ask_django.py")
DJANGO = {
    "django/__init__.py": "def setup(): pass\ndef get_version(): return '5.2'\n",
    "django/core/__init__.py": "",
    "django/core/checks/__init__.py": "WARNING = 30\n",
    "django/core/checks/registry.py": """
class registry:
    def get_checks(include_deployment_checks=False):
        return [lambda app_configs, databases: []]
""",
    "django/core/files/__init__.py": "",
    "django/conf.py": """
class settings:
    ALLOWED_HOSTS, DATABASES, DEBUG, INSTALLED_APPS, MEDIA_ROOT = [], {}, False, [], "media"
    STORAGES = dict.fromkeys(["default", "staticfiles", "more"])
""",
    "django/core/files/storage.py": """
class FileSystemStorage:
    def __init__(self, location):
        self.location = location
""",
}
OTHERS = {"staticfiles": "FileSystemStorage('media')", "more": "object()"}


@pytest.mark.proves("django.media-inside")
@pytest.mark.parametrize(
    ("storages", "on_disk"),
    [
        ({"default": "FileSystemStorage('media')"}, True),
        ({"default": "FileSystemStorage('media/uploads')"}, True),
        ({"default": "FileSystemStorage('/elsewhere')"}, False),
        ({"default": "object()"}, False),
        ({"default": "object()", "more": "FileSystemStorage('media')"}, True),
        ({"default": "{}['no such storage']"}, True),
    ],
)
def test_where_uploads_are_stored(storages: dict[str, str], on_disk: bool, tmp_path: Path) -> None:
    """The static files' own storage does not count, and a storage that cannot be asked does."""
    table = "".join(f"        {name!r}: lambda: {made},\n" for name, made in {**OTHERS, **storages}.items())
    lookup = f"\nclass storages:\n    def __class_getitem__(cls, name):\n        return {{\n{table}        }}[name]()\n"
    for name, text in DJANGO.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + (lookup if name.endswith("storage.py") else ""))
    assert run(tmp_path)["facts"]["uploadsOnDisk"] is on_disk


def run(folder: Path, *words: str) -> dict[str, Any]:
    argv = [sys.executable, str(PROGRAM), *words]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.partition("codesensei-facts:")[2])
    return answer


COMMANDS = """
def get_commands(): return {"makemigrations": "django.core", "migrate": MIGRATE}
def load_command_class(app, name): return object()
def call_command(name, **_): raise SystemExit(1)
"""
DATABASES = {
    **test_ask_databases.DJANGO,
    **DJANGO,
    "django/apps.py": "MODEL = type('M', (), {'_meta': type('O', (), {'managed': True})})\n"
    + test_ask_databases.DJANGO["django/apps.py"].replace("lambda **_: []", "lambda **_: [MODEL]"),
    "django/db/__init__.py": test_ask_databases.CONNECTION,
    "django/core/files/storage.py": DJANGO["django/core/files/storage.py"] + "storages = {}\n",
}


def ask_databases(folder: Path, migrate: str = "django.core", **changes: str) -> Any:
    files = {**DATABASES, "django/core/management.py": COMMANDS.replace("MIGRATE", repr(migrate)), **changes}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    answer = run(folder, str(folder))
    assert answer["facts"]["django"] == "5.2"
    return answer["databases"]


@pytest.mark.proves("migrate.skipped")
@pytest.mark.parametrize(("migrate", "work"), [("django.core", True), ("shop.tenants", None)])
def test_databases_are_asked_in_the_same_start(tmp_path: Path, migrate: str, work: bool | None) -> None:
    """But for a migrate of the project's own, which may do more than look: its turn comes after all checks."""
    found = ask_databases(tmp_path, migrate)
    assert found["databases"] == [{"alias": "default", "whyNot": "", "collation": [], "work": work}]
    assert found["apps"] == [{"app": "notes", "own": True, "changes": ["Create model Note"]}]


@pytest.mark.proves("migrate.skipped")
@pytest.mark.parametrize("engine", ["django.db.backends.sqlite3", "django.contrib.gis.db.backends.spatialite"])
@pytest.mark.parametrize("there", [False, True])
def test_no_sqlite_file_is_made_by_asking(tmp_path: Path, there: bool, engine: str) -> None:
    """The one who makes it decides who may read it."""
    settings = DJANGO["django/conf.py"].replace("DEBUG", "OTHER").replace("[], {},", "[], DATABASES,")
    entry = {"default": {"ENGINE": engine, "NAME": "db.sqlite3"}}
    if there:
        (tmp_path / "db.sqlite3").touch()
    changes = {"django/conf.py": f"DATABASES, DEBUG = {entry}, False\n{settings}    DEBUG = False\n"}
    assert (ask_databases(tmp_path, **changes) is not None) == there


@pytest.mark.proves("migrate.skipped")
def test_what_fails_for_the_databases_leaves_the_settings_told(tmp_path: Path) -> None:
    changes = {"django/db/migrations/loader.py": "raise RuntimeError('no migrations here')\n"}
    assert ask_databases(tmp_path, **changes) is None


@pytest.mark.proves("media.unserved")
def test_views_are_asked_for_where_the_project_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a release is built, its URLconf may ask for tables that are not there yet."""
    settings = SimpleNamespace(DATABASES={}, ALLOWED_HOSTS=[], DEBUG=False, INSTALLED_APPS=[], MEDIA_ROOT="")
    monkeypatch.setitem(sys.modules, "django", SimpleNamespace(get_version=lambda: "5.2"))
    monkeypatch.setitem(sys.modules, "django.conf", SimpleNamespace(settings=settings))
    facts, asked = runpy.run_path(str(PROGRAM))["facts"], list[bool]()
    facts.__globals__["visitors"] = {"visitors": lambda _, *, serves: asked.append(serves)}
    facts()
    facts(load=True)
    assert asked == [True, False]
