"""Runs inside the project's own Python, as the app user: print what its settings say, and no secret."""

import json
import os
import sys

sys.path.insert(0, os.getcwd())

import django  # type: ignore[import-not-found]
from django.conf import settings  # type: ignore[import-not-found]
from django.core.files import storage  # type: ignore[import-not-found]


def text(name: str) -> str:
    value = getattr(settings, name, None)
    return "" if value is None else str(value)


def databases() -> dict[str, dict[str, str]]:
    keys = ("engine", "name", "user", "host", "port")
    return {
        alias: {key: str(values.get(key.upper()) or "") for key in keys} for alias, values in settings.DATABASES.items()
    }


def uploads_on_disk() -> bool:
    """Whether a storage of uploads writes below MEDIA_ROOT; one that cannot be asked counts as one that does."""
    root = os.path.realpath(text("MEDIA_ROOT"))
    try:
        if hasattr(storage, "storages"):
            used = [storage.storages[alias] for alias in settings.STORAGES if alias != "staticfiles"]
        else:  # Django before 4.2
            used = [storage.default_storage]
        places = [os.path.realpath(one.location) for one in used if isinstance(one, storage.FileSystemStorage)]
        return any(os.path.commonpath([root, place]) == root for place in places)
    except Exception:  # noqa: BLE001
        return True


django.setup()
facts = {
    "django": django.get_version(),
    "databases": databases(),
    "allowedHosts": [str(host) for host in settings.ALLOWED_HOSTS],
    "debug": bool(settings.DEBUG),
    "installedStaticfiles": "django.contrib.staticfiles" in settings.INSTALLED_APPS,
    "mediaRoot": text("MEDIA_ROOT"),
    "mediaUrl": text("MEDIA_URL"),
    "staticRoot": text("STATIC_ROOT"),
    "staticUrl": text("STATIC_URL"),
    "asgiApplication": text("ASGI_APPLICATION"),
    "wsgiApplication": text("WSGI_APPLICATION"),
    "uploadsOnDisk": uploads_on_disk(),
}
print("\ncodesensei-facts:" + json.dumps(facts))
