"""pulumi-random: values made once, kept until an input changes."""

from __future__ import annotations

import base64
import re
import string
import uuid
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conformance.conftest import StackFactory
from tests.conformance.stack import Entry, Json, Run, Stack, resource

SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
KINDS: dict[str, tuple[str, Json]] = {
    "password": ("RandomPassword", {"length": 60}),
    "raw-password": ("raw", {"token": "random:index/randomPassword:RandomPassword", "length": 12}),
    "simple": ("RandomPassword", {"length": 50, "special": False}),
    "digits": ("RandomPassword", {"length": 30, "lower": False, "upper": False, "special": False}),
    "minimal": ("RandomPassword", {"length": 20, "min_numeric": 15, "min_special": 5, "override_special": "_"}),
    "string": ("RandomString", {"length": 8, "upper": False}),
    "uuid": ("RandomUuid", {}),
    "id": ("RandomId", {"byte_length": 5, "prefix": "p-"}),
    "bytes": ("RandomBytes", {"length": 16}),
    "integer": ("RandomInteger", {"min": 7, "max": 7}),
}  # fmt: skip


@dataclass(frozen=True)
class Randoms:
    """The stack's previews, its two runs, and the opened state after each."""

    stack: Stack
    preview: Run
    second: Run
    stored: Json
    first_state: Json
    second_state: Json

    def outputs(self, name: str) -> Any:
        """The outputs after the first run, in clear."""
        return self.first_state[name]["outputs"]


def program(**changes: Json) -> list[Entry]:
    """One resource of each kind, with changes to some arguments."""
    return [resource(kind, name, **{**arguments, **changes.get(name, {})}) for name, (kind, arguments) in KINDS.items()]


@pytest.fixture(scope="module")
def randoms(new_stack: StackFactory) -> Randoms:
    """Every kind, made once; then some with other inputs."""
    stack = new_stack("random")
    stack.declare(program(), shown=["simple", "length"])
    preview = stack.preview()
    stack.up()
    stored, first_state = stack.state(), stack.open_state()
    changes: dict[str, Json] = {name: {"keepers": {"round": "2"}} for name in ("password", "uuid", "id")}
    second = stack.up(program(**changes, digits={"length": 31}, simple={"min_lower": 1}))
    return Randoms(stack, preview, second, stored, first_state, stack.open_state())


def test_unknown_until_made(randoms: Randoms) -> None:
    """A preview creates nothing."""
    assert {tuple(done) for done in randoms.preview.operations().values()} == {("create",)}


def test_password_characters(randoms: Randoms) -> None:
    """RandomPassword takes letters, digits and the special set; each class can be left out or have a minimum."""
    letters = string.ascii_letters + string.digits
    assert set(randoms.outputs("password")["result"]) <= set(letters + SPECIAL)
    assert set(randoms.outputs("password")["result"]) & set(SPECIAL)
    assert len(randoms.outputs("password")["result"]) == 60
    assert set(randoms.outputs("simple")["result"]) <= set(letters)
    assert set(randoms.outputs("digits")["result"]) <= set(string.digits)
    minimal = randoms.outputs("minimal")["result"]
    assert sorted(minimal)[:15] == sorted(character for character in minimal if character.isdigit())
    assert minimal.count("_") == 5


def test_bcrypt_hash(randoms: Randoms) -> None:
    """bcryptHash is a bcrypt hash of the password."""
    assert re.fullmatch(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}", randoms.outputs("password")["bcryptHash"])


def test_defaults_are_outputs_only(randoms: Randoms) -> None:
    """The defaults show in the outputs, and not in the inputs."""
    outputs = randoms.outputs("simple")
    assert (outputs["lower"], outputs["upper"], outputs["numeric"], outputs["special"]) == (True, True, True, False)
    assert outputs["minLower"] == 0
    assert set(randoms.stored["simple"]["inputs"]) - {"__defaults"} == {"length", "special"}


@pytest.mark.parametrize(
    ("name", "secret", "plain"),
    [
        ("password", ["result", "bcryptHash"], ["length"]),
        ("raw-password", ["result", "bcryptHash"], ["length"]),
        ("bytes", ["base64", "hex"], ["length"]),
        ("uuid", [], ["result"]),
        ("id", [], ["b64Std", "b64Url", "dec", "hex"]),
        ("string", [], ["result"]),
    ],
)
def test_secrecy(randoms: Randoms, name: str, secret: list[str], plain: list[str]) -> None:
    """Passwords and bytes are stored as secrets, also without the SDK's class; identifiers and strings are not."""
    outputs = randoms.stored[name]["outputs"]
    assert all("ciphertext" in outputs[key] for key in secret)
    assert all(not isinstance(outputs[key], dict) for key in plain)


def test_ids(randoms: Randoms) -> None:
    """A password's id says nothing; a uuid, a string and a number are their own; bytes show theirs in clear."""
    ids = {name: randoms.first_state[name]["id"] for name in KINDS}
    assert ids["password"] == "none"
    assert str(uuid.UUID(ids["uuid"])) == randoms.outputs("uuid")["result"] == ids["uuid"]
    assert ids["string"] == randoms.outputs("string")["result"]
    assert ids["integer"] == str(randoms.outputs("integer")["result"]) == "7"
    assert ids["bytes"] == randoms.outputs("bytes")["base64"]
    assert len(base64.b64decode(ids["bytes"])) == 16


def test_forms_of_an_id(randoms: Randoms) -> None:
    """RandomId gives its value in four forms, each behind the prefix; the id is the URL form without it."""
    outputs, identity = randoms.outputs("id"), randoms.first_state["id"]["id"]
    value = base64.urlsafe_b64decode(identity + "=")
    assert outputs["b64Url"] == f"p-{identity}"
    assert outputs["hex"] == f"p-{value.hex()}"
    assert outputs["dec"] == f"p-{int.from_bytes(value, 'big')}"
    assert base64.b64decode(outputs["b64Std"].removeprefix("p-")) == value
    assert len(value) == 5


def test_any_changed_input_replaces(randoms: Randoms) -> None:
    """Keepers or any other input replace the resource; without a change the value stays."""
    operations = randoms.second.operations()
    replaced = {name for name, done in operations.items() if "replace" in done}
    assert replaced == {"password", "uuid", "id", "digits", "simple"}
    renewed = {name for name in KINDS if randoms.first_state[name]["outputs"] != randoms.second_state[name]["outputs"]}
    assert renewed == replaced
    assert randoms.first_state["uuid"]["id"] != randoms.second_state["uuid"]["id"]
