"""Prints what the project's settings say, and no secret. Runs in the project's Python as the app user.

A candidate's program runs it too, to say what the process that serves has.
"""

import json
import os
import runpy
import sys
from importlib import import_module
from typing import Any

FOLDER = os.path.dirname(os.path.abspath(__file__))
shared = runpy.run_path(os.path.join(FOLDER, "ask_shared.py"))
places = runpy.run_path(os.path.join(FOLDER, "ask_places.py"))
visitors = runpy.run_path(os.path.join(FOLDER, "ask_visitors.py"))

# The variables as this process was given them, before the project can change them.
given = dict(os.environ)
# The variables that the project has asked for.
read: set[str] = set()


def facts(*, load: bool = False) -> dict[str, Any]:
    """What Django says in this process, once the project is loaded; `load` more of it to ask what it shares."""
    settings = import_module("django.conf").settings

    def text(name: str) -> str:
        value = getattr(settings, name, None)
        return "" if value is None else str(value)

    on_disk = _uploads_on_disk(settings)
    keys = ("engine", "name", "user", "host", "port")
    return {
        "django": import_module("django").get_version(),
        "databases": {
            alias: {key: str(values.get(key.upper()) or "") for key in keys}
            for alias, values in settings.DATABASES.items()
        },
        "allowedHosts": [str(host) for host in settings.ALLOWED_HOSTS],
        "debug": bool(settings.DEBUG),
        "installedStaticfiles": "django.contrib.staticfiles" in settings.INSTALLED_APPS,
        "mediaRoot": text("MEDIA_ROOT"),
        "mediaUrl": text("MEDIA_URL"),
        "staticRoot": text("STATIC_ROOT"),
        "staticUrl": text("STATIC_URL"),
        "asgiApplication": text("ASGI_APPLICATION"),
        "wsgiApplication": text("WSGI_APPLICATION"),
        "uploadsOnDisk": on_disk,
        "settingsModule": text("SETTINGS_MODULE"),
        "overridden": sorted(name for name, value in given.items() if _is_overridden(name, value, settings)),
        "shared": shared["uses"](settings, given, on_disk=on_disk, load=load),
        "unset": shared["unset"](read, given),
        "places": places["places"](settings, given),
        "setsId": places["sets_id"](settings),
        "cacheTables": sorted(_cache_tables(settings)),
        "visitors": visitors["visitors"](settings, serves=not load),
    }


def databases(release: str) -> dict[str, Any] | None:
    """What it says of its databases; None where it fails, or where asking would make one before its time."""
    for values in import_module("django.conf").settings.DATABASES.values():
        # The same engines as in checks.is_sqlite.
        is_sqlite = str(values.get("ENGINE")).endswith(("sqlite3", "spatialite"))
        if is_sqlite and not os.path.exists(str(values.get("NAME"))):
            return None
    try:
        answer: dict[str, Any] = runpy.run_path(os.path.join(FOLDER, "ask_databases.py"))["answer"](
            release, whole=False
        )
    except Exception:  # noqa: BLE001  # it is asked again alone, and then its words are told
        return None
    return answer


def _cache_tables(settings: Any) -> set[str]:
    """The tables of caches in the database."""
    caches = [cache for cache in (getattr(settings, "CACHES", None) or {}).values() if cache.get("LOCATION")]
    backend = "django.core.cache.backends.db.DatabaseCache"
    return {str(cache["LOCATION"]) for cache in caches if cache.get("BACKEND") == backend}


def _uploads_on_disk(settings: Any) -> bool:
    """Whether a storage of uploads writes below MEDIA_ROOT; one that cannot be asked counts as one that does."""
    try:
        storage, root = import_module("django.core.files.storage"), os.path.realpath(settings.MEDIA_ROOT)
        if hasattr(storage, "storages"):
            used = [storage.storages[alias] for alias in settings.STORAGES if alias != "staticfiles"]
        else:  # Django before 4.2
            used = [storage.default_storage]
        places = [os.path.realpath(one.location) for one in used if isinstance(one, storage.FileSystemStorage)]
        return any(os.path.commonpath([root, place]) == root for place in places)
    except Exception:  # noqa: BLE001
        return True


def _is_overridden(name: str, value: str, settings: Any) -> bool:
    """Whether the process has another value by now, or the setting of this name has a text that is no part of it."""
    if os.environ.get(name) != value:
        return True
    try:
        setting = getattr(settings, name, "") if name.isupper() else ""
    except Exception:  # noqa: BLE001  # Django shows no SECRET_KEY that is empty
        return False
    return isinstance(setting, str) and bool(setting and value) and setting not in value and value not in setting


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    shared["note_reads"](read)
    import_module("django").setup()
    # Not in a candidate, where each process would run them.
    checks = runpy.run_path(os.path.join(FOLDER, "ask_checks.py"))["found"]()
    answer: dict[str, Any] = {"facts": {**facts(load=True), "checks": checks}}
    if sys.argv[1:]:
        answer["databases"] = databases(sys.argv[1])
    print("\ncodesensei-facts:" + json.dumps(answer))
