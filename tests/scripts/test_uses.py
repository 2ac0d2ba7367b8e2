"""What the settings lead to, held against the register: what is another stack's is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import host, register
from codesensei.scripts.base.step import Failure
from codesensei.scripts.release import uses
from codesensei.scripts.release.record import Facts, Use
from codesensei.scripts.release.release import Release

FACTS = Facts(
    django="5.2",
    databases={},
    allowed_hosts=(),
    debug=False,
    media_root="",
    media_url="",
    static_root="",
    static_url="",
    asgi_application="",
    wsgi_application="",
    installed_staticfiles=False,
    settings_module="shop.settings",
)
BROKER = Use(setting="CELERY_BROKER_URL", kind="redis", host="127.0.0.1", port="6379", name="0")
Claim = Callable[..., None]


def facts(*shared: Use, unset: tuple[str, ...] = ()) -> Facts:
    return replace(FACTS, shared=shared, unset=unset)


@pytest.fixture
def claim(server: Path, make_step: Any, monkeypatch: pytest.MonkeyPatch) -> Claim:
    """`claim(slug, facts)`: what a build of the stack does."""
    monkeypatch.setattr(host, "own_addresses", lambda: ["192.0.2.7"])
    for slug in ("shop", "blog"):
        register.claim_slug(slug, f"org/codesensei/{slug}", f"id-{slug}")

    def run(slug: str, found: Facts, *, adopt: bool = False, shares: tuple[str, ...] = ()) -> None:
        step = make_step("build", slug=slug)
        release = Release(step.project, "1234567-1234567", "deploy", ".", "shop.settings")
        uses.claim(step, release, found, adopt=adopt, shares=shares)

    return run


@pytest.mark.proves("register.uses-refused")
@pytest.mark.parametrize(
    ("use", "title", "fix"),
    [
        (BROKER, "broker database 0", "broker: {env: {CELERY_BROKER_URL: url}}"),
        (replace(BROKER, host="LOCALHOST."), "broker database 0", "other"),
        (replace(BROKER, host="[::1]"), "broker database 0", "other"),
        (replace(BROKER, host="192.0.2.7"), "broker database 0", "other"),
        (replace(BROKER, host="/var/run/redis/redis-server.sock"), "broker database 0", "other"),
        (replace(BROKER, port="6380"), "Redis database 127.0.0.1:6380/0", "another number"),
        (replace(BROKER, host="127.6.1.161", port="637"), "broker database 417", "{CELERY_BROKER_URL: url}"),
        (replace(BROKER, host="192.0.2.9"), "Redis database 192.0.2.9:6379/0", "another number"),
        (replace(BROKER, kind="memcached", port="11211", name=""), "memcached 127.0.0.1:11211 with", "KEY_PREFIX"),
        (replace(BROKER, kind="amqp", port="5672", name="/, queue celery"), "amqp 127.0.0.1:5672/, queue", "QUEUE"),
        (replace(BROKER, kind="database", port="5432", name="x"), "database 127.0.0.1:5432/x", "of its own"),
        (replace(BROKER, kind="folder", host="", port="", name="/data/x"), "folder /data/x", "of its own"),
        (replace(BROKER, kind="file", host="", port="", name="/data/x"), "file /data/x", "of its own"),
    ],
)
def test_what_another_stack_uses_is_refused_by_name(claim: Claim, use: Use, title: str, fix: str) -> None:
    claim("shop", facts(use))
    claim("shop", facts(use))
    with pytest.raises(Failure) as refused:
        claim("blog", facts(replace(use, setting="X")))
    assert refused.value.thing.startswith(title)
    assert "X leads to it, and it belongs to the stack org/codesensei/shop (slug shop)" in refused.value.cause
    assert fix.replace("CELERY_BROKER_URL", "REDIS_URL") in refused.value.fix
    assert f'codesensei:shares: ["{refused.value.thing}"]' in refused.value.fix
    assert not register.entries()["blog"].names.get("brokers")
    assert not register.entries()["blog"].names.get("uses")


def test_what_differs_is_no_clash(claim: Claim) -> None:
    cache = replace(BROKER, kind="memcached", port="11211", name="shop")
    claim("shop", facts(BROKER, cache))
    claim("blog", facts(replace(BROKER, name="1"), replace(BROKER, host="192.0.2.9"), replace(cache, name="blog")))


@pytest.mark.proves("register.shares")
def test_what_is_shared_on_purpose_is_both_stacks(claim: Claim) -> None:
    claim("shop", facts(BROKER))
    found = facts(BROKER, replace(BROKER, name="1"))
    claim("blog", found, shares=("broker database 0",))
    uses.settle("blog", found)
    claim("shop", facts(BROKER))
    assert register.entries()["blog"].names["brokers"] == ("0", "1")
    assert register.entries()["shop"].names["brokers"] == ("0",)
    assert uses.unused(found, ("broker database 0", "broker database 7")) == ["broker database 7"]


def test_what_is_not_served_any_more_is_free(claim: Claim) -> None:
    claim("shop", facts(BROKER))
    claim("shop", facts(replace(BROKER, name="1")))
    uses.settle("shop", FACTS)
    assert register.entries()["shop"].names["brokers"] == ("0", "1")
    uses.settle("shop", facts(replace(BROKER, name="1")))
    claim("blog", facts(BROKER))


def test_the_number_that_the_program_gave_stays_claimed(claim: Claim) -> None:
    """Of a variable for the number alone, nobody can tell what it leads to."""
    register.claim("shop", {"brokers": ["7", "417"]})
    claim("shop", facts(BROKER))
    uses.settle("shop", facts(BROKER))
    assert register.entries()["shop"].names["brokers"] == ("0", "417")


@pytest.mark.parametrize("where", ["localhost", "/var/run/postgresql"])
def test_a_database_that_the_register_knows_by_its_name_alone(claim: Claim, where: str) -> None:
    """As an earlier version of the program claimed it."""
    register.claim("shop", {"databases": ["shop"]})
    with pytest.raises(Failure, match=r"database 127\.0\.0\.1:5432/shop: X leads to it, and it belongs to"):
        claim("blog", facts(Use(setting="X", kind="database", host=where, port="5432", name="shop")))


@pytest.mark.proves("register.places-refused")
@pytest.mark.parametrize("kind", ["folder", "file", "place"])
def test_a_path_in_another_project_s_folder_is_refused(claim: Claim, server: Path, kind: str) -> None:
    path = f"{server}/srv/blog/shared/media"
    found = Use(setting="MEDIA_ROOT", kind=kind, host="", port="", name=path)
    claim("blog", facts(found))
    with pytest.raises(Failure, match=f"MEDIA_ROOT: it leads to {path}, in the folder of the project blog") as refused:
        claim("shop", facts(found), shares=(f"{kind} {path}",))
    assert f"{server}/srv/shop/shared" in refused.value.fix


@pytest.mark.proves("register.mapping-named")
@pytest.mark.parametrize(
    ("setting", "unset", "fix"),
    [
        ("CELERY_BROKER_URL", ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"), "{env: {CELERY_BROKER_URL: url}}, which"),
        ("Celery's result_backend", ("CELERY_RESULT_BACKEND",), "{env: {CELERY_RESULT_BACKEND: url}}, which"),
        ("CELERY_BROKER_URL", ("CACHE_URL", "REDIS_DB", "REDIS_HOST"), "{env: {REDIS_DB: number}}, which"),
        ("CACHES['x']", ("CACHE_URL", "CELERY_BROKER_READ_URL"), "{env: {CACHE_URL: url}}, which"),
        ("CACHES['x']", (), "read CACHES['x'] in shop.settings from os.environ[\"REDIS_URL\"], and set"),
        ("CELERY_BROKER_URL", (), 'os.environ["CELERY_BROKER_URL"], and set'),
        ("the variable X_URL", (), "take X_URL out of codesensei:env, and set codesensei:broker: {env: {X_URL: url}}"),
        ("the variable R_HOST and R_DB", (), "take R_DB out of codesensei:env, and set codesensei:broker: {env: {R_D"),
    ],
)  # fmt: skip
def test_the_mapping_to_write_is_named(claim: Claim, setting: str, unset: tuple[str, ...], fix: str) -> None:
    claim("shop", facts(BROKER))
    with pytest.raises(Failure) as refused:
        claim("blog", facts(replace(BROKER, setting=setting), unset=unset))
    assert fix in refused.value.fix
