"""What the project uses that another one could use as well: Redis numbers, queues, caches, databases, folders.

A part of ask_django.py: runs in the project's Python as the app user, and says no secret.
"""

from __future__ import annotations

import glob
import os
import pkgutil
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any

Use = dict[str, str]

PROJECTS = "/srv/codesensei/"
DEEPEST = 6
_URL = re.compile(r"([a-z][a-z0-9]*)(?:\+[a-z]+)?://(.*)", re.IGNORECASE | re.DOTALL)
_REDIS = {"redis", "rediss", "valkey", "valkeys", "unix", "sentinel"}
_QUEUES = {"amqp": "5672", "amqps": "5671", "pyamqp": "5672", "sqs": ""}
# Settings and classes whose hosts are Redis, where nothing of a URL says so.
_OF_REDIS = re.compile(r"redis|valkey|channel_layers|rq_queues|huey|q_cluster", re.IGNORECASE)
_HOST_PORT = re.compile(r"(\[[^\]]+\]|[\w.-]+):(\d+)(?::(\d+))?")
_CONSTANTS = re.compile(r"(.*(?:REDIS|VALKEY).*?)_?(HOST|HOSTNAME|PORT|DB|DATABASE|NUMBER)")
_CELERY_APP = re.compile(r"^\w+ *(?::.*)?= *(?:celery\.)?Celery\(", re.MULTILINE)
_CELERY_URLS = ("broker_url", "broker_read_url", "broker_write_url", "result_backend")
# A variable that may lead to a broker, by its name.
_BROKER_NAME = re.compile(
    r".*(REDIS|VALKEY|BROKER|CELERY|CACHE|RQ|HUEY|CHANNEL).*(URL|BACKEND|LOCATION|HOST|PORT|DB|NUMBER)"
)


def uses(settings: Any, variables: Mapping[str, str], *, on_disk: bool, load: bool) -> list[Use]:
    """All uses, each once. `load`: import the Celery app, where the project itself has not."""
    found = [*_of_settings(settings), *_constants(variables, "the variable ")]
    for name, value in variables.items():
        found += _walk(f"the variable {name}", value)
    for part in (_databases, _caches, _files, _defaults):
        with suppress(Exception):
            found += part(settings)
    if on_disk:
        found += _path("MEDIA_ROOT", getattr(settings, "MEDIA_ROOT", ""), "folder")
    with suppress(Exception):
        found += _client("the broker of dramatiq", getattr(sys.modules.get("dramatiq.broker"), "global_broker", None))
    with suppress(Exception):
        queues = [*_celery(settings, load=load)]
        # A URL alone does not know the queue.
        known = {_place(use) for use in queues if use["kind"] in _QUEUES}
        found = [use for use in found if _place(use) not in known] + queues
    unique = {tuple(use.items()): use for use in found}
    return list(unique.values())


def _use(setting: str, kind: str, host: object = "", port: object = "", name: object = "") -> Use:
    return {"setting": setting, "kind": kind, "host": str(host), "port": str(port), "name": str(name)}


def _place(use: Use) -> tuple[str, str, str]:
    return use["kind"], use["host"], use["port"]


def _of_settings(settings: Any) -> Iterator[Use]:
    values = {}
    for name in dir(settings):
        if name.isupper():
            # One that cannot be read is nobody's.
            with suppress(Exception):
                values[name] = getattr(settings, name)
    for name, value in values.items():
        if name != "DATABASES":
            with suppress(Exception):
                yield from [*_walk(name, value)]
    yield from _constants(values, "")


def _constants(values: Mapping[str, Any], of: str) -> Iterator[Use]:
    """REDIS_HOST and REDIS_DB, with or without REDIS_PORT."""
    groups: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        if found := _CONSTANTS.fullmatch(name):
            part = {"HOSTNAME": "HOST", "HOST": "HOST", "PORT": "PORT"}.get(found.group(2), "DB")
            groups.setdefault(found.group(1), {})[part] = (name, value)
    for parts in groups.values():
        if {"HOST", "DB"} <= set(parts) and str(parts["DB"][1]).isdigit() and isinstance(parts["HOST"][1], str):
            names = " and ".join(parts[part][0] for part in ("HOST", "DB"))
            yield from _redis(f"{of}{names}", parts["HOST"][1], parts.get("PORT", ("", ""))[1], parts["DB"][1])


def _redis(setting: str, host: object, port: object = "", number: object = "") -> Iterator[Use]:
    if _URL.match(str(host)):
        return
    yield _use(setting, "redis", host or "localhost", port or 6379, number or 0)


def _walk(setting: str, value: Any, number: object = "", *, redis: bool = False, depth: int = 0) -> Iterator[Use]:
    """What a setting leads to, wherever in it a host stands; `redis` where its hosts are of Redis."""
    redis = redis or bool(_OF_REDIS.search(setting))
    if depth > DEEPEST or value is None:
        return
    if isinstance(value, str):
        # Of a text alone, nobody knows that it is a host.
        yield from _text(setting, value, number, redis=redis and depth > 0)
    elif isinstance(value, Mapping):
        yield from _map(setting, value, number, redis=redis, depth=depth)
    elif isinstance(value, (list, tuple)):
        if redis and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int):
            yield from _redis(setting, value[0], value[1], number)
            return
        for inner in value:
            yield from _walk(setting, inner, number, redis=redis, depth=depth + 1)
    elif not isinstance(value, (int, float, type)):
        with suppress(Exception):
            yield from [*_client(setting, value)]


def _map(setting: str, value: Mapping[Any, Any], number: object, *, redis: bool, depth: int) -> Iterator[Use]:
    parts = {str(key).lower(): inner for key, inner in value.items()}
    redis = redis or any(isinstance(inner, str) and _OF_REDIS.search(inner) for inner in parts.values())
    options = parts.get("options")
    options = options if isinstance(options, Mapping) else {}
    given = [of[key] for of, key in ((parts, "db"), (parts, "database"), (options, "db"), (options, "DB")) if key in of]
    number = given[0] if given and isinstance(given[0], (int, str)) else number
    host = parts.get("unix_socket_path") or parts.get("host")
    if redis and isinstance(host, str):
        yield from _redis(setting, host, "" if host.startswith("/") else parts.get("port", ""), number)
    for key, inner in value.items():
        yield from _walk(f"{setting}[{key!r}]", inner, number, redis=redis, depth=depth + 1)


def _text(setting: str, text: str, number: object, *, redis: bool) -> Iterator[Use]:
    for one in re.split(r";(?=[a-z+]+://)", text):
        if found := _URL.fullmatch(one.strip()):
            yield from _url(setting, found.group(1).lower(), found.group(2), number)
        elif redis and (place := _HOST_PORT.fullmatch(one)):
            yield from _redis(setting, place.group(1), place.group(2), place.group(3) or number)
        elif one.startswith(PROJECTS):
            yield from _path(setting, one, "place")


def _url(setting: str, scheme: str, rest: str, number: object) -> Iterator[Use]:
    # First of all without the password, which may have any character.
    before, _, query = rest.rpartition("@")[2].partition("?")
    place, _, path = before.partition("/")
    options = dict(part.split("=", 1) for part in query.split("&") if "=" in part)
    host, _, port = place.rpartition(":") if re.search(r":\d+$", place) else (place, "", "")
    number = options.get("db") or options.get("virtual_host") or number
    if scheme in _REDIS and not place and path.count("/"):
        yield from _redis(setting, f"/{path}", "", number)
    elif scheme in _REDIS:
        yield from _redis(setting, host, port, path.strip("/") or number)
    elif scheme in _QUEUES:
        yield _use(setting, scheme, host or ("localhost" if _QUEUES[scheme] else ""), port or _QUEUES[scheme], path)


def _client(setting: str, value: Any) -> Iterator[Use]:
    """A client, or a queue that has one."""
    for holder in (value, getattr(value, "client", None), getattr(value, "storage", None)):
        for pool in (holder, getattr(holder, "connection_pool", None), getattr(holder, "pool", None)):
            options = getattr(pool, "connection_kwargs", None)
            if isinstance(options, Mapping):
                host = options.get("path") or options.get("host")
                yield from _redis(setting, host, options.get("port", ""), options.get("db", ""))


def _databases(settings: Any) -> Iterator[Use]:
    for alias, values in settings.DATABASES.items():
        engine, name, setting = str(values.get("ENGINE")), values.get("NAME"), f"DATABASES[{alias!r}]"
        if not name or "dummy" in engine:
            continue
        if engine.endswith(("sqlite3", "spatialite")):
            if str(name) != ":memory:" and not str(name).startswith("file:"):
                yield from _path(setting, name, "file")
            continue
        port = values.get("PORT") or ("3306" if "mysql" in engine else "5432" if "post" in engine else "")
        path = re.search(r"search_path\s*=\s*([^\s]+)", str((values.get("OPTIONS") or {}).get("options", "")))
        whole = f"{name}, schema {path.group(1)}" if path else name
        yield _use(setting, "database", values.get("HOST") or "localhost", port, whole)


def _caches(settings: Any) -> Iterator[Use]:
    for alias, values in settings.CACHES.items():
        backend, location = str(values.get("BACKEND")).lower(), values.get("LOCATION") or ""
        setting = f"CACHES[{alias!r}]"
        if "filebased" in backend or "diskcache" in backend:
            yield from _path(setting, location, "folder")
        if "memcache" in backend and "locmem" not in backend:
            for one in re.split("[;,]", location) if isinstance(location, str) else location:
                host, _, port = str(one).rpartition(":") if ":" in str(one) else (one, "", "11211")
                socket = host == "unix"
                yield _use(setting, "memcached", port if socket else host, "" if socket else port, _prefix(values))


def _prefix(values: Mapping[str, Any]) -> str:
    return str(values.get("KEY_PREFIX") or "")


def _files(settings: Any) -> Iterator[Use]:
    for name, kind in (
        ("SESSION_FILE_PATH", "folder"),
        ("FILE_UPLOAD_TEMP_DIR", "place"),
        ("EMAIL_FILE_PATH", "place"),
    ):
        yield from _path(name, getattr(settings, name, ""), kind)
    logging = getattr(settings, "LOGGING", None) or {}
    for name, handler in (logging.get("handlers") or {}).items():
        yield from _path(f"LOGGING, handler {name}", handler.get("filename"), "file")
    for name, storage in (getattr(settings, "STORAGES", None) or {}).items():
        if name != "staticfiles":
            yield from _path(f"STORAGES[{name!r}]", (storage.get("OPTIONS") or {}).get("location"), "folder")


def _path(setting: str, value: object, kind: str) -> Iterator[Use]:
    """A place outside the project's own folder; in that, nobody else has anything."""
    if not value:
        return
    own = "/".join(os.getcwd().split("/")[: len(PROJECTS.split("/"))])
    full = os.path.realpath(os.path.join(os.getcwd(), str(value)))
    if not f"{full}/".startswith(f"{own}/"):
        yield _use(setting, kind, name=full)


def _defaults(settings: Any) -> Iterator[Use]:
    """Libraries that take Redis on this server where the settings name none."""
    for alias, layer in (getattr(settings, "CHANNEL_LAYERS", None) or {}).items():
        if "channels_redis" in str(layer.get("BACKEND")) and not (layer.get("CONFIG") or {}).get("hosts"):
            yield from _redis(f"CHANNEL_LAYERS[{alias!r}]", "")
    cluster, others = getattr(settings, "Q_CLUSTER", None), ("orm", "redis", "sqs", "iron_mq", "mongo", "django_redis")
    if cluster is not None and not any(cluster.get(key) for key in (*others, "disque_nodes", "broker_class")):
        yield from _redis("Q_CLUSTER", "")
    huey = getattr(settings, "HUEY", None)
    if isinstance(huey, Mapping):
        given = {**huey, **(huey.get("connection") or {})}
        redis = "redis" in str(huey.get("huey_class", huey.get("backend_class", "redis"))).lower()
        if redis and not any(
            given.get(key) for key in ("host", "url", "connection_pool", "read_from", "unix_socket_path")
        ):
            yield from _redis("HUEY", "", given.get("port", ""), given.get("db", ""))
    dramatiq = getattr(settings, "DRAMATIQ_BROKER", None) or {}
    if "redis" in str(dramatiq.get("BROKER")).lower() and not dramatiq.get("OPTIONS"):
        yield from _redis("DRAMATIQ_BROKER", "")


def _celery(settings: Any, *, load: bool) -> Iterator[Use]:
    """The broker and the results of each Celery app, whatever they come from."""
    if load:
        _load_celery(str(getattr(settings, "SETTINGS_MODULE", "") or os.environ.get("DJANGO_SETTINGS_MODULE", "")))
    state = sys.modules.get("celery._state")
    for app in state._get_active_apps() if state else ():
        prefix = (getattr(app.conf, "broker_transport_options", None) or {}).get("queue_name_prefix", "")
        for name in _CELERY_URLS:
            for use in _walk(f"Celery's {name}", getattr(app.conf, name, None)):
                queue = "" if use["kind"] == "redis" else f", queue {prefix}{app.conf.task_default_queue}"
                yield {**use, "name": f"{use['name']}{queue}"}


def _load_celery(module: str) -> None:
    """Import the modules that make a Celery app, beside manage.py and in the packages there and around the settings."""
    packages = module.split(".")[:-1]
    around = [".".join(packages[:length]) for length in range(len(packages), 0, -1)]
    beside = [found.name for found in pkgutil.iter_modules([os.getcwd()]) if found.ispkg]
    for package in dict.fromkeys([*around, *beside]):
        # Wherever it lies: some projects have their packages in src.
        with suppress(Exception):
            found = find_spec(package)
            for folder in (found and found.submodule_search_locations) or ():
                _load_apps(f"{package}.", folder)
    _load_apps("", os.getcwd())


def _load_apps(package: str, folder: str) -> None:
    for path in sorted(glob.glob(os.path.join(folder, "*.py"))):
        name = os.path.basename(path)[: -len(".py")]
        with suppress(Exception):
            with open(path, encoding="utf-8", errors="replace") as file:
                makes_app = _CELERY_APP.search(file.read())
            if makes_app and name != "manage":
                import_module(package.rstrip(".") if name == "__init__" else f"{package}{name}")


def note_reads(into: set[str]) -> None:
    """Note which variables are asked for from now on, whether somebody gave them or not."""
    kind: Any = type(os.environ)
    plain = kind.__getitem__

    def noting(self: Any, name: str) -> Any:
        into.add(name)
        return plain(self, name)

    kind.__getitem__ = noting


def unset(read: Iterable[str], given: Mapping[str, str]) -> list[str]:
    """The variables that were asked for, that nobody gave, and that may lead to a broker."""
    return sorted(name for name in read if name not in given and _BROKER_NAME.fullmatch(str(name)))
