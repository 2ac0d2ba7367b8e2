"""Geographic fields in a database whose engine knows none: told where the source decides it, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codesensei.config import StackConfig
from codesensei.source import SourceError, geography, read_code
from tests.source.conftest import Repository
from tests.source.test_code import HOST_KEY
from tests.source.test_inspect import START

MODELS = "from django.contrib.gis.db import models\nclass Place(models.Model):\n    at = models.PointField()\n"
MIGRATION = """import django.contrib.gis.db.models.fields
from django.db import migrations, models
class Migration(migrations.Migration):
    operations = [
        migrations.CreateModel("Place", [("at", django.contrib.gis.db.models.fields.PointField(srid=4326))]),
    ]
"""
PLACES = {"places/__init__.py": "", "places/models.py": MODELS, "places/migrations/__init__.py": ""}
PLACES["places/migrations/0001_initial.py"] = MIGRATION
PACKAGES = {"requirements.txt": "django\npsycopg\ndj-database-url\ndjango-environ\ndjango-more\n"}
APPS = "INSTALLED_APPS = ['places']\nINSTALLED_APPS += ['django.contrib.gis']\n"
PLAIN, POSTGIS = "django.db.backends.postgresql", "django.contrib.gis.db.backends.postgis"
URL = "import dj_database_url\n"
ENVIRON = "import environ\nenv = environ.Env()\n"
PARTS = f"DATABASES = {{'default': {{'ENGINE': '{PLAIN}', 'NAME': os.environ['DB']}}}}\n"
GENERATED = f"{URL}DATABASES = {{'default': dj_database_url.config()}}\n"
NEEDS = "and the geographic fields of places/models.py:3 need an ENGINE of GeoDjango's"


@pytest.fixture
def told(repository: Repository, tmp_path: Path) -> Any:
    """What is told of a project's geographic fields: warnings; SourceError for what is certain."""

    def read(text: str, scheme: str = "postgres", files: Any = None, **top: Any) -> list[str]:
        settings = {"config/settings.py": f"import os\n{APPS}{text}"}
        repository.commit({**START, **PACKAGES, **PLACES, **settings, **(files or {})})
        config = {
            "server": {"host": "203.0.113.7", "hostKey": HOST_KEY},
            "project": {
                "slug": "shop",
                "source": {"path": str(repository.directory), "revision": "main"},
                "settingsModule": "config.settings",
            },
            **top,
        }
        code = read_code(StackConfig.model_validate(config), tmp_path / "cache")
        found = [*code.warnings, *geography.hold(code.geography, scheme)]
        return [one for one in found if "GeoDjango" in one]

    return read


MAPPED = {"database": {"env": {"DB": "name", "U": "user", "P": "password"}, "extensions": ["postgis"]}}
OTHER_URL = {"database": {"env": {"X": "url"}}}


@pytest.mark.proves("preview.geography")
@pytest.mark.parametrize(
    ("text", "how", "more"),
    [
        (GENERATED, "scheme is postgres", {}),
        (f"{URL}DATABASES = {{'default': dj_database_url.config(conn_max_age=600)}}\n", "scheme is postgres", {}),
        (f"{URL}DATABASES = {{'default': dj_database_url.config(env='X')}}\n", "scheme is postgres", OTHER_URL),
        (f"{URL}DATABASES = {{'default': dj_database_url.parse(os.environ['DATABASE_URL'])}}\n", "scheme is", {}),
        ("from dj_database_url import parse\nDATABASES = {'default': parse(os.environ['X'])}\n", "is", OTHER_URL),
        (f"{ENVIRON}DATABASES = {{'default': env.db()}}\n", "scheme is postgres", {}),
        (f"{ENVIRON}DATABASES = {{'default': env.db('DATABASE_URL', default='sqlite:///x')}}\n", "scheme is", {}),
        (PARTS, f"DATABASES names {PLAIN}", MAPPED),
        (PARTS.replace(PLAIN, f"{PLAIN}_psycopg2"), f"DATABASES names {PLAIN}_psycopg2", MAPPED),
        (PARTS.replace(f"'{PLAIN}'", "os.environ['E']"), f"names {PLAIN}", {**MAPPED, "env": {"E": PLAIN}}),
        (f"{URL}DATABASES = {{'default': dj_database_url.config(engine='{PLAIN}')}}\n", f"names {PLAIN}", {}),
        (GENERATED, "scheme is postgres", {"secretEnv": ("DATABASE_URL",)}),
    ],
)
def test_an_engine_that_knows_no_geography_is_refused(told: Any, text: str, how: str, more: Any) -> None:
    with pytest.raises(SourceError) as caught:
        told(text, **more)
    assert how in str(caught.value)
    assert NEEDS in str(caught.value)
    assert f'["ENGINE"] = "{POSTGIS}"' in str(caught.value)
    has_extension = "extensions" in more.get("database", {})
    assert ("set codesensei:database.extensions: [postgis]" in str(caught.value)) is not has_extension


@pytest.mark.proves("preview.geography")
@pytest.mark.parametrize(
    ("text", "scheme", "more"),
    [
        (f"{GENERATED}DATABASES['default']['ENGINE'] = '{POSTGIS}'\n", "postgres", {}),
        (f"{GENERATED}if os.name:\n    DATABASES['default']['ENGINE'] = '{POSTGIS}'\n", "postgres", {}),
        (f"{GENERATED}DATABASES['default'].update(made())\n", "postgres", {}),
        (f"{GENERATED}DATABASES['default']['ENGINE'] = made()\n", "postgres", {}),
        (f"{GENERATED}for name in DATABASES:\n    DATABASES[name]['ENGINE'] = made()\n", "postgres", {}),
        (f"{GENERATED}more(globals())\n", "postgres", {}),
        (f"{GENERATED}from django_more import *\n", "postgres", {}),
        (f"{URL}DATABASES = {{'default': dj_database_url.config(engine='{POSTGIS}')}}\n", "postgres", {}),
        (f"{URL}DATABASES = {{'default': dj_database_url.config(engine=made())}}\n", "postgres", {}),
        (f"{URL}DATABASES = {{'default': dj_database_url.config(**made())}}\n", "postgres", {}),
        (f"{URL}DATABASES = {{'default': dj_database_url.config(env='OTHER', default='a')}}\n", "postgres", {}),
        (f"{URL}dj_database_url.register(made(), 'postgis')\n{GENERATED}", "postgres", {}),
        (f"{URL}DATABASES = {{'default': dj_database_url.parse(made(os.environ['DATABASE_URL']))}}\n", "postgres", {}),
        (f"{ENVIRON}DATABASES = {{'default': env.db(engine='{POSTGIS}')}}\n", "postgres", {}),
        (
            f"{ENVIRON}environ.Env.DB_SCHEMES['postgres'] = '{POSTGIS}'\nDATABASES = {{'default': env.db()}}\n",
            "pgsql",
            {},
        ),
        (f"{ENVIRON}DB = env.db()\nDB['ENGINE'] = made()\nDATABASES = {{'default': DB}}\n", "postgres", {}),
        (GENERATED, "postgis", {"secretEnv": ("DATABASE_URL",)}),
        (GENERATED, "postgres+other", {"secretEnv": ("DATABASE_URL",)}),
        (GENERATED, "postgres", MAPPED),
        (GENERATED, "", {"database": {"kind": "none"}}),
        (PARTS.replace(f"'{PLAIN}'", "os.environ['E']"), "postgres", {**MAPPED, "secretEnv": ("E",)}),
        (PARTS.replace(f"'{PLAIN}'", "os.environ['E']"), "postgres", {**MAPPED, "env": {"E": POSTGIS}}),
        (PARTS.replace(PLAIN, "django_tenants.postgresql_backend"), "postgres", MAPPED),
        (f"if os.name:\n    {PARTS}else:\n    DATABASES = made()\n", "postgres", MAPPED),
        ("DATABASES = made()\n", "postgres", {}),
    ],
)
def test_an_engine_that_may_be_geodjango_s_is_none_of_its_business(
    told: Any, text: str, scheme: str, more: Any
) -> None:
    made = "from config.made import made, more\n"
    assert told(f"{made}{text}", scheme, {"config/made.py": "made = more = None\n"}, **more) == []


@pytest.mark.proves("preview.geography")
@pytest.mark.parametrize(
    "files",
    [
        {"places/models.py": MODELS.replace("PointField", "TextField")},
        {"places/models.py": MODELS.replace("contrib.gis.", "").replace("PointField", "TextField")},
        {"places/models.py": "from django.contrib.gis import forms as f\nclass A(f.Form):\n    at = f.PointField()\n"},
        {"places/models.py": "try:\n    from django.contrib.gis.db import models\nexcept ImportError:\n    pass\n"},
        {".env": "DATABASE_URL=postgis://a:b@db/shop\n"},
        {"config/settings.py": f"import os\nINSTALLED_APPS = ['django.contrib.gis']\n{GENERATED}"},
    ],
)
def test_what_needs_no_geography_is_left_alone(told: Any, files: dict[str, str]) -> None:
    """Old migrations may have had it."""
    assert told(GENERATED, files=files) == []


@pytest.mark.proves("preview.geography")
@pytest.mark.parametrize(
    ("text", "files"),
    [
        (f"{GENERATED}DATABASES['default']['CONN_MAX_AGE'] = 60\n", {}),
        (f"{GENERATED}DATABASE_ROUTERS = ['places.routers.Router']\n", {}),
        (GENERATED, {"places/migrations/0001_initial.py": MIGRATION.replace("PointField", "TextField")}),
        (GENERATED, {"places/migrations/0001_initial.py": MIGRATION.replace("]),", "], options={'managed': False}),")}),
    ],
)
def test_what_is_not_certain_is_a_warning(told: Any, text: str, files: dict[str, str]) -> None:
    [warning] = told(text, files=files)
    assert NEEDS in warning
    assert "unless something changes it" in warning
