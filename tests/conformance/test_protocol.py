"""What the plugins answer the engine: differences here are seen by no user today, and may be by the next engine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance.conftest import StackFactory
from tests.conformance.servers import Sshd
from tests.conformance.stack import Entry, Json, Run, Stack, exchanges, resource

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


@dataclass(frozen=True)
class Protocol:
    """A stack that was made, and what was said in a preview of changes to it."""

    stack: Stack
    changed: Run
    calls: Path


@pytest.fixture(scope="module")
def protocol(new_stack: StackFactory, sshd: Sshd) -> Protocol:
    """The calls of a preview that changes each resource."""
    stack = new_stack("protocol")
    (stack.directory / "file").write_text("content")
    (stack.directory / "folder").mkdir()
    sources: dict[str, Json] = {
        "file": {"$file": str(stack.directory / "file")},
        "text": {"$text": "content"},
        "archive": {"$archive": str(stack.directory / "folder")},
    }

    def program(value: str) -> list[Entry]:
        proxy = sshd.connection(
            password="never used", private_key_password="open sesame", private_key=sshd.key("locked")
        )
        return [
            resource("remote.Command", "command", create="true", stdin=value, connection=sshd.connection(proxy=proxy)),
            *(
                resource("remote.CopyToRemote", name, connection=sshd.connection(), source=source,
                         remote_path=str(stack.directory / value / name))
                for name, source in sources.items()
            ),
            resource("RandomPassword", "password", length=8, keepers={"value": {"$secret": value}}),
        ]  # fmt: skip

    stack.up(program("1"))
    calls = stack.record()
    return Protocol(stack, stack.preview(program("2"), "--json"), calls)


def test_required_packages(protocol: Protocol) -> None:
    """The language host names the plugins of the packages that are installed for the program."""
    [asked] = exchanges(protocol.calls, "language", "GetRequiredPackages")
    found = {item["name"]: (item["kind"], item["version"]) for item in asked.answer["packages"]}
    assert {name: found.get(name) for name in ("command", "random")} == {
        "command": ("resource", "v1.2.1"),
        "random": ("resource", "v4.21.4"),
    }


def test_command_configuration(protocol: Protocol) -> None:
    """pulumi-command stores its framework's version, does not compare configurations, and takes all kinds of values."""
    [checked] = exchanges(protocol.calls, "command", "CheckConfig")
    assert checked.answer["inputs"].keys() == {"version", "__pulumi-go-provider-version"}
    [compared] = exchanges(protocol.calls, "command", "DiffConfig")
    assert "code = Unimplemented" in compared.errors[0]
    [configured] = exchanges(protocol.calls, "command", "Configure")
    kinds = ("acceptSecrets", "supportsPreview", "acceptResources", "acceptOutputs")
    assert configured.answer == dict.fromkeys(kinds, True)


def test_random_configuration(protocol: Protocol) -> None:
    """pulumi-random leaves the comparison of configurations to the engine, and takes no secret marks."""
    [compared] = exchanges(protocol.calls, "random", "DiffConfig")
    assert compared.answer.get("changes", "DIFF_UNKNOWN") == "DIFF_UNKNOWN"
    assert compared.errors == []
    [configured] = exchanges(protocol.calls, "random", "Configure")
    kinds = ("supportsPreview", "acceptResources", "supportsAutonamingConfiguration")
    assert configured.answer == dict.fromkeys(kinds, True)


def test_random_difference(protocol: Protocol) -> None:
    """pulumi-random names the properties that replace, without details, and gets secret inputs in clear."""
    [compared] = exchanges(protocol.calls, "random", "Diff")
    assert compared.request["news"]["keepers"] == {"value": "2"}
    assert compared.answer["changes"] == "DIFF_SOME"
    assert compared.answer["replaces"] == ["keepers"]
    assert not {"hasDetailedDiff", "detailedDiff"} & compared.answer.keys()


def test_difference_is_of_no_known_side(protocol: Protocol) -> None:
    """pulumi-command does not say that a difference is one of the inputs."""
    [compared] = exchanges(protocol.calls, "command", "Diff", "command")
    assert compared.answer["detailedDiff"] == {"stdin": {"kind": "UPDATE"}}
    shown = json.loads(protocol.changed.output[protocol.changed.output.index("{") :])
    [step] = [step for step in shown["steps"] if step["urn"].endswith("::command")]
    assert step["detailedDiff"] == {"stdin": {"kind": "update", "inputDiff": False}}


def test_secrets_inside_the_connection(protocol: Protocol) -> None:
    """The check marks keys and passwords as secrets inside the connection too, which is a secret as a whole."""
    [checked] = exchanges(protocol.calls, "command", "Check", "command")
    connection = checked.answer["inputs"]["connection"]
    assert connection[SIGNATURE] == SECRET
    inside = connection["value"]
    secrets = {key for key, value in inside.items() if isinstance(value, dict) and value.get(SIGNATURE) == SECRET}
    assert secrets == {"privateKey"}
    proxy = {key for key, value in inside["proxy"].items() if isinstance(value, dict) and value[SIGNATURE] == SECRET}
    assert proxy == {"privateKey", "privateKeyPassword", "password"}


def test_secret_marks_are_stored(protocol: Protocol) -> None:
    """The marks inside the connection are in the state, in inputs and outputs; another mark is another value."""
    exported = json.loads(protocol.stack.pulumi("stack", "export", "--stack", "test", "--show-secrets").stdout)
    [stored] = [item for item in exported["deployment"]["resources"] if item["urn"].endswith("::command")]
    for side in ("inputs", "outputs"):
        connection = json.loads(stored[side]["connection"]["plaintext"])
        assert connection["privateKey"][SIGNATURE] == SECRET


@pytest.mark.parametrize(
    ("name", "parts"),
    [("file", {"path", "text", "uri"}), ("text", {"path", "text", "uri"}), ("archive", {"path", "uri"})],
)
def test_parts_of_a_source(protocol: Protocol, name: str, parts: set[str]) -> None:
    """The check of a copy completes its source: the ways to give it that were not used are empty."""
    [checked] = exchanges(protocol.calls, "command", "Check", name)
    source = checked.answer["inputs"]["source"]
    assert source.keys() - {SIGNATURE, "hash"} == parts
    declared = checked.request["news"]["source"]
    assert source == {**dict.fromkeys(parts, ""), **declared}


@pytest.mark.parametrize("name", ["file", "text", "archive"])
def test_source_is_unknown_in_a_preview(protocol: Protocol, name: str) -> None:
    """In the preview of an update the source that a copy is going to have is unknown, its other outputs are known."""
    [updated] = exchanges(protocol.calls, "command", "Update", name)
    assert updated.request["preview"]
    assert updated.answer["properties"]["source"] == UNKNOWN
    assert updated.answer["properties"]["remotePath"] == str(protocol.stack.directory / "2" / name)
