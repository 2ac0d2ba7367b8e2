"""What the program says that asks Django for models ahead of their migrations; with as little of Django as it needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.release import databases

DETECTOR = """
class MigrationAutodetector:
    WORDS = "Create model Note"
    def __init__(self, *_): pass
    def changes(self, graph):
        operation = type("Operation", (), {"describe": lambda _: self.WORDS})()
        return {"notes": [type("Migration", (), {"operations": [operation]})()]}
"""
DJANGO = {
    "django/__init__.py": "def setup(): pass\n",
    "django/apps.py": "import os\nclass apps:\n    get_models = staticmethod(lambda **_: [])\n"
    "    get_app_config = staticmethod(lambda label: type('App', (), {'path': os.getcwd() + '/notes'}))\n",
    "django/core/__init__.py": "",
    "django/db/__init__.py": "connections = type('C', (list,), {'all': lambda self: []})()\nrouter = None\n",
    "django/db/migrations/__init__.py": "",
    "django/db/migrations/autodetector.py": DETECTOR,
    "django/db/migrations/loader.py": "class MigrationLoader:\n    graph, unmigrated_apps = None, ()\n"
    "    def __init__(self, *_, **__): pass\n    def project_state(self): pass\n",
    "django/db/migrations/questioner.py": "MigrationQuestioner = object\n",
    "django/db/migrations/state.py": "class ProjectState:\n    from_apps = staticmethod(lambda apps: None)\n",
}
OWN = "from django.db.migrations.autodetector import MigrationAutodetector\nclass Own(MigrationAutodetector):\n"


# One database, of which nothing but its name is known.
CONNECTION = """
class Connection:
    vendor, settings_dict = "other", {"ENGINE": "other", "NAME": "shop"}
class connections(dict):
    all = lambda self: []
connections = connections(default=Connection())
router = type("Router", (), {"allow_migrate_model": lambda *_: True})()
"""


def ask(folder: Path, commands: str, **changes: str) -> dict[str, Any]:
    commands = commands if "call_command" in commands else f"{commands}call_command = None\n"
    for name, text in {**DJANGO, "django/core/management.py": commands, **changes}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    argv = [sys.executable, str(databases.SCRIPT), str(folder)]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.partition(databases.ASKED)[2])
    return answer


@pytest.mark.proves("migrate.models-ahead")
@pytest.mark.parametrize(("command", "words"), [("object()", "Create model Note"), ("Command", "of its own")])
def test_django_s_own_command_says_how_models_are_compared(tmp_path: Path, command: str, words: str) -> None:
    commands = f"{OWN}    WORDS = 'of its own'\nclass Command:\n    autodetector = Own\n"
    commands += "def get_commands(): return {'makemigrations': 'django.core'}\n"
    answer = ask(tmp_path, f"{commands}def load_command_class(app, name): return {command}\n")
    assert answer == {"databases": [], "apps": [{"app": "notes", "own": True, "changes": [words]}]}


@pytest.mark.proves("migrate.models-ahead")
def test_a_project_s_own_makemigrations_knows_alone_what_it_leaves_out(tmp_path: Path) -> None:
    commands = "load_command_class = None\ndef get_commands(): return {'makemigrations': 'shop.base'}\n"
    answer = ask(tmp_path, commands)
    assert answer["apps"] == []
    assert answer["unknown"].startswith("shop.base has a makemigrations of its own")


@pytest.mark.proves("migrate.skipped")
@pytest.mark.parametrize(
    ("ends", "work"),
    [
        ("return", False),
        ("raise SystemExit(0)", False),
        ("raise SystemExit(1)", True),
        # Another migrate of the project's own may know no such option.
        ("raise TypeError('Unknown option(s) for migrate command: check_unapplied')", None),
    ],
)
def test_migrate_itself_says_whether_it_has_work(tmp_path: Path, ends: str, work: bool | None) -> None:
    commands = "load_command_class = None\ndef get_commands(): return {'makemigrations': 'shop.base'}\n"
    commands += "def call_command(name, **options):\n"
    commands += "    assert name == 'migrate' and options['check_unapplied'] and options['database'] == 'default'\n"
    commands += f"    print('for nobody', file=options['stdout'])\n    {ends}\n"
    models = DJANGO["django/apps.py"].replace("lambda **_: []", "lambda **_: [MODEL]")
    model = "MODEL = type('M', (), {'_meta': type('O', (), {'managed': True})})\n"
    changes = {"django/apps.py": model + models, "django/db/__init__.py": CONNECTION}
    [database] = ask(tmp_path, commands, **changes)["databases"]
    assert database == {"alias": "default", "whyNot": "", "collation": [], "work": work}
