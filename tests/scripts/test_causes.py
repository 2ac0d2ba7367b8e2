"""From real words of pip, Django, gunicorn and psycopg to cause and cure."""

from __future__ import annotations

import pytest

from codesensei.scripts.causes import explain

LOGS = {
    "host": (
        "django.core.exceptions.DisallowedHost: Invalid HTTP_HOST header: 'shop.example.com'. You may need to add"
        " 'shop.example.com' to ALLOWED_HOSTS.",
        "refuses the host shop.example.com",
        "leading dot",
    ),
    "database": (
        'connection failed: connection to server at "10.0.0.9", port 5432 failed: Connection refused',
        "cannot be reached: Connection refused",
        "DATABASE_URL",
    ),
    "password": (
        'FATAL:  password authentication failed for user "shop"',
        "password of shop",
        "percent-encoded",
    ),
    "non-nullable": (
        "It is impossible to add a non-nullable field 'sku' to product without specifying a default.",
        "field sku",
        "freshly migrated database",
    ),
    "secret key": (
        "django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty.",
        "SECRET_KEY is not set",
        "generateSecrets",
    ),
    "environment key": (
        "    raise KeyError(key) from None\nKeyError: 'SECRET_KEY'",
        "SECRET_KEY is not set",
        "generateSecrets",
    ),
    "static root": (
        "django.core.exceptions.ImproperlyConfigured: You're using the staticfiles app without having set the"
        " STATIC_ROOT setting to a filesystem path.",
        "STATIC_ROOT is not set",
        "BASE_DIR",
    ),
    "static url": (
        "django.core.exceptions.ImproperlyConfigured: You're using the staticfiles app without having set the"
        " required STATIC_URL setting.",
        "STATIC_URL is not set",
        "/static/",
    ),
    "module": ("ModuleNotFoundError: No module named 'config.settings.prod'", "config.settings.prod", "settingsModule"),
    "registry": (
        "django.core.exceptions.AppRegistryNotReady: Apps aren't loaded yet.",
        "AppRegistryNotReady",
        "get_asgi_application()",
    ),
    "version": ("ERROR: No matching distribution found for Django==99.0", "Django==99.0", "PIP_INDEX_URL"),
    "hashes": ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "hash", "regenerate"),
    "header": ("fatal error: ldap.h: No such file or directory", "ldap.h", "systemPackages"),
    "memory": (
        "Worker (pid:12) was sent SIGKILL! Perhaps out of memory?\nMemoryError",
        "no memory",
        "GUNICORN_WORKERS",
    ),
    "disk": ("OSError: [Errno 28] No space left on device", "disk is full", "keepReleases"),
    "python": (
        "ERROR: Package 'django' requires a different Python: 3.9.2 not in '>=3.12'",
        "another Python",
        "project.python",
    ),
    "attribute": ("Failed to find attribute 'app' in 'config.wsgi'.", "config.wsgi has no app", "wsgiApplication"),
}


@pytest.mark.proves(
    "causes.disallowed-host",
    "causes.connection-refused",
    "causes.non-nullable",
    "causes.secret-key",
    "causes.static",
    "causes.module",
    "causes.asgi-not-ready",
    "causes.python-too-old",
    "causes.memory",
)
@pytest.mark.parametrize("name", LOGS)
def test_known_cause(name: str) -> None:
    log, cause, cure = LOGS[name]
    found = explain(f"Traceback (most recent call last):\n{log}\n")
    assert found is not None
    assert cause in found[0]
    assert cure in found[1]


def test_unknown_words_have_no_cause() -> None:
    assert explain("something else went wrong") is None
