"""What the settings lead to, as the program says it that asks Django; without any of the libraries."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from codesensei.scripts.release.settings import SCRIPT

ASKING = runpy.run_path(str(SCRIPT.with_name("ask_shared.py")))
REDIS = "django.core.cache.backends.redis.RedisCache"


def asked(variables: dict[str, str] | None = None, *, load: bool = False, **settings: Any) -> dict[str, str]:
    """Where each setting leads to."""
    whole = SimpleNamespace(**{"CACHES": {}, "DATABASES": {}, **settings})
    found = ASKING["uses"](whole, variables or {}, on_disk=True, load=load)
    return {use["setting"]: " ".join(use[part] for part in ("kind", "host", "port", "name")).strip() for use in found}


@pytest.mark.proves("register.asked")
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"CELERY_BROKER_URL": "redis://127.0.0.1:6379/0"}, "redis 127.0.0.1 6379 0"),
        ({"BROKER_URL": "redis://"}, "redis localhost 6379 0"),
        ({"CELERY_BROKER_URL": "redis://:se#c?r;e/t@cache.example.com/3"}, "redis cache.example.com 6379 3"),
        ({"X": "rediss://u:p@[::1]:7000/2?ssl_cert_reqs=none"}, "redis [::1] 7000 2"),
        ({"X": "unix://:p@/run/redis/redis.sock?db=4"}, "redis /run/redis/redis.sock 6379 4"),
        ({"X": "redis+socket:///run/redis/redis.sock?virtual_host=5"}, "redis /run/redis/redis.sock 6379 5"),
        ({"X": "amqp://u:p@mq.example.com//shop"}, "amqp mq.example.com 5672 /shop"),
        ({"REDIS_HOST": "localhost", "REDIS_PORT": 6380, "REDIS_DB": 2}, "redis localhost 6380 2"),
        (
            {"CACHES": {"default": {"BACKEND": REDIS, "LOCATION": ["redis://h", "redis://h"], "OPTIONS": {"db": 3}}}},
            "redis h 6379 3",
        ),
        ({"CACHES": {"default": {"BACKEND": "redis_cache.RedisCache", "LOCATION": "h:6379:4"}}}, "redis h 6379 4"),
        ({"CHANNEL_LAYERS": {"default": {"CONFIG": {"hosts": [("h", 6379)]}}}}, "redis h 6379 0"),
        ({"CHANNEL_LAYERS": {"default": {"CONFIG": {"hosts": [{"host": "h", "port": 1, "db": 8}]}}}}, "redis h 1 8"),
        ({"CHANNEL_LAYERS": {"default": {"CONFIG": {"hosts": [{"address": "redis://h/6"}]}}}}, "redis h 6379 6"),
        (
            {"CHANNEL_LAYERS": {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer"}}},
            "redis localhost 6379 0",
        ),
        ({"RQ_QUEUES": {"default": {"HOST": "h", "PORT": 6379, "DB": 1}}}, "redis h 6379 1"),
        ({"RQ_QUEUES": {"default": {"UNIX_SOCKET_PATH": "/run/r.sock", "DB": 1}}}, "redis /run/r.sock 6379 1"),
        ({"HUEY": {"huey_class": "huey.RedisHuey", "connection": {"host": "h", "db": 7}}}, "redis h 6379 7"),
        ({"HUEY": {"name": "shop"}}, "redis localhost 6379 0"),
        ({"Q_CLUSTER": {"redis": "redis://h/9"}}, "redis h 6379 9"),
        ({"Q_CLUSTER": {"name": "shop"}}, "redis localhost 6379 0"),
        ({"DRAMATIQ_BROKER": {"BROKER": "x.RedisBroker", "OPTIONS": {"host": "h", "db": 2}}}, "redis h 6379 2"),
        ({"DRAMATIQ_BROKER": {"BROKER": "x.RedisBroker"}}, "redis localhost 6379 0"),
        (
            {"CLIENT": SimpleNamespace(connection_pool=SimpleNamespace(connection_kwargs={"host": "h", "db": 3}))},
            "redis h 6379 3",
        ),
        (
            {"CACHES": {"default": {"BACKEND": "x.PyMemcacheCache", "LOCATION": "h:11211", "KEY_PREFIX": "p"}}},
            "memcached h 11211 p",
        ),
        ({"CACHES": {"default": {"BACKEND": "x.FileBasedCache", "LOCATION": "/var/cache/x"}}}, "folder   /var/cache/x"),
        (
            {"DATABASES": {"default": {"ENGINE": "x.postgresql", "NAME": "shop", "PASSWORD": "p"}}},
            "database localhost 5432 shop",
        ),
        ({"DATABASES": {"old": {"ENGINE": "x.mysql", "NAME": "old", "HOST": "h"}}}, "database h 3306 old"),
        (
            {"DATABASES": {"a": {"ENGINE": "x.postgresql", "NAME": "s", "OPTIONS": {"options": "-c search_path=one"}}}},
            "database localhost 5432 s, schema one",
        ),
        ({"DATABASES": {"default": {"ENGINE": "x.sqlite3", "NAME": "/data/db"}}}, "file   /data/db"),
        ({"MEDIA_ROOT": "/data/media"}, "folder   /data/media"),
        ({"SESSION_FILE_PATH": "/data/sessions"}, "folder   /data/sessions"),
        ({"LOGGING": {"handlers": {"f": {"filename": "/var/log/x.log"}}}}, "file   /var/log/x.log"),
        ({"HAYSTACK": {"default": {"PATH": "/srv/codesensei/other/index"}}}, "place   /srv/codesensei/other/index"),
    ],
)
def test_what_a_setting_leads_to(settings: dict[str, Any], expected: str) -> None:
    assert list(asked(**settings).values()) == [expected]


@pytest.mark.proves("register.asked")
@pytest.mark.parametrize(
    "settings",
    [
        {"HOME": "https://example.com/0", "X": "mail.example.com:25", "EMAIL": {"HOST": "localhost", "PORT": 25}},
        {"CACHES": {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "unique"}}},
        {"CHANNEL_LAYERS": {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}},
        {"Q_CLUSTER": {"orm": "default"}, "HUEY": {"huey_class": "huey.SqliteHuey"}},
        {"REDIS_HOST": "localhost", "REDIS_PORT": 6379},
        {"DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}},
        {"MEDIA_ROOT": "", "MEDIA_URL": "/media/"},
    ],
)
def test_what_leads_nowhere(settings: dict[str, Any]) -> None:
    assert asked(**settings) == {}


def test_variables_lead_somewhere_too() -> None:
    found = asked({"REDIS_URL": "redis://h/3", "CACHE_REDIS_HOST": "h", "CACHE_REDIS_DB": "4", "HOME": "/"})
    places = {"the variable REDIS_URL": "redis h 6379 3"}
    assert found == {**places, "the variable CACHE_REDIS_HOST and CACHE_REDIS_DB": "redis h 6379 4"}


def test_nothing_of_its_own_folder_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getcwd", lambda: "/srv/codesensei/shop/releases/one")
    own = "/srv/codesensei/shop"
    assert (
        asked(MEDIA_ROOT=f"{own}/shared/media", X=f"{own}/x", LOGGING={"handlers": {"f": {"filename": "a.log"}}}) == {}
    )
    assert asked(MEDIA_ROOT="/srv/codesensei/shop-two/media")["MEDIA_ROOT"] == "folder   /srv/codesensei/shop-two/media"


def test_one_unreadable_setting_hides_no_other() -> None:
    class Odd:
        @property
        def connection_pool(self) -> object:
            raise RuntimeError

    assert asked(ODD={"x": Odd(), "y": "redis://h/1"}, CACHES=None) == {"ODD['y']": "redis h 6379 1"}


@pytest.mark.proves("register.asked")
@pytest.mark.parametrize("place", ["", "src"])
def test_the_celery_app_itself_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Wherever it is made, and whatever its URL comes from; of a queue that is no number, the name counts too."""
    apps: list[Any] = []

    class Celery:
        def __init__(self, name: str, **conf: Any) -> None:
            whole = {"task_default_queue": "celery", "broker_transport_options": {}, **conf}
            self.conf = SimpleNamespace(**whole)
            apps.append(self)

    state: Any = ModuleType("celery._state")
    state._get_active_apps = lambda: apps
    library: Any = ModuleType("celery")
    library.Celery = Celery
    for name, module in (("celery", library), ("celery._state", state)):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    lines = 'from celery import Celery\napp = Celery("shop", broker_url="redis://h/3", result_backend="django-db")\n'
    monkeypatch.syspath_prepend(tmp_path / place)
    package = tmp_path / place / "shop_conf"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "background.py").write_text(lines)
    (tmp_path / "other.py").write_text("raise SystemExit('Celery(')\n")
    assert asked(SETTINGS_MODULE="shop_conf.settings") == {}
    assert asked(SETTINGS_MODULE="shop_conf.settings", load=True) == {"Celery's broker_url": "redis h 6379 3"}
    apps[:] = [Celery("shop", broker_url="amqp://h/v", task_default_queue="jobs")]
    assert asked(CELERY_BROKER_URL="amqp://h/v") == {"Celery's broker_url": "amqp h 5672 v, queue jobs"}


def test_variables_that_settings_ask_for_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    kind: Any = type(os.environ)
    monkeypatch.setattr(kind, "__getitem__", kind.__getitem__)
    read: set[str] = set()
    ASKING["note_reads"](read)
    os.environ.get("SHOP_REDIS_DB", "0")
    os.getenv("GIVEN_REDIS_URL")
    assert "SHOP_CACHE_URL" not in os.environ
    os.environ.get("SHOP_TITLE")
    assert ASKING["unset"](read, {"GIVEN_REDIS_URL": "x"}) == ["SHOP_CACHE_URL", "SHOP_REDIS_DB"]
