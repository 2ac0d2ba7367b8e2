"""The policy: what a deploy is warned of, and what `production: true` refuses unless the stack file waives it.

Each rule has a name. A finding names its rule as its `thing`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from codesensei.wire.quick import dataclass
from codesensei.wire.steps import Finding


@dataclass(frozen=True)
class Rule:
    """What is wrong, and the fix. `{module}` is the settings module, `{variable}` a variable of the stack file."""

    what: str
    fix: str


CHECK, PLAIN_SECRET = "check.", "plainSecret."
_SESSION = Rule(
    "SESSION_COOKIE_SECURE is not True: browsers send sessions over HTTP too", "SESSION_COOKIE_SECURE = True"
)
_HTTP_ONLY = Rule("SESSION_COOKIE_HTTPONLY is not True: scripts can read sessions", "SESSION_COOKIE_HTTPONLY = True")

# By name; a name that ends with a dot has an id or a variable behind it. `check.W004` is Django's security.W004.
RULES: Mapping[str, Rule] = {
    "debug": Rule(
        "DEBUG is on in {module}: every error shows visitors code and settings", "set DEBUG = False in {module}"
    ),
    "secretKey": Rule(
        "SECRET_KEY in {module} is weak: shorter than 50 characters, made of fewer than 5 different ones, or one that "
        "begins with django-insecure-",
        "read it from the environment there, and have it made: codesensei:generateSecrets: [SECRET_KEY]",
    ),
    "allowedHosts": Rule(
        'ALLOWED_HOSTS in {module} has "*": a visitor can claim any name, and links that are mailed have it',
        "list the site's hostnames",
    ),
    "backup": Rule(
        "nothing backs up the data of this production stack", "set codesensei:backups, e.g. to {{to: /backups}}"
    ),
    "promotion": Rule(
        "{stack} has not served this code: {why}", "deploy it there first, with the same hooks and packages"
    ),
    PLAIN_SECRET: Rule(
        "looks like a secret, but is in plain text in the stack file, the state and every preview",
        "move it: pulumi config set --secret --path codesensei:secretEnv.{variable}, then remove it from env",
    ),
    CHECK: Rule("{message}", "see what manage.py check --deploy says of it"),
    "check.W001": Rule(
        "SecurityMiddleware is not used", 'add "django.middleware.security.SecurityMiddleware" to MIDDLEWARE, first'
    ),
    "check.W002": Rule(
        "XFrameOptionsMiddleware is not used: other sites can show yours in a frame",
        'add "django.middleware.clickjacking.XFrameOptionsMiddleware" to MIDDLEWARE',
    ),
    "check.W003": Rule(
        "CsrfViewMiddleware is not used: other sites can send forms in a visitor's name",
        'add "django.middleware.csrf.CsrfViewMiddleware" to MIDDLEWARE',
    ),
    "check.W004": Rule(
        "SECURE_HSTS_SECONDS is not set: a browser may be led to HTTP", "SECURE_HSTS_SECONDS = 3600, later a year"
    ),
    "check.W005": Rule(
        "SECURE_HSTS_INCLUDE_SUBDOMAINS is not True: a browser may be led to HTTP there",
        "SECURE_HSTS_INCLUDE_SUBDOMAINS = True, if all subdomains have HTTPS",
    ),
    "check.W006": Rule(
        "SECURE_CONTENT_TYPE_NOSNIFF is not True: browsers guess the type of a file",
        "SECURE_CONTENT_TYPE_NOSNIFF = True",
    ),
    "check.W008": Rule("SECURE_SSL_REDIRECT is not True", "SECURE_SSL_REDIRECT = True"),
    "check.W010": _SESSION,
    "check.W011": _SESSION,
    "check.W012": _SESSION,
    "check.W013": _HTTP_ONLY,
    "check.W014": _HTTP_ONLY,
    "check.W015": _HTTP_ONLY,
    "check.W016": Rule(
        "CSRF_COOKIE_SECURE is not True: browsers send the CSRF token over HTTP too", "CSRF_COOKIE_SECURE = True"
    ),
    "check.W019": Rule(
        'X_FRAME_OPTIONS is not "DENY": a page of the site can show another in a frame',
        'X_FRAME_OPTIONS = "DENY", if none does',
    ),
    "check.W020": Rule("ALLOWED_HOSTS is empty", "list the site's hostnames"),
    "check.W021": Rule(
        "SECURE_HSTS_PRELOAD is not True: the lists that browsers bring cannot have the site",
        "SECURE_HSTS_PRELOAD = True, if they shall",
    ),
    "check.W022": Rule("SECURE_REFERRER_POLICY is not set", 'SECURE_REFERRER_POLICY = "same-origin"'),
    "check.W025": Rule(
        "a key of SECRET_KEY_FALLBACKS is weak", "remove it, as soon as nothing signed with it is in use"
    ),
}
# What Django finds too, under a name of its own.
_NAMED: Mapping[str, str] = {"check.W009": "secretKey", "check.W018": "debug"}
# What no site without HTTPS can have, and what nginx does itself for one that has it.
_OF_HTTPS = {f"check.W{number}" for number in ("004", "005", "008", "010", "011", "012", "016", "021")}
_OF_NGINX = {"check.W008"}
KNOWN = (
    "debug, secretKey, allowedHosts, backup, promotion, plainSecret.<variable>, or check.<id> for what check --deploy"
    " finds"
)
_FORMS = r"plainSecret\.[A-Za-z_][A-Za-z0-9_]*|check\.[A-Za-z0-9_.-]+"
# Of every name of a rule.
NAME_PATTERN = f"^({'|'.join(name for name in RULES if '.' not in name)}|{_FORMS})$"


def finding(name: str, fix: str = "", **words: str) -> Finding:
    """What the rule of this name has found; `fix` is another one than the rule's."""
    rule = RULES.get(name) or RULES[CHECK if name.startswith(CHECK) else PLAIN_SECRET]
    return Finding(thing=name, cause=rule.what.format(**words), fix=fix or rule.fix.format(**words))


def of_check(check_id: str) -> str:
    """The rule for an id of Django's checks: `check.W004`, `check.axes.W003`, or one of the product's own."""
    name = CHECK + re.sub(r"[^A-Za-z0-9_.-]+", "-", check_id.removeprefix("security."))
    return _NAMED.get(name, name)


def is_weak(key: str) -> bool:
    """Whether Django's security.W009 calls a SECRET_KEY weak."""
    return len(key) < 50 or len(set(key)) < 5 or key.startswith("django-insecure-")


def is_moot(name: str, *, plain_http: bool) -> bool:
    """Whether the settings cannot or need not follow this rule, because of how nginx serves the site."""
    return name in (_OF_HTTPS if plain_http else _OF_NGINX)


def name_problem(name: str) -> str:
    """What is wrong with a rule's name in the stack file, as the fix; empty for a good one."""
    if (own := of_check(name.removeprefix(CHECK))) != name and name.startswith(CHECK):
        return f"write {own}"
    is_known = name in RULES and not name.endswith(".")
    return "" if is_known or re.fullmatch(_FORMS, name) else f"the rules are {KNOWN}"


def sentence(found: Finding) -> str:
    """One line for a warning."""
    return f"{found.thing}: {found.cause}; {found.fix}"


def unused(name: str) -> str:
    """The warning about a waiver that has nothing to waive."""
    return f"codesensei:waive.{name}: waives nothing: remove it"


def waiver(names: Iterable[str]) -> str:
    """The lines of a stack file that waive these, without the reasons, which a person must give."""
    waived = ", ".join(f'{name}: "…"' for name in names)
    return f"codesensei:waive: {{{waived}}}"
