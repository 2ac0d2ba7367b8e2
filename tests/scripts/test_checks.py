"""Settings with which a site would lose data, each stopped with the line to change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base.step import Failure
from codesensei.scripts.release import checks
from codesensei.scripts.release.release import Release
from codesensei.wire import paths

RELEASE = Release(paths.ProjectPaths("shop"), "aaaaaaa-bbbbbbb", "deploy", ".", "config.settings")
HERE = "/srv/codesensei/shop/releases/aaaaaaa-bbbbbbb"
POSTGRES = {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": "shop",
    "USER": "shop",
    "HOST": "127.0.0.1",
    "PORT": "",
}
GENERATED = {"kind": "generated", "name": "shop", "role": "shop", "variables": {"DATABASE_URL": "url"}}
DATA: dict[str, Any] = {
    "static": "serve",
    "staticUrl": "/static/",
    "settingsModule": "config.settings",
    "database": GENERATED,
}


def facts(**changes: Any) -> dict[str, Any]:
    return {
        "databases": {"default": POSTGRES},
        "MEDIA_ROOT": "/srv/codesensei/shop/shared/media",
        "MEDIA_URL": "/media/",
        "STATIC_ROOT": f"{HERE}/staticfiles",
        "STATIC_URL": "/static/",
        "installedStaticfiles": True,
        "ASGI_APPLICATION": "",
        "WSGI_APPLICATION": "config.wsgi.application",
        **changes,
    }


def sqlite(name: str) -> dict[str, Any]:
    return {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "USER": "", "HOST": "", "PORT": ""}}


@pytest.mark.parametrize(
    ("asgi", "wsgi", "data", "thing", "fix"),
    [
        ("", "config.wsgi.application", {"asgiDeclared": True}, "ASGI_APPLICATION", "project.interface to wsgi"),
        ("a.b.c", "", {"asgiDeclared": False}, "ASGI_APPLICATION: Django says a.b.c", "project.interface to asgi"),
        ("", "a.b.c", {"wsgiDeclared": "x.y:z"}, "WSGI_APPLICATION: Django says a.b.c", "wsgiApplication: a.b:c"),
    ],
)
def test_what_was_read_is_not_what_django_says(
    asgi: str, wsgi: str, data: dict[str, Any], thing: str, fix: str
) -> None:
    with pytest.raises(Failure, match=thing) as caught:
        checks.check(facts(ASGI_APPLICATION=asgi, WSGI_APPLICATION=wsgi), RELEASE, {**DATA, **data})
    assert fix in caught.value.fix


@pytest.mark.parametrize("data", [{"asgiDeclared": None}, {"asgiDeclared": True, "wsgiDeclared": None}])
def test_what_the_stack_config_decides_is_not_held_against_django(data: dict[str, Any]) -> None:
    checks.check(facts(ASGI_APPLICATION="a.b.c", WSGI_APPLICATION=""), RELEASE, {**DATA, **data})


def test_sound_settings_pass() -> None:
    checks.check(facts(), RELEASE, DATA)


@pytest.mark.proves(
    "django.sqlite-inside",
    "django.media-inside",
    "django.database-unused",
    "django.static-root-outside",
    "django.static-url-other",
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
        ({"MEDIA_ROOT": f"{HERE}/media"}, {}, "MEDIA_ROOT", "/srv/codesensei/shop/shared/media"),
        ({"MEDIA_ROOT": "media"}, {}, "MEDIA_ROOT", "shared/media"),
        (
            {"MEDIA_ROOT": "/srv/codesensei/shop/shared/data/media"},
            {"mediaUrl": "/media/"},
            "MEDIA_ROOT: it is /srv/codesensei/shop/shared/data/media, and .* nginx serves",
            'set MEDIA_ROOT = "/srv/codesensei/shop/shared/media"',
        ),
        ({"MEDIA_URL": "/files/"}, {"mediaUrl": "/media/"}, "MEDIA_URL: Django says /files/", "as a plain string"),
        (
            {"MEDIA_URL": "https://cdn.example/media/"},
            {"mediaUrl": "/media/"},
            "MEDIA_URL: Django says https://cdn.example/media/",
            "mediaServing to none",
        ),
        ({"STATIC_ROOT": ""}, {}, "STATIC_ROOT", "BASE_DIR"),
        ({"STATIC_ROOT": "/srv/codesensei/shop/shared/static"}, {}, "STATIC_ROOT", "BASE_DIR"),
        ({"STATIC_ROOT": HERE}, {}, "STATIC_ROOT", "BASE_DIR"),
        ({"STATIC_URL": "/assets/"}, {}, "STATIC_URL", "plain string"),
        ({"STATIC_URL": "https://cdn.example.com/static/"}, {}, "STATIC_URL", "static to none"),
        ({"databases": sqlite(f"file:{HERE}/db%20x.sqlite3?mode=rwc")}, {}, "db x.sqlite3 lies", "shared/db.sqlite3"),
        ({"databases": sqlite("/srv/codesensei/shop/current/db.sqlite3")}, {}, "inside the release", "shared"),
        ({"databases": sqlite("../../elsewhere.db")}, {}, "inside the release", "shared"),
        ({"MEDIA_ROOT": "/srv/codesensei/shop/current/media"}, {}, "MEDIA_ROOT", "shared/media"),
        ({"databases": sqlite("/srv/codesensei/shop/shared/db.sqlite3")}, {}, "DATABASES", "dj_database_url.config()"),
        (
            {"databases": {"default": {**POSTGRES, "USER": "another"}}},
            {"database": {**GENERATED, "variables": {"DATABASE_DSN": "url"}}},
            r"do not use the generated database shop \(default: postgresql shop\)",
            'dj_database_url.config(env="DATABASE_DSN")',
        ),
        (
            {"databases": {"default": {**POSTGRES, "NAME": "another"}}},
            {"database": {**GENERATED, "variables": {"DB_NAME": "name", "DB_USER": "user", "DB_PASSWORD": "password"}}},
            r"default: postgresql another",
            'write in config.settings: DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", '
            '"NAME": os.environ["DB_NAME"], "USER": os.environ["DB_USER"], "PASSWORD": os.environ["DB_PASSWORD"]}}',
        ),
    ],
)
def test_refused(changes: dict[str, Any], data: dict[str, Any], thing: str, fix: str) -> None:
    with pytest.raises(Failure, match=thing) as caught:
        checks.check(facts(**changes), RELEASE, {**DATA, **data})
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("changes", "data"),
    [
        ({"databases": sqlite("/srv/codesensei/shop/shared/db.sqlite3")}, {"database": {"kind": "sqlite"}}),
        ({"databases": sqlite(":memory:")}, {"database": {"kind": "none"}}),
        ({"databases": sqlite("file:x?mode=memory&cache=shared")}, {"database": {"kind": "none"}}),
        ({"databases": sqlite("/var/lib/shop/db.sqlite3")}, {"database": {"kind": "sqlite"}}),
        ({"databases": {"default": sqlite("x")["default"] | {"NAME": ":memory:"}, "main": POSTGRES}}, {}),
        ({"databases": {"default": {**POSTGRES, "ENGINE": "django_tenants.postgresql_backend", "HOST": ""}}}, {}),
        ({"MEDIA_ROOT": ""}, {}),
        ({"STATIC_ROOT": "", "STATIC_URL": "https://cdn.example.com/"}, {"static": "none"}),
        ({"STATIC_ROOT": "", "installedStaticfiles": False}, {}),
        ({"STATIC_ROOT": "staticfiles"}, {}),
    ],
)
def test_allowed(changes: dict[str, Any], data: dict[str, Any]) -> None:
    checks.check(facts(**changes), RELEASE, {**DATA, **data})


def test_links_are_resolved_before_they_are_judged(tmp_path: Path) -> None:
    (tmp_path / "release").mkdir()
    (tmp_path / "link").symlink_to("release")
    assert checks.inside(str(tmp_path / "link" / "db.sqlite3"), tmp_path / "release")
    assert not checks.inside(str(tmp_path / "release-2"), tmp_path / "release")
