"""Settings with which a site would lose data, each stopped with the line to change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base.step import Failure
from codesensei.scripts.base.together import raise_all
from codesensei.scripts.release import checks
from codesensei.scripts.release.record import DatabaseFacts, Facts
from codesensei.scripts.release.release import Release
from codesensei.wire import paths
from codesensei.wire.steps import Build, BuildDatabase
from tests.scripts import examples
from tests.scripts.examples import BUILD, database_facts

RELEASE = Release(paths.ProjectPaths("shop"), "aaaaaaa-bbbbbbb", "deploy", ".", "config.settings")
HERE = "/srv/codesensei/shop/releases/aaaaaaa-bbbbbbb"
POSTGRES = database_facts("django.db.backends.postgresql", "shop", "shop")
GENERATED = BuildDatabase(kind="generated", name="shop", role="shop", variables={"DATABASE_URL": "url"})
NONE = BuildDatabase(kind="none", name="", role="", variables={})
DATA = replace(BUILD, database=GENERATED)
PARTS = {"DB_NAME": "name", "DB_USER": "user", "DB_PASSWORD": "password"}
SHARED = "/srv/codesensei/shop/shared"


def facts(**changes: Any) -> Facts:
    known = examples.facts(
        databases={"default": POSTGRES},
        media_root=f"{SHARED}/media",
        media_url="/media/",
        static_root=f"{HERE}/staticfiles",
    )
    return replace(known, **changes)


def refuse(facts: Facts, release: Release, data: Build) -> None:
    raise_all(checks.problems(facts, release, data))


def sqlite(name: str) -> dict[str, DatabaseFacts]:
    return {"default": database_facts("django.db.backends.sqlite3", name)}


@pytest.mark.proves("django.debug")
@pytest.mark.parametrize(
    ("debug", "production", "waived", "refused"),
    [(1, 1, 0, True), (1, 0, 0, False), (0, 1, 0, False), (1, 1, 1, False)],
)
def test_debug_is_refused_in_production(
    server: Path, debug: bool, production: bool, waived: bool, refused: bool
) -> None:
    """With what overrides the stack's variables, of which DEBUG may be the end."""
    env_file = RELEASE.env_file
    env_file.parent.mkdir(parents=True)
    env_file.write_text('SHOP_DEBUG="0"\nGREETING="Hello"\n')
    said = facts(debug=bool(debug), overridden=("HOME", "SHOP_DEBUG"))
    manifest = replace(examples.MANIFEST, production=bool(production), waived=("debug",) if waived else ())
    found = [*checks.debug_in_production(said, RELEASE, manifest)]
    assert len(found) == refused
    for failure in found:
        assert failure.cause.startswith("codesensei:production is true, and DEBUG is on in config.settings: ")
        assert failure.cause.endswith("; the project does not have the stack's values of SHOP_DEBUG")
        assert failure.fix.startswith("set DEBUG = False in config.settings; remove what overrides them")
        assert failure.fix.endswith('; or give your reason: codesensei:waive: {debug: "…"}')


@pytest.mark.parametrize(
    ("asgi", "wsgi", "data", "thing", "fix"),
    [
        ("", "config.wsgi.application", {"asgi_declared": True}, "ASGI_APPLICATION", "project.interface to wsgi"),
        ("a.b.c", "", {"asgi_declared": False}, "ASGI_APPLICATION: Django says a.b.c", "project.interface to asgi"),
        ("", "a.b.c", {"wsgi_declared": "x.y:z"}, "WSGI_APPLICATION: Django says a.b.c", "wsgiApplication: a.b:c"),
    ],
)
def test_what_was_read_is_not_what_django_says(
    asgi: str, wsgi: str, data: dict[str, Any], thing: str, fix: str
) -> None:
    with pytest.raises(Failure, match=thing) as caught:
        refuse(facts(asgi_application=asgi, wsgi_application=wsgi), RELEASE, replace(DATA, **data))
    assert fix in caught.value.fix


@pytest.mark.parametrize("data", [{"asgi_declared": None}, {"asgi_declared": True, "wsgi_declared": None}])
def test_what_the_stack_config_decides_is_not_held_against_django(data: dict[str, Any]) -> None:
    refuse(facts(asgi_application="a.b.c", wsgi_application=""), RELEASE, replace(DATA, **data))


def test_sound_settings_pass() -> None:
    refuse(facts(), RELEASE, DATA)


@pytest.mark.proves(
    "django.sqlite-inside",
    "django.media-inside",
    "django.database-unused",
    "django.static-root-outside",
    "django.static-url-other",
    "shared-paths.static",
)
@pytest.mark.parametrize(
    ("changes", "data", "thing", "fix"),
    [
        (
            {"databases": sqlite(f"{HERE}/db.sqlite3")},
            {},
            r"DATABASES\['default'\]",
            "sqlite:////srv/codesensei/shop/shared/db.sqlite3",
        ),
        ({"databases": sqlite("db.sqlite3")}, {}, r"DATABASES\['default'\]", "DATABASE_URL"),
        (
            {"databases": {"default": POSTGRES, "logs": sqlite("logs.sqlite3")["default"]}},
            {},
            r"DATABASES\['logs'\]",
            'DATABASES[\'logs\']["NAME"] = "/srv/codesensei/shop/shared/logs.sqlite3"',
        ),
        ({"media_root": f"{HERE}/media"}, {}, "MEDIA_ROOT", "/srv/codesensei/shop/shared/media"),
        ({"media_root": f"{HERE}/var/media"}, {}, "MEDIA_ROOT", "add var/media to project.sharedPaths, or set MEDIA"),
        (
            {"media_root": "/srv/codesensei/shop/shared/media"},
            {"media_url": "/media/", "media": "server/media"},
            "MEDIA_ROOT: it is /srv/codesensei/shop/shared/media, and .* nginx serves",
            'set MEDIA_ROOT = "/srv/codesensei/shop/shared/server/media"',
        ),
        ({"media_root": "media"}, {}, "MEDIA_ROOT", "shared/media"),
        (
            # The storage is one of the project's own, as Spirit's.
            {"media_root": f"{HERE}/board/media/", "uploads_on_disk": False},
            {"media_url": "/media/"},
            "MEDIA_ROOT: it is .*/board/media/, and .* nginx serves",
            'add board/media to project.sharedPaths, or set MEDIA_ROOT = "/srv/codesensei/shop/shared/media"',
        ),
        (
            {"media_root": "/srv/codesensei/shop/shared/data/media"},
            {"media_url": "/media/"},
            "MEDIA_ROOT: it is /srv/codesensei/shop/shared/data/media, and .* nginx serves",
            'set MEDIA_ROOT = "/srv/codesensei/shop/shared/media"',
        ),
        ({"media_url": "/files/"}, {"media_url": "/media/"}, "MEDIA_URL: Django says /files/", "as a plain string"),
        (
            {"media_url": "https://cdn.example/media/"},
            {"media_url": "/media/"},
            "MEDIA_URL: Django says https://cdn.example/media/",
            "mediaServing to none",
        ),
        ({"static_root": ""}, {}, "STATIC_ROOT", "BASE_DIR"),
        ({"static_root": "/srv/codesensei/shop/shared/static"}, {}, "STATIC_ROOT", "BASE_DIR"),
        ({"static_root": HERE}, {}, "STATIC_ROOT", "BASE_DIR"),
        (
            {"static_root": f"{HERE}/static/"},
            {"shared_paths": ("media", "static/CACHE")},
            "project.sharedPaths: static/CACHE: it lies in STATIC_ROOT",
            "COMPRESS_ROOT = MEDIA_ROOT",
        ),
        ({"static_url": "/assets/"}, {}, "STATIC_URL", "plain string"),
        ({"static_url": "https://cdn.example.com/static/"}, {}, "STATIC_URL", "static to none"),
        ({"databases": sqlite(f"file:{HERE}/db%20x.sqlite3?mode=rwc")}, {}, "db x.sqlite3 lies", "shared/db.sqlite3"),
        ({"databases": sqlite("/srv/codesensei/shop/current/db.sqlite3")}, {}, "inside the release", "shared"),
        ({"databases": sqlite("../../elsewhere.db")}, {}, "inside the release", "shared"),
        ({"media_root": "/srv/codesensei/shop/current/media"}, {}, "MEDIA_ROOT", "shared/media"),
        ({"databases": sqlite("/srv/codesensei/shop/shared/db.sqlite3")}, {}, "DATABASES", "dj_database_url.config()"),
        (
            {"databases": {"default": replace(POSTGRES, user="another")}},
            {"database": replace(GENERATED, variables={"DATABASE_DSN": "url"})},
            r"do not use the generated database shop \(default: postgresql shop\)",
            'dj_database_url.config(env="DATABASE_DSN")',
        ),
        (
            {"databases": {"default": replace(POSTGRES, name="another")}},
            {"database": replace(GENERATED, variables=PARTS)},
            r"default: postgresql another",
            'write in config.settings: DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", '
            '"NAME": os.environ["DB_NAME"], "USER": os.environ["DB_USER"], "PASSWORD": os.environ["DB_PASSWORD"]}}',
        ),
    ],
)
def test_refused(changes: dict[str, Any], data: dict[str, Any], thing: str, fix: str) -> None:
    with pytest.raises(Failure, match=thing) as caught:
        refuse(facts(**changes), RELEASE, replace(DATA, **data))
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("changes", "data"),
    [
        ({"databases": sqlite("/srv/codesensei/shop/shared/db.sqlite3")}, {"database": replace(NONE, kind="sqlite")}),
        ({"databases": sqlite(":memory:")}, {"database": NONE}),
        ({"databases": sqlite("file:x?mode=memory&cache=shared")}, {"database": NONE}),
        ({"databases": sqlite("/var/lib/shop/db.sqlite3")}, {"database": replace(NONE, kind="sqlite")}),
        ({"databases": {**sqlite(":memory:"), "main": POSTGRES}}, {}),
        ({"databases": {"default": replace(POSTGRES, engine="django_tenants.postgresql_backend")}}, {}),
        ({"media_root": ""}, {}),
        ({"media_root": f"{HERE}/media", "uploads_on_disk": False}, {}),
        ({"static_root": "", "static_url": "https://cdn.example.com/"}, {"static": "none"}),
        ({"static_root": "", "installed_staticfiles": False}, {}),
        ({"static_root": "staticfiles"}, {}),
        ({"static_root": "static"}, {"shared_paths": ("statics", "media")}),
    ],
)
def test_allowed(changes: dict[str, Any], data: dict[str, Any]) -> None:
    refuse(facts(**changes), RELEASE, replace(DATA, **data))


def test_links_are_resolved_before_they_are_judged(tmp_path: Path) -> None:
    (tmp_path / "release").mkdir()
    (tmp_path / "link").symlink_to("release")
    assert checks.inside(str(tmp_path / "link" / "db.sqlite3"), tmp_path / "release")
    assert not checks.inside(str(tmp_path / "release-2"), tmp_path / "release")


@pytest.mark.proves("errors.all-at-once")
def test_everything_wrong_in_the_settings_is_told_at_once() -> None:
    wrong = facts(
        databases=sqlite("db.sqlite3"),
        media_root="media",
        static_root="",
        static_url="/assets/",
        asgi_application="a.b.c",
    )
    with pytest.raises(Failure) as caught:
        refuse(wrong, RELEASE, replace(DATA, asgi_declared=False))
    text = caught.value.text()
    for thing in ("ASGI_APPLICATION", "DATABASES['default']", "MEDIA_ROOT", "STATIC_ROOT", "STATIC_URL"):
        assert text.count(f"error: {thing} ") == 1
    assert text.count("fix: ") == 5
    # The generated database is the first way out, and told once.
    assert "write in config.settings: DATABASES" in text


def test_what_follows_from_a_problem_is_not_told_as_another_one() -> None:
    with pytest.raises(Failure) as caught:
        refuse(facts(media_root="media"), RELEASE, replace(DATA, media_url="/media/"))
    assert caught.value.text().count("MEDIA_ROOT on ") == 1
