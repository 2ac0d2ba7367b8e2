"""pulumi-random 4.21: values made once, at creation, and kept until an input changes."""

from __future__ import annotations

import secrets
import string
import uuid
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from importlib import import_module
from typing import Any

from .provider import Call, OperationError, Provider, Resource
from .wire import UNKNOWN, Properties, plain, secret

from pulumi.runtime.proto import provider_pb2  # isort: skip  # after provider, which makes it importable

VERSION = "4.21.4"
SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
BCRYPT_LIMIT = 72
CLASSES = {
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "numeric": string.digits,
    "special": SPECIAL,
}


class RandomResource(Resource):
    """A resource all of whose inputs force a replacement, and whose outputs are unknown until it exists."""

    def __init__(
        self,
        required: str,
        optional: str,
        outputs: str,
        make: Callable[[Properties], tuple[str, Properties]],
        defaults: Properties | None = None,
    ) -> None:
        """outputs: names separated by spaces, secret ones with a leading `!`; make: id and outputs."""
        super().__init__(required, f"{optional} keepers")
        self._hidden = {name[1:] for name in outputs.split() if name.startswith("!")}
        self._outputs = [name.lstrip("!") for name in outputs.split()]
        self._make = make
        self._defaults = defaults or {}

    def replaces(self, path: str) -> bool:
        """Always: a random value cannot be changed, only made again."""
        return True

    def preview(self, news: Properties, old: Properties | None) -> Properties:
        """The inputs, and unknown outputs."""
        return self._state(news, dict.fromkeys(self._outputs, UNKNOWN))

    def create(self, news: Properties, call: Call) -> tuple[str, Properties]:
        """Make the value."""
        identity, made = self._make({**self._defaults, **plain(news)})
        return identity, self._state(news, made)

    def _state(self, news: Properties, made: Properties) -> Properties:
        marked = {key: secret(value) if key in self._hidden else value for key, value in made.items()}
        return {**self._defaults, **news, **marked}


def characters(options: Properties) -> str:
    """Characters as RandomPassword and RandomString are asked for, each class at its minimum at least."""
    alphabets = {**CLASSES, "special": options.get("overrideSpecial") or SPECIAL}
    wanted = [name for name in alphabets if options[name] and options.get("number", True) | (name != "numeric")]
    if not wanted:
        raise OperationError("the character set specified is empty")
    chosen = [secrets.choice(alphabets[name]) for name in alphabets for _ in range(int(options[f"min{name.title()}"]))]
    pool = "".join(alphabets[name] for name in wanted)
    chosen += [secrets.choice(pool) for _ in range(int(options["length"]) - len(chosen))]
    secrets.SystemRandom().shuffle(chosen)
    return "".join(chosen)


def password(options: Properties) -> tuple[str, Properties]:
    """RandomPassword: its id says nothing."""
    bcrypt = import_module("bcrypt")  # loaded by the only resource that needs it

    result = characters(options)
    digest = bcrypt.hashpw(result.encode()[:BCRYPT_LIMIT], bcrypt.gensalt(10))
    return "none", {"result": result, "bcryptHash": digest.decode()}


def text(options: Properties) -> tuple[str, Properties]:
    """RandomString: its id is the value."""
    result = characters(options)
    return result, {"result": result}


def uuid4(options: Properties) -> tuple[str, Properties]:
    """RandomUuid and RandomUuid4."""
    result = str(uuid.uuid4())
    return result, {"result": result}


def identifier(options: Properties) -> tuple[str, Properties]:
    """RandomId: every form carries the prefix, the id does not."""
    value = secrets.token_bytes(int(options["byteLength"]))
    url = urlsafe_b64encode(value).decode().rstrip("=")
    forms = {
        "b64Std": b64encode(value).decode(),
        "b64Url": url,
        "hex": value.hex(),
        "dec": str(int.from_bytes(value, "big")),
    }
    return url, {name: options.get("prefix", "") + form for name, form in forms.items()}


def octets(options: Properties) -> tuple[str, Properties]:
    """RandomBytes: its id is the value, in clear, as with the official plugin."""
    value = secrets.token_bytes(int(options["length"]))
    base64 = b64encode(value).decode()
    return base64, {"base64": base64, "hex": value.hex()}


def integer(options: Properties) -> tuple[str, Properties]:
    """RandomInteger: both bounds included."""
    low, high = int(options["min"]), int(options["max"])
    if low > high:
        raise OperationError("the minimum (min) value needs to be smaller than or equal to maximum (max) value")
    result = low + secrets.randbelow(high - low + 1)
    return str(result), {"result": result}


CHARACTER_DEFAULTS: Properties = {
    **dict.fromkeys([*CLASSES, "number"], True),
    **{f"min{name.title()}": 0 for name in CLASSES},
}
CHARACTER_OPTIONS = " ".join([*CHARACTER_DEFAULTS, "overrideSpecial"])
RESOURCES: dict[str, Resource] = {
    "random:index/randomPassword:RandomPassword": RandomResource(
        "length", CHARACTER_OPTIONS, "!result !bcryptHash", password, CHARACTER_DEFAULTS
    ),
    "random:index/randomString:RandomString": RandomResource(
        "length", CHARACTER_OPTIONS, "result", text, CHARACTER_DEFAULTS
    ),
    "random:index/randomUuid:RandomUuid": RandomResource("", "", "result", uuid4),
    "random:index/randomUuid4:RandomUuid4": RandomResource("", "", "result", uuid4),
    "random:index/randomId:RandomId": RandomResource("byteLength", "prefix", "b64Std b64Url dec hex", identifier),
    "random:index/randomBytes:RandomBytes": RandomResource("length", "", "!base64 !hex", octets),
    "random:index/randomInteger:RandomInteger": RandomResource("min max", "seed", "result", integer),
}


class RandomProvider(Provider):
    """Made from a Terraform provider: it is sent no secret marks, and names only the properties that differ."""

    detailed_differences = False

    def DiffConfig(self, request: Any, context: Any) -> Any:
        """Leave it to the engine to compare."""
        return provider_pb2.DiffResponse()

    def Configure(self, request: Any, context: Any) -> Any:
        """As others, and it takes the engine's wishes for names (its resources have none)."""
        response = super().Configure(request, context)
        response.supports_autonaming_configuration = True
        return response


if __name__ == "__main__":
    RandomProvider(VERSION, RESOURCES).run()
