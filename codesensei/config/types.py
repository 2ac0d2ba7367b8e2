"""The small types of a stack config. Each says in its own words what is wrong and how to fix it."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from codesensei.wire.names import is_own_slug

T = TypeVar("T")

# As the engine takes it.
_STACK = re.compile(r"[A-Za-z0-9_.-]{1,100}")

_SLUG = re.compile(r"[a-z][a-z0-9-]{0,30}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class LeftOut(AttributeError):
    """Something wants to read a key at which something is wrong."""


class Model(BaseModel):
    """The base of all parts of a stack config: frozen, camelCase in the file, unknown keys refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        hide_input_in_errors=True,
        validate_default=False,
        # Only the whole is ever read: building each part for itself takes longer than all else at the program's start.
        defer_build=True,
    )

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in type(self).model_fields:
                raise LeftOut(name)
            return super().__getattr__(name)


def option(default: T, description: str) -> T:
    """A key that may be left out."""
    return Field(default=default, description=description)


def reject(rule: str, message: str, fix: str) -> PydanticCustomError:
    """An error with a stable rule id, to be raised by a validator; both texts are shown as they are."""
    return PydanticCustomError(rule, "{message}", {"message": message, "fix": fix})


def show(value: object) -> str:
    """A value as it is quoted in a message: one line, at most 60 characters. Never call it with a secret."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:58]}…"


def stack_name(value: str) -> str:
    """The name of another stack, alone; nothing for none."""
    if value and not _STACK.fullmatch(value):
        fix = "name a stack of this project alone, as `pulumi stack ls` shows it: staging"
        raise reject("stack-name", f"{show(value)} is no name of a stack", fix)
    return value


def whole(value: object) -> int:
    """An integer; digits in quotes are taken too, because a value set on the command line may come so."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,9}", value):
        return int(value)
    raise reject("not-a-number", "must be a whole number", "write digits only, without a unit: 60")


def flag(value: object) -> bool:
    """True or false; the words are taken too: `pulumi config set` writes them as text unless it has `--path`."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in {"true", "false"}:
        return value == "true"
    raise reject("not-a-flag", "must be true or false", "write true or false")


def at_least(minimum: int, rule: str, what: str, fix: str) -> AfterValidator:
    """A validator for a number that must not be smaller than `minimum`."""

    def check(value: int) -> int:
        if value < minimum:
            raise reject(rule, f"{value} is too small: {what}", fix)
        return value

    return AfterValidator(check)


def matching(pattern: str, rule: str, what: str, fix: str) -> AfterValidator:
    """A validator for texts of one form; ASCII only."""
    form = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if not form.fullmatch(value):
            raise reject(rule, f"{show(value)} is not {what}", fix)
        return value

    return AfterValidator(check)


def text(value: str) -> str:
    """One line of text that is not empty."""
    if not value.strip():
        raise reject("empty-text", "is empty", "set a value, or remove the line")
    if _CONTROL.search(value):
        raise reject("control-character", "contains a line break or another control character", "use a single line")
    return value


def unit_text(value: str) -> str:
    """A text that stands in a unit to the end of a line."""
    if value != value.strip() or value.endswith("\\"):
        message = f"{show(value)} ends with a blank or a backslash, or begins with a blank, which a unit cannot hold"
        raise reject("unit-text", message, "remove it")
    return value


def unique(values: tuple[T, ...]) -> tuple[T, ...]:
    """A list in which nothing stands twice."""
    for index, value in enumerate(values):
        if value in values[:index]:
            raise reject("listed-twice", f"{show(value)} is listed twice", "remove one of the two")
    return values


def slug(value: str) -> str:
    """The project's short name (contract: `[a-z][a-z0-9-]*`, at most 31)."""
    if not _SLUG.fullmatch(value):
        near = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-0123456789")[:31].strip("-") or "shop"
        fix = f"use lower-case letters, digits and '-', a letter first, at most 31 characters: {near}"
        raise reject("slug", f"{show(value)} is not a slug", fix)
    if is_own_slug(value):
        raise reject("slug-own", f"{value} is reserved by codesensei", "choose another slug")
    return value


def variable_name(value: str) -> str:
    """The name of an environment variable."""
    if not _VARIABLE.fullmatch(value):
        near = re.sub(r"\W+", "_", value, flags=re.ASCII).lstrip("0123456789").strip("_") or "API_TOKEN"
        fix = f"use letters, digits and '_', not a digit first: {near}"
        raise reject("variable-name", f"{show(value)} is not the name of a variable", fix)
    return value


def is_address(value: str) -> bool:
    """True for an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def is_hostname(value: str) -> bool:
    """True for a lower-case DNS name of at most 253 characters."""
    return len(value) <= 253 and all(_LABEL.fullmatch(label) for label in value.split("."))


def server_address(value: str) -> str:
    """The address of a machine: a host name, an IPv4 or an IPv6 address, this in its shortest form, as browsers ask."""
    if "%" in value and is_address(value):
        fix = "name an address that other machines reach it by: 2001:db8::7"
        raise reject("server-address-zone", f"{show(value)} is an address of one network alone", fix)
    if is_address(value):
        return str(ipaddress.ip_address(value))
    if is_hostname(value.lower()):
        return value
    fix = "write the bare address, without user, port, scheme or brackets: 203.0.113.7"
    raise reject("server-address", f"{show(value)} is not a host name or an IP address", fix)


def port(value: int) -> int:
    """A TCP port."""
    if not 1 <= value <= 65535:
        raise reject("port", f"{value} is not a TCP port", "use a number from 1 to 65535; SSH's usual port is 22")
    return value


def application(value: str) -> str:
    """A WSGI or ASGI application: `module:object`."""
    module, _, name = value.partition(":")
    if not (_DOTTED.fullmatch(module) and _DOTTED.fullmatch(name)):
        head, _, tail = value.rpartition(".")
        near = f"{head}:{tail}" if _DOTTED.fullmatch(value) and head else "config.wsgi:application"
        raise reject("application", f"{show(value)} is not module:object", f"write it with one colon: {near}")
    return value


def source_path(value: str) -> str:
    """A path inside the source, relative to its root."""
    parts = value.split("/")
    if value.startswith("/") or ".." in parts or value.startswith("~"):
        fix = "write it relative to the root of the repository, without '..'"
        raise reject("source-path", f"{show(value)} points outside the source", fix)
    return "/".join(part for part in parts if part not in {"", "."}) or "."


def import_root(value: str) -> str:
    """A folder inside the source that PYTHONPATH can name."""
    path = source_path(value)
    if ":" in path:
        fix = "rename the folder, or add it to sys.path in the settings"
        raise reject("python-path", f"{show(value)} has a colon, which ends a folder's name in PYTHONPATH", fix)
    return path


def size(value: str) -> str:
    """A size as nginx reads it: digits with an optional k, m or g."""
    if not re.fullmatch(r"[1-9]\d{0,8}[kmg]?", value.lower()):
        raise reject("size", f"{show(value)} is not a size", "use digits and k, m or g, greater than zero: 25m")
    return value.lower()


def network(value: str) -> str:
    """An IP address or network in its shortest form."""
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        pass
    try:
        near = str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        near = "10.0.0.0/8"
    raise reject("network", f"{show(value)} is not a network", f"write an address or a network: {near}")


Whole = Annotated[int, BeforeValidator(whole)]
Flag = Annotated[bool, BeforeValidator(flag), WithJsonSchema({"enum": [True, False, "true", "false"]})]
Text = Annotated[str, AfterValidator(text)]
StackName = Annotated[str, AfterValidator(stack_name)]
Seconds = Annotated[Whole, at_least(1, "seconds", "times are in seconds, at least 1", "set a number of seconds: 60")]
Slug = Annotated[str, AfterValidator(slug), Field(json_schema_extra={"pattern": f"^{_SLUG.pattern}$"})]
_USER_FIX = "use lower-case letters, digits, '_' and '-', a letter first, at most 32 characters: deploy"
UnixName = Annotated[str, matching(r"[a-z_][a-z0-9_-]{0,31}", "user-name", "a user name", _USER_FIX)]
VariableName = Annotated[str, AfterValidator(variable_name)]
ServerAddress = Annotated[str, AfterValidator(server_address)]
Port = Annotated[Whole, AfterValidator(port), Field(json_schema_extra={"minimum": 1, "maximum": 65535})]
_MODULE_FIX = "write it with dots, without '.py': config.settings.production"
DottedModule = Annotated[str, matching(_DOTTED.pattern, "module-name", "the name of a Python module", _MODULE_FIX)]
Application = Annotated[str, AfterValidator(application)]
SourcePath = Annotated[Text, AfterValidator(source_path)]
Size = Annotated[str, AfterValidator(size)]
TrustedProxies = tuple[Annotated[str, AfterValidator(network)], ...]
