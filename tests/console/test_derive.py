"""The config of a review stack: what it has of the other stack's, and what is its own."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from codesensei.config.secrecy import StackFile, secrecy_of
from codesensei.console.derive import Review, derive, slug_of
from codesensei.console.errors import CommandError
from codesensei.wire.names import is_system_unit, web_unit

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeg8v5YoCtgoPJ83jBCs53tPoFqv/okNt4s5bQHsXEI"
COMMIT = "9c1e" * 10
LOGIN = "-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n"
# As the engine has it: what stands at the top is text.
STAGING: dict[str, Any] = {
    "server": {"host": "203.0.113.7", "user": "root", "hostKey": KEY},
    "sshPrivateKey": LOGIN,
    "digestKey": "canary-of-the-digest-key",
    "production": "false",
    "drift": "true",
    "adopt": "true",
    "project": {
        "slug": "shop",
        "name": "The shop",
        "source": {"git": "https://github.com/example/shop.git", "revision": "v1.4.0"},
        "settingsModule": "config.settings",
        "user": "deploy",
        "shareUser": True,
        "workers": {"worker": "celery -A config worker --schedule /srv/codesensei/shop/shared/beat"},
    },
    "domains": ["shop.example.com", "*.shop.example.com"],
    "appsDomain": "apps.example.com",
    "backups": {"to": "/backups/shop", "password": "canary-of-the-backups"},
    "promoteFrom": "testing",
    "newServer": "empty",
    "shares": ["broker database 3"],
    "waive": {"debug": "a trial"},
    "env": {
        "DJANGO_ALLOWED_HOSTS": "shop.example.com,.apps.example.com,www.shop.example.com.test",
        "ORIGINS": "'https://shop.example.com'",
        "MEDIA": "/srv/codesensei/shop/shared/media:/srv/codesensei/shop-2/shared",
        "PORT": 587,
    },
    "secretEnv": {"API_TOKEN": "canary-of-the-token"},
    "generateSecrets": ["SECRET_KEY"],
}


def made(base: dict[str, Any] | None = None, branch: str = "feature/prices", **options: Any) -> Review:
    return derive(base or STAGING, "staging", branch, COMMIT, **options)


def changed(**changes: Any) -> dict[str, Any]:
    """The stack with other keys: `env__REDIS` is one in a map, None takes one away."""
    base = copy.deepcopy(STAGING)
    for path, value in changes.items():
        place, (*folders, key) = base, path.split("__")
        for folder in folders:
            place = place.setdefault(folder, {})
        if value is None:
            del place[key]
        else:
            place[key] = value
    return base


@pytest.mark.proves("review-stack.own")
@pytest.mark.parametrize(
    ("slug", "branch", "begins"),
    [
        ("shop", "feature/prices", "shop-feature-prices-"),
        ("shop", "Feature_Prices", "shop-feature-prices-"),
        ("shop", "worker", "shop-worker-"),
        ("shop", "123", "shop-123-"),
        ("shop", "größe", "shop-gr-e-"),
        ("shop", "雨", "shop-"),
        ("shop", "dependabot/pip/django-5.2.8-and-much-more", "shop-dependabot-pip-djan-"),
        ("a-very-long-project-name", "main", "a-very-long-main-"),
        ("a-very-long-project-name", "x" * 99, "a-very-long-xxxxxxxxxxxx-"),
    ],
)
def test_a_slug_for_each_branch(slug: str, branch: str, begins: str) -> None:
    found = slug_of(slug, branch)
    assert re.fullmatch(re.escape(begins) + "[0-9a-f]{6}", found)
    assert re.fullmatch("[a-z][a-z0-9-]{0,30}", found)
    assert not is_system_unit(web_unit(found))


@pytest.mark.proves("review-stack.own")
def test_branches_that_read_alike_have_slugs_of_their_own() -> None:
    names = ["feature/prices", "feature-prices", "Feature/prices", "feature/prices/", "x" * 40, "x" * 41]
    assert len({slug_of(slug, name) for slug in ("shop", "shop2", "a" * 20, "a" * 21) for name in names}) == 24


@pytest.mark.proves("review-stack.own")
def test_names_of_its_own() -> None:
    review = made()
    slug = slug_of("shop", "feature/prices")
    assert (review.stack, review.slug) == (f"review-{slug}", slug)
    project = review.plain["project"]
    assert isinstance(project, dict)
    assert (project["slug"], project["user"]) == (slug, slug)
    assert "shareUser" not in project
    assert project["source"] == {"git": "https://github.com/example/shop.git", "revision": COMMIT}
    assert review.plain["domains"] == [f"{slug}.apps.example.com"]
    assert review.plain["reviewOf"] == {"stack": "staging", "branch": "feature/prices"}
    assert review.plain["onDestroy"] == {"database": "drop", "media": "drop"}
    left = {"appsDomain", "backups", "promoteFrom", "newServer", "shares", "waive", "adopt", "digestKey"}
    assert not left & set(review.plain)
    assert review.plain["server"] == STAGING["server"]
    assert made(apps_domain="review.example.org").hostname == f"{slug}.review.example.org"


@pytest.mark.proves("review-stack.own")
def test_variables_that_name_the_other_stack_name_this_one() -> None:
    review = made()
    env, host, place = review.plain["env"], review.hostname, f"/srv/codesensei/{review.slug}/shared"
    assert env == {
        "DJANGO_ALLOWED_HOSTS": f"{host},.apps.example.com,www.shop.example.com.test",
        "ORIGINS": f"'https://{host}'",
        "MEDIA": f"{place}/media:/srv/codesensei/shop-2/shared",
        "PORT": 587,
    }
    project = review.plain["project"]
    assert isinstance(project, dict)
    assert project["workers"] == {"worker": f"celery -A config worker --schedule {place}/beat"}


@pytest.mark.proves("review-stack.secrets")
def test_secrets_are_apart_and_generated_ones_are_new() -> None:
    files = {"certificate": "-----BEGIN CERTIFICATE-----\nMC4C\n-----END CERTIFICATE-----\n", "key": LOGIN}
    review = made(changed(tls=files))
    assert review.secrets == {
        ("secretEnv", "API_TOKEN"): "canary-of-the-token",
        ("sshPrivateKey",): LOGIN,
        ("tls", "key"): LOGIN,
    }
    assert review.plain["generateSecrets"] == ["SECRET_KEY"]
    shown = f"{review.plain} {review.notes} {review}"
    assert "canary" not in shown
    assert "PRIVATE KEY" not in shown


@pytest.mark.proves("env.secret-text")
def test_a_secret_that_is_no_text() -> None:
    assert made(changed(secretEnv__PIN=12345678)).secrets["secretEnv", "PIN"] == "12345678"
    for changes in ({"secretEnv__PIN": True}, {"sshPrivateKey": {"a": LOGIN}}, {"digestKey": 1.5}):
        with pytest.raises(CommandError, match=rf"{next(iter(changes)).replace('__', '.')}: is not text\nfix: set it"):
            made(changed(**changes))


@pytest.mark.proves("review-stack.database")
@pytest.mark.parametrize(
    ("changes", "database"),
    [
        ({"secretEnv__DATABASE_URL": "postgres://shop:canary@127.0.0.1/shop"}, None),
        ({"secretEnv__DATABASE_URL": "postgres://shop:canary@db.example.com/shop", "database__kind": "external"}, None),
        ({"database__name": "store", "database__extensions": ["citext"]}, {"extensions": ["citext"]}),
        (
            {"secretEnv__DATABASE_URL": "postgres://shop:canary@127.0.0.1/shop", "database__env": {"DB_HOST": "host"}},
            {"env": {"DATABASE_URL": "url", "DB_HOST": "host"}},
        ),
        (
            {
                "database__env": {"DB_NAME": "name", "DB_USER": "user", "DB_PASSWORD": "password"},
                "env__DB_NAME": "shop",
                "env__DB_USER": "shop",
                "secretEnv__DB_PASSWORD": "canary",
            },
            {"env": {"DB_NAME": "name", "DB_USER": "user", "DB_PASSWORD": "password"}},
        ),
    ],
)
def test_its_database_is_its_own(changes: dict[str, Any], database: object) -> None:
    review = made(changed(**changes))
    assert review.plain.get("database") == database
    assert set(review.secrets) == {("secretEnv", "API_TOKEN"), ("sshPrivateKey",)}
    assert review.plain["env"] == made().plain["env"]


@pytest.mark.proves("review-stack.database")
def test_a_sqlite_file_of_its_own() -> None:
    url = "sqlite:////srv/codesensei/shop/shared/db.sqlite3"
    review = made(changed(env__DATABASE_URL=url))
    env = review.plain["env"]
    assert isinstance(env, dict)
    assert env["DATABASE_URL"] == url.replace("/shop/", f"/{review.slug}/")


@pytest.mark.proves("review-stack.database")
def test_a_broker_of_its_own() -> None:
    changes = {"env__CELERY_BROKER_URL": "redis://127.0.0.1:6379/0", "secretEnv__CACHE": "redis://localhost/1"}
    review = made(changed(**changes))
    assert review.plain["broker"] == {"env": {"CACHE": "url", "CELERY_BROKER_URL": "url"}}
    assert review.plain["env"] == made().plain["env"]
    assert set(review.secrets) == set(made().secrets)
    assert review.notes == ("CACHE, CELERY_BROKER_URL will lead to a broker of its own",)


@pytest.mark.proves("review-stack.database")
def test_what_leads_to_a_place_of_the_other_stack_is_said() -> None:
    base = changed(secretEnv__SEARCH="postgres://search:canary@db.example.com/search", env__MQ="amqp://mq.example.com")
    notes = made(base).notes
    assert [note.partition(" ")[0] for note in notes] == ["MQ", "SEARCH"]
    assert all("both write there" in note for note in notes)
    assert "canary" not in str(notes)
    assert made(base, without=("MQ", "SEARCH")).notes == ()
    assert made(base, without=("MQ", "SEARCH")).plain["env"] == made().plain["env"]


@pytest.mark.proves("review-stack.data")
def test_what_a_new_database_is_filled_from() -> None:
    mark = {"stack": "staging", "branch": "feature/prices"}
    assert made(data=True).plain["reviewOf"] == {**mark, "dataFrom": "shop"}
    assert made(dump="a" * 64).plain["reviewOf"] == {**mark, "dump": "a" * 64}


@pytest.mark.proves("review-stack.encrypted", "errors.four")
@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"env__API": "canary"}, "env", "codesensei:env: is encrypted, but env holds plain values"),
        ({"backups__to": "canary of ftp"}, "backups", "codesensei:backups.to: is encrypted, but it is not a secret"),
        ({"server__host": "canary@x"}, "server", "codesensei:server.host: is encrypted, but it is not a secret"),
        ({"project__user": "root-canary"}, "project", "codesensei:project: is encrypted, but it is not a secret"),
    ],
)
def test_an_encrypted_value_in_a_wrong_place_is_not_shown(changes: dict[str, Any], key: str, said: str) -> None:
    base, path = changed(**changes), said.split(":")[1]
    places = {tuple(path.split(".")), ("secretEnv",), ("backups", "password"), ("digestKey",), ("sshPrivateKey",)}
    file, sealed = StackFile(frozenset(places), {}), {key, *(place[0] for place in places)}
    with pytest.raises(CommandError) as caught:
        made(base, secrecy=secrecy_of(base, sealed, file))
    assert said in caught.value.message
    assert "\nfix: " in caught.value.message
    assert "canary" not in caught.value.message


@pytest.mark.proves("secrets.never")
def test_a_secret_that_stands_elsewhere_too_is_not_repeated() -> None:
    with pytest.raises(CommandError) as caught:
        made(changed(project__settingsModule="canary-of-the-token"))
    assert "a secret value stands here" in caught.value.message
    assert "canary" not in caught.value.message


SQLITE = {"env__DATABASE_URL": "sqlite:////srv/codesensei/shop/shared/db.sqlite3"}
REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "production": ({"production": "true"}, {}, "it is production, and a review stack runs code"),
    "production in another form": ({"production": True}, {}, "it is production, and a review stack runs code"),
    "review": ({"reviewOf": {"stack": "testing", "branch": "x"}}, {}, "it is a review stack itself"),
    "domain": ({"appsDomain": None}, {}, "it has no domain below which"),
    "none": ({"database__kind": "none"}, {}, "its database.kind is none"),
    "sqlite outside": ({"env__DATABASE_URL": "sqlite:////data/db.sqlite3"}, {}, "its SQLite file is outside"),
    "sqlite data": (SQLITE, {"data": True}, "its database is a SQLite file, which is not copied"),
    "sqlite dump": (SQLITE, {"dump": "a" * 64}, "its database is a SQLite file, which is not copied"),
    "elsewhere": (
        {"secretEnv__DATABASE_URL": "postgres://shop:canary@db.example.com/shop"},
        {"data": True},
        "its database is on another machine",
    ),
    "without": ({}, {"without": ("TYPO",)}, "it has no variable TYPO"),
    "number": ({"env__REDIS_HOST": "127.0.0.1", "env__REDIS_DB": "3"}, {}, "variables lead to number 3"),
    "wrong": ({"project__slug": "Shop"}, {}, '"Shop" is not a slug'),
    "domain's form": ({}, {"apps_domain": "https://x"}, "is more than a host name"),
}


@pytest.mark.proves("review-stack.refused", "errors.four")
@pytest.mark.parametrize("name", REFUSED)
def test_no_review_stack_is_made(name: str) -> None:
    changes, options, cause = REFUSED[name]
    with pytest.raises(CommandError) as caught:
        made(changed(**changes), **options)
    assert cause in caught.value.message
    assert "\nfix: " in caught.value.message
    assert "canary" not in caught.value.message
