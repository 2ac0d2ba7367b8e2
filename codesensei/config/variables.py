"""The variables of the project: which may be given, and which look like secrets."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from codesensei.config.types import VariableName, reject
from codesensei.wire import envfile
from codesensei.wire.envfile import Written

_SET = re.compile(r"PATH|HOME|VIRTUAL_ENV|DJANGO_SETTINGS_MODULE|PYTHONUNBUFFERED")
_OWNED = re.compile(rf"{_SET.pattern}|PYTHONHOME|NOTIFY_SOCKET|EXIT_CODE|BASH_ENV|ENV|IFS|LISTEN_.*|LD_.*")
# How the engine hands over an unquoted date.
_DATE = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)? [+-]\d{4} \S+")
_FIXES = {
    "ENV": "let the project read another name, such as APP_ENV, and set that; or set it in the project:"
    ' os.environ.setdefault("ENV", "production") on top of its settings, env ENV=production in a command of a worker',
    "DJANGO_SETTINGS_MODULE": "set codesensei:project.settingsModule instead",
    "HOME": "each process has its own home in shared/state; give the project a variable of another name",
    "PATH": "programs of the virtual environment come first; a worker may change it: env PATH=… celery …",
}
_SECRET_NAME = re.compile(
    r"(^|_)(SECRET|PASSWORD|PASSWD|PASS|PWD|TOKEN|CREDENTIALS?|PRIVATE_KEY|API_?KEY|ACCESS_KEY|SECRET_KEY|DSN)(_|$)|SECRET",
    re.IGNORECASE,
)
# Names with such a word that hold no secret: paths, ids, hashers, lifetimes.
_HARMLESS_NAME = re.compile(
    r"_(FILE|PATH|NAME|ID|URL|AGE|TIMEOUT|LIFETIME|TTL|DAYS|HOURS|MINUTES|SECONDS|LENGTH|HASHERS?)$"
)
# From the beginning of a word on: else a long one takes time by the square of its length.
_URL_WITH_PASSWORD = re.compile(r"(?<![a-z0-9+.-])[a-z0-9+.-]+://[^/\s:@]*:[^/\s@]+@", re.IGNORECASE)


def owned_variable(name: str) -> str:
    """A name that the program sets itself, or that changes how programs start, is refused."""
    if _OWNED.fullmatch(name):
        fix = _FIXES.get(name, "remove it, or give the project's variable another name")
        why = "is set by the program itself" if _SET.fullmatch(name) else "changes how shells and programs start"
        raise reject("variable-owned", f"{name} {why}", fix)
    if name in envfile.SHELL_NAMES:
        fix = "give the project's variable another name"
        raise reject("variable-shell", f"{name} is set by every shell itself", fix)
    return name


def env_value(value: object) -> str:
    """A value as text: integers are taken, whatever YAML would change on the way is refused with the quoted form."""
    if isinstance(value, bool):
        word = str(value).lower()
        fix = f'write "{word}" (pulumi config set: --type string), or "1" and "0"'
        raise reject("env-boolean", f"unquoted {word} is not text", fix)
    if isinstance(value, int):
        if abs(value) >= 2**63:
            raise reject("env-number", "is too large to be passed on unchanged", "quote it")
        return str(value)
    if isinstance(value, float):
        raise reject("env-float", f"unquoted {value!r} is not text", f'quote it: "{value!r}"')
    if value is None:
        raise reject("env-null", "has no value", 'write "" for an empty text, or remove the line')
    if isinstance(value, dict) and set(value) == {"secure"}:
        fix = "remove it here and set it with: pulumi config set --secret --path codesensei:secretEnv.NAME"
        raise reject("secret-in-env", "is encrypted, but env holds plain values: it would be shown", fix)
    if not isinstance(value, str):
        raise reject("env-structure", "is a list or a map, not text", 'write it as one text in quotes: \'["a", "b"]\'')
    if date := _DATE.fullmatch(value):
        day, time = date.group(1), date.group(2)
        raise reject("env-date", "is an unquoted date", f'quote it: "{day if time == "00:00:00" else value[:19]}"')
    return held(value)


def held(value: str) -> str:
    """Refuse what an environment cannot hold. The value is never shown."""
    if refused := envfile.value_refusal(value):
        raise reject(refused.rule, refused.cause, refusal_fix(refused))
    return value


def refusal_fix(refused: envfile.Refusal) -> str:
    """How to give a project what no environment can hold."""
    if refused.rule == "env-too-long":
        return "put it in a file in shared/, and set its path here"
    return "encode the value, e.g. base64"


OwnVariable = Annotated[VariableName, AfterValidator(owned_variable)]
EnvValue = Annotated[Written, BeforeValidator(env_value), WithJsonSchema({"type": ["string", "integer"]})]


def looks_secret(name: str, value: str) -> bool:
    """True where a variable seems to hold a secret, by its name or by a password in a URL."""
    if not value or value.lower() in {"0", "1", "true", "false", "none"}:
        return False
    if _URL_WITH_PASSWORD.search(value) or "PRIVATE KEY-----" in value:
        return True
    return bool(_SECRET_NAME.search(name)) and not _HARMLESS_NAME.search(name.upper())
