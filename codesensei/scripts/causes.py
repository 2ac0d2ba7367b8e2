"""Known causes: from the words of pip, Django and gunicorn to what to change."""

from __future__ import annotations

import re

_KNOWN: tuple[tuple[str, str, str], ...] = (
    (
        r"Invalid HTTP_HOST header: '([^']+)'",
        "Django refuses the host {0} (DisallowedHost)",
        "add it to ALLOWED_HOSTS, or its domain with a leading dot (.example.com) for all names below it",
    ),
    (
        r"(?:connection to server at|could not connect to server).*?(Connection refused|timed out|No route to host)",
        "the database cannot be reached: {0}",
        "check host and port in DATABASE_URL, and that the database accepts connections from this server",
    ),
    (
        r"password authentication failed for user \"?([\w.-]+)",
        "the database refuses the password of {0}",
        "check the password in DATABASE_URL; special characters must be percent-encoded",
    ),
    (
        r"You are trying to add a non-nullable field '([^']+)'.*?without a default|It is impossible to add a non-nullable field '([^']+)'",
        "the field {0} may not be null and has no default",
        "generate the migration again against a freshly migrated database, with a default, and commit it",
    ),
    (
        r"The SECRET_KEY setting must not be empty|(?:KeyError|ImproperlyConfigured).*?SECRET_KEY|SECRET_KEY not found",
        "SECRET_KEY is not set",
        "add SECRET_KEY to codesensei:generateSecrets, or set it: pulumi config set --secret --path codesensei:secretEnv.SECRET_KEY",
    ),
    (
        r"using the staticfiles app without having set the STATIC_ROOT|STATIC_ROOT setting",
        "STATIC_ROOT is not set",
        'add STATIC_ROOT = BASE_DIR / "staticfiles" to the settings, or set codesensei:project.static to none',
    ),
    (
        r"using the staticfiles app without having set the required STATIC_URL|STATIC_URL setting",
        "STATIC_URL is not set",
        'add STATIC_URL = "/static/" to the settings',
    ),
    (
        r"ModuleNotFoundError: No module named '([\w.]+)'",
        "the module {0} cannot be found",
        "add its package to the requirements file; if it is a module of the project, check project.directory and project.settingsModule",
    ),
    (
        r"ImportError: cannot import name '([^']+)' from '([^']+)'",
        "{0} cannot be imported from {1}",
        "check the versions in the requirements file",
    ),
    (
        r"AppRegistryNotReady: (.+)",
        "the application's module imports models before Django is set up (AppRegistryNotReady)",
        "in asgi.py call get_asgi_application() before importing routing or consumers, or name another module in project.asgiApplication",
    ),
    (
        r"(?:requires a different Python|Requires-Python|requires Python '?(>=?[\d.]+))",
        "a package needs another Python than this server's",
        "pin a version that supports it, or set project.python (with installer: uv for a version that the distribution lacks)",
    ),
    (
        r"THESE PACKAGES DO NOT MATCH THE HASHES",
        "a downloaded package does not match its hash in the requirements file",
        "regenerate the hashes; if they are right, the package index is serving something else",
    ),
    (
        r"(?:ERROR: )?No matching distribution found for ([^\s]+)",
        "the package index has no version that fits {0}",
        "check the version and the Python that it supports; for a private index set PIP_INDEX_URL or PIP_EXTRA_INDEX_URL in secretEnv",
    ),
    (
        r"error: command '?(?:[\w/]*gcc|x86_64-linux-gnu-gcc|cc)'? failed|fatal error: ([\w/.-]+\.h): No such file",
        "a package must be compiled here and lacks a system library ({0})",
        "name the -dev package in project.systemPackages",
    ),
    (
        r"(?:MemoryError|Out of memory|oom-kill|Cannot allocate memory|signal: killed)",
        "the server has no memory left",
        "use fewer GUNICORN_WORKERS, or a larger server",
    ),
    (
        r"(?:No space left on device)",
        "the server's disk is full",
        "make room, or lower project.keepReleases",
    ),
    (
        r"ImproperlyConfigured: (.+)",
        "Django's settings are not complete: {0}",
        "set what it names in codesensei:env or codesensei:secretEnv, or change the settings",
    ),
    (
        r"Failed to find attribute '([^']+)' in '([^']+)'",
        "{1} has no {0}",
        "check project.wsgiApplication or project.asgiApplication",
    ),
)


def explain(log: str) -> tuple[str, str] | None:
    """The cause and the cure that `log` tells of; None when it tells of nothing known."""
    for pattern, cause, cure in _KNOWN:
        match = re.search(pattern, log, re.DOTALL if "non-nullable" in pattern else 0)
        if match:
            groups = [group for group in match.groups() if group]
            groups += ["?"] * (2 - len(groups))
            return cause.format(*groups), cure
    return None
