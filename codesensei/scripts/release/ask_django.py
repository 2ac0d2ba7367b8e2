"""Runs inside the project's own Python, as the app user: print what its settings say, and no secret."""

import json
import os
import sys

sys.path.insert(0, os.getcwd())

import django  # type: ignore[import-not-found]
from django.conf import settings  # type: ignore[import-not-found]


def text(name: str) -> str:
    value = getattr(settings, name, None)
    return "" if value is None else str(value)


def databases() -> dict[str, dict[str, str]]:
    keys = ("ENGINE", "NAME", "USER", "HOST", "PORT")
    return {alias: {key: str(values.get(key) or "") for key in keys} for alias, values in settings.DATABASES.items()}


django.setup()
facts = {
    "django": django.get_version(),
    "databases": databases(),
    "allowedHosts": [str(host) for host in settings.ALLOWED_HOSTS],
    "debug": bool(settings.DEBUG),
    "installedStaticfiles": "django.contrib.staticfiles" in settings.INSTALLED_APPS,
    **{
        name: text(name)
        for name in (
            "MEDIA_ROOT",
            "MEDIA_URL",
            "STATIC_ROOT",
            "STATIC_URL",
            "ASGI_APPLICATION",
            "WSGI_APPLICATION",
        )
    },
}
print("\ncodesensei-facts:" + json.dumps(facts))
