"""Apps with models and no migrations are named in preview; only what is certain counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from codesensei.source import Checkout
from codesensei.source.models import without_migrations
from codesensei.source.settings import Modules

MODEL = "from django.db import models\nclass Note(models.Model):\n    pass\n"
SETTINGS = 'INSTALLED_APPS = ["django.contrib.auth", "notes"]\n'
Made = Callable[[Mapping[str, str]], Checkout]


def warnings(project: Checkout, *roots: str, settings: str = "config.settings") -> list[str]:
    return without_migrations(Modules(project, ".", roots), settings)


@pytest.mark.proves("preview.models")
@pytest.mark.parametrize(
    "files",
    [
        {},
        {"notes/migrations/__init__.py": ""},
        {"notes/models.py": "", "notes/models/__init__.py": "", "notes/models/note.py": MODEL},
        {"config/settings.py": "from config.base import *", "config/base.py": SETTINGS},
        {"config/settings.py": 'INSTALLED_APPS = ["notes.apps.NotesConfig"]'},
        {
            "config/settings.py": 'from split_settings.tools import include\ninclude("parts/*.py")',
            "config/parts/apps.py": SETTINGS,
        },
        {"notes/models.py": f"{MODEL}class Old(Note):\n    class Meta:\n        proxy = True\n"},
        {
            "notes/models.py": "from django.db import models\nclass Base(models.Model):\n    class Meta:\n"
            "        abstract = True\nclass Note(Base):\n    pass\n"
        },
        {
            "notes/models.py": "from django.contrib.auth.models import AbstractUser\n"
            "class Note(AbstractUser):\n    pass\n"
        },
    ],
)
def test_an_app_without_migrations_is_named(project_of: Made, files: dict[str, str]) -> None:
    project = project_of({"config/settings.py": SETTINGS, "notes/models.py": MODEL, **files})
    [warning] = warnings(project)
    assert warning == (
        f"notes has no migrations in commit {project.short}, so no tables are made for its models (Note):"
        " run manage.py makemigrations notes and commit them"
    )


@pytest.mark.proves("preview.models")
def test_the_line_of_gitignore_is_named(project_of: Made) -> None:
    ignore = "*.pyc\n**/migrations/*\n!**/migrations/__init__.py\n"
    project = project_of({"config/settings.py": SETTINGS, "notes/models.py": MODEL, ".gitignore": ignore})
    [warning] = warnings(project)
    assert warning.endswith("and commit them; .gitignore keeps them out by the line **/migrations/*")


def test_an_app_below_another_root(project_of: Made) -> None:
    project = project_of({"config/settings.py": SETTINGS, "src/notes/models.py": MODEL})
    assert len(warnings(project, "src")) == 1
    assert warnings(project) == []


@pytest.mark.parametrize(
    "files",
    [
        {"notes/migrations/0001_initial.py": ""},
        {"notes/migrations/first.py": ""},
        {"config/settings.py": 'INSTALLED_APPS = ["others"]'},
        {"config/settings.py": f'{SETTINGS}MIGRATION_MODULES = {{"notes": "moved.notes"}}'},
        {"config/settings.py": "this is no Python"},
        {"notes/models.py": "class Note(Model):\n    pass\n"},
        {"notes/models.py": f"{MODEL}    class Meta:\n        managed = False\n"},
        {"notes/models.py": f"{MODEL}    class Meta:\n        abstract = True\n"},
        {"notes/models.py": "from django.db import models\nclass Notes(models.Manager):\n    pass\n"},
        {"notes/models.py": "from django.db import models\nthis is no Python"},
    ],
)
def test_other_apps_are_not(project_of: Made, files: dict[str, str]) -> None:
    assert warnings(project_of({"config/settings.py": SETTINGS, "notes/models.py": MODEL, **files})) == []


@pytest.mark.proves("preview.models")
@pytest.mark.parametrize(
    "base",
    ["from pydantic import BaseModel\nclass Note(BaseModel)", "import pydantic\nclass Note(pydantic.BaseModel)"],
)
def test_models_of_other_packages_have_no_tables(project_of: Made, base: str) -> None:
    models = f"from django.conf import settings\n{base}:\n    text: str\n"
    project = project_of({"config/settings.py": SETTINGS, "notes/__init__.py": "", "notes/models.py": models})
    assert without_migrations(Modules(project, "."), "config.settings") == []
