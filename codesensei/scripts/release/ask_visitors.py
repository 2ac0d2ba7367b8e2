"""Settings with which visitors find the site broken though it answers: sessions, cookies, uploads and mail.

A part of ask_django.py: runs in the project's Python as the app user, and says no secret.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from typing import Any

# Of a cache that each process has for itself, or that keeps nothing.
_ALONE = ("LocMemCache", "DummyCache")
_SESSIONS, _CSRF = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
)


def visitors(settings: Any, *, serves: bool) -> dict[str, Any] | None:
    """What of it can be told from the settings; what is as it should be is empty. None where they cannot be read.

    `serves`: the project has its tables, which its URLconf may ask for.
    """
    with suppress(Exception):
        return {**_asked(settings), "uploadsUnserved": _unserved(settings) if serves else ""}
    return None


def _asked(settings: Any) -> dict[str, Any]:
    middleware = [str(name) for name in getattr(settings, "MIDDLEWARE", None) or ()]
    used = {
        "SESSION": _SESSIONS in middleware,
        "CSRF": _CSRF in middleware and not getattr(settings, "CSRF_USE_SESSIONS", False),
    }
    return {
        "sessionsIn": _sessions_in(settings) if used["SESSION"] else "",
        "layersInMemory": _layers(settings),
        "secureCookies": [
            f"{of}_COOKIE_SECURE" for of, is_used in used.items() if is_used and _of(settings, of, "COOKIE_SECURE")
        ],
        "cookieDomains": {
            f"{of}_COOKIE_DOMAIN": str(domain)
            for of, is_used in used.items()
            if is_used and (domain := _of(settings, of, "COOKIE_DOMAIN"))
        },
        "uploadMode": _mode(settings),
        "mailTo": _mail(settings),
        "staticRenamed": _renames_static(settings),
    }


def _of(settings: Any, of: str, name: str) -> Any:
    return getattr(settings, f"{of}_{name}", None)


def _sessions_in(settings: Any) -> str:
    """The entry of CACHES that alone has the sessions, where it is no place for them."""
    if str(getattr(settings, "SESSION_ENGINE", "")) != "django.contrib.sessions.backends.cache":
        return ""
    alias = str(getattr(settings, "SESSION_CACHE_ALIAS", "default"))
    backend = str((settings.CACHES.get(alias) or {}).get("BACKEND"))
    return f"CACHES[{alias!r}]" if backend.endswith(_ALONE) else ""


def _layers(settings: Any) -> list[str]:
    layers = getattr(settings, "CHANNEL_LAYERS", None) or {}
    return [
        f"CHANNEL_LAYERS[{alias!r}]"
        for alias, layer in layers.items()
        if str((layer or {}).get("BACKEND")).endswith("InMemoryChannelLayer")
    ]


def _renames_static(settings: Any) -> bool:
    """Whether static files get names with a digest of their content; also where that cannot be told."""
    if "django.contrib.staticfiles" not in settings.INSTALLED_APPS:
        return True
    try:
        return hasattr(import_module("django.contrib.staticfiles.storage").staticfiles_storage, "hashed_name")
    except Exception:  # noqa: BLE001
        return True


def _mode(settings: Any) -> str:
    """The mode of uploaded files in octal digits; `none` where big ones get 0600."""
    mode = getattr(settings, "FILE_UPLOAD_PERMISSIONS", None)
    # A storage may have a mode of its own.
    with suppress(Exception):
        mode = import_module("django.core.files.storage").default_storage.file_permissions_mode
    return f"{mode:04o}" if isinstance(mode, int) else "none"


def _unserved(settings: Any) -> str:
    """A field whose files are below MEDIA_URL, where no view answers; empty where there is none, or nobody can tell."""
    with suppress(Exception):
        field, url = next(_fields(settings), ""), settings.MEDIA_URL
        # Without MEDIA_URL, files have no address of their own.
        if field and url.startswith("/") and not url.startswith("//") and url != "/" and not _is_routed(url):
            return field
    return ""


def _fields(settings: Any) -> Iterator[str]:
    """The fields of models with files below MEDIA_ROOT; of packages only images, whose files are for visitors."""
    models, storage = import_module("django.db.models"), import_module("django.core.files.storage")
    root = os.path.realpath(settings.MEDIA_ROOT)
    for model in import_module("django.apps").apps.get_models():
        file = str(getattr(sys.modules.get(model.__module__), "__file__", ""))
        wanted = models.ImageField if "-packages/" in file else models.FileField
        for field in model._meta.fields:
            if isinstance(field, wanted) and isinstance(field.storage, storage.FileSystemStorage):
                place = os.path.realpath(field.storage.location)
                if os.path.commonpath([root, place]) == root and field.storage.base_url == settings.MEDIA_URL:
                    yield f"{model._meta.label}.{field.name}"


def _is_routed(url: str) -> bool:
    """Whether the project has a view for what is below a path, whatever its name must look like."""
    urls = import_module("django.urls")
    with suppress(urls.Resolver404):
        urls.resolve(f"{url}x")
        return True
    return any(route.startswith(url.lstrip("/")) for route in _routes(urls.get_resolver()))


def _routes(resolver: Any, before: str = "") -> Iterator[str]:
    for one in resolver.url_patterns:
        route = before + str(one.pattern).lstrip("^")
        yield route
        if hasattr(one, "url_patterns"):
            yield from _routes(one, route)


def _mail(settings: Any) -> str:
    """Where mail goes: `host:port`, or the name of a backend that sends none; empty where nobody can say.

    Django's own default, a server on this machine, counts only where somebody wants mail.
    """
    backend = str(getattr(settings, "EMAIL_BACKEND", ""))
    module = backend.rpartition(".")[0]
    if module.startswith("django.core.mail.backends.") and not module.endswith(".smtp"):
        return backend
    is_set = getattr(settings, "is_overridden", lambda name: False)
    if not module.endswith(".smtp") or not (is_set("EMAIL_HOST") or getattr(settings, "ADMINS", None)):
        return ""
    return f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
