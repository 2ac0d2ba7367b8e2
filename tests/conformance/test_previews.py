"""What a preview knows, and what is secret where."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.conformance.conftest import StackFactory
from tests.conformance.servers import Sshd
from tests.conformance.stack import Entry, Run, Stack, resource

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
CANARY = "canary-4711"


@dataclass(frozen=True)
class Previews:
    """Previews before and after a stack exists, and the runs between them."""

    stack: Stack
    first_preview: Run
    first: Run
    same: Run
    changed: Run
    local_changed: Run
    connections: list[int]


def program(sshd: Sshd, stdin: str, shown: str = "none") -> list[Entry]:
    """Commands that depend on each other, and secrets on their ways."""
    common = {"connection": sshd.connection(), "add_previous_output_in_env": False}
    return [
        resource("remote.Command", "source", create="cat", stdin=stdin, **common),
        resource("remote.Command", "follower", create="cat", stdin={"$output": ["source", "stdout"]}, **common),
        resource("remote.Command", "secret-stdin", create="cat", stdin={"$secret": CANARY}, **common),
        resource(
            "remote.Command",
            "hidden",
            {"additional_secret_outputs": ["stdout", "stderr"]},
            create="cat",
            stdin={"$secret": f"{CANARY}-hidden"},
            **common,
        ),
        resource("remote.Command", "secret-create", create={"$secret": f"echo {CANARY} >/dev/null"}, **common),
        resource("local.Command", "local", create="cat", stdin=stdin, triggers=[{"$output": ["source", "stdout"]}]),
        resource("RandomPassword", "password", length=12, keepers={"source": {"$output": ["source", "id"]}}),
        resource("remote.CopyToRemote", "copied", connection=sshd.connection(), source={"$text": "x"},
                 remote_path={"$output": ["follower", "stdout"]}),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def previews(new_stack: StackFactory, sshd: Sshd) -> Previews:
    """The runs that this module looks at."""
    stack = new_stack("previews")
    path = str(stack.directory / "copied")
    counts = [sshd.connections()]
    stack.declare(program(sshd, path), stdout=["source", "stdout"])
    first_preview = stack.preview()
    counts.append(sshd.connections())
    first = stack.up()
    counts.append(sshd.connections())
    same = stack.up()
    counts.append(sshd.connections())
    stack.declare(program(sshd, f"{path}-2"), stdout=["source", "stdout"])
    changed = stack.preview()
    entries = program(sshd, path)
    entries[5]["arguments"]["stdin"] = "another"
    local_changed = stack.preview(entries)
    counts.append(sshd.connections())
    return Previews(stack, first_preview, first, same, changed, local_changed, counts)


def new_values(run: Run, name: str) -> dict[str, object]:
    """The inputs that the engine means to give a resource."""
    for event in run.events:
        metadata = event.get("resourcePreEvent", {}).get("metadata", {})
        if metadata.get("urn", "").endswith(f"::{name}"):
            inputs = metadata["new"]["inputs"]
            assert isinstance(inputs, dict)
            return inputs
    raise AssertionError(f"no event for {name}")


def test_previews_run_nothing(previews: Previews) -> None:
    """A preview runs no command and opens no connection; neither does a run without changes."""
    counts = previews.connections
    assert counts[1] == counts[0]
    assert counts[3] == counts[2]
    assert counts[4] == counts[3]
    assert counts[2] - counts[1] == 6
    assert not (previews.stack.directory / "copied-2").exists()


def test_create_preview_is_unknown(previews: Previews) -> None:
    """The output of a command that is going to be created is unknown, and so is what is made of it."""
    assert new_values(previews.first_preview, "follower")["stdin"] == UNKNOWN
    assert "stdout: [unknown]" in previews.first_preview.output


def test_update_preview_is_unknown(previews: Previews) -> None:
    """Any changed input makes the output unknown in the preview, so that its followers show as changed too."""
    assert new_values(previews.changed, "follower")["stdin"] == UNKNOWN
    operations = previews.changed.operations()
    assert operations["source"] == ["update"]
    assert operations["follower"] == ["update"]
    assert operations["copied"] == ["update"]


def test_unchanged_output_is_known(previews: Previews) -> None:
    """The output of a command that stays the same is known: nothing that follows from it changes."""
    operations = previews.local_changed.operations()
    assert operations.pop("local") == ["update"]
    assert {tuple(done) for done in operations.values()} == {("same",)}


def test_same_inputs_are_same(previews: Previews) -> None:
    """A second run changes nothing, secrets and assets included."""
    assert {tuple(done) for done in previews.same.operations().values()} == {("same",)}


def test_unknown_trigger_replaces_in_the_preview(previews: Previews) -> None:
    """A trigger that is not known yet shows as a replacement."""
    assert "replace" in previews.changed.operations()["local"]


def test_ids_survive_a_preview_of_an_update(previews: Previews) -> None:
    """An update keeps the id, in previews too: what is made of it stays the same."""
    assert previews.changed.operations()["password"] == ["same"]


def test_secret_stdin_leaves_stdout_plain(previews: Previews) -> None:
    """Secrecy goes only between properties of one name: secret stdin is stored encrypted, its echo in clear."""
    stored = previews.stack.state()["secret-stdin"]
    assert "ciphertext" in stored["inputs"]["stdin"]
    assert "ciphertext" in stored["outputs"]["stdin"]
    assert stored["outputs"]["stdout"] == CANARY


def test_secret_command_text(previews: Previews) -> None:
    """A secret `create` is stored encrypted and runs in clear."""
    stored = previews.stack.state()["secret-create"]
    assert "ciphertext" in stored["outputs"]["create"]
    assert stored["outputs"]["stdout"] == ""


def test_additional_secret_outputs(previews: Previews) -> None:
    """additional_secret_outputs hides the output in the state, but the log line still shows it."""
    assert "ciphertext" in previews.stack.state()["hidden"]["outputs"]["stdout"]
    assert f"{CANARY}-hidden" not in previews.stack.checkpoint().read_text()
    assert previews.first.lines("hidden") == [f"{CANARY}-hidden"]


def test_configured_secrets_are_masked(new_stack: StackFactory, sshd: Sshd) -> None:
    """The engine masks the values of configured secrets in all its output, also in a command's own words."""
    stack = new_stack("masked")
    stack.pulumi("config", "set", "--secret", "--stack", "test", "token", CANARY)
    run = stack.up(
        [resource("remote.Command", "told", create=f"echo {CANARY}; exit 4", connection=sshd.connection())],
        succeed=False,
    )
    assert 'running "echo [secret]; exit 4":\n[secret]' in run.error("told")
    assert CANARY not in run.output


def test_unknown_source_fails(new_stack: StackFactory, sshd: Sshd) -> None:
    """A source that is not known in the preview fails the check of a copy."""
    source = resource("RandomPassword", "text", length=8)
    raw = {
        "token": "command:remote:CopyToRemote",
        "connection": {"host": "127.0.0.1"},
        "source": {"$output": ["text", "result"]},
        "remotePath": "/nonexistent",
    }
    copy = {"type": "raw", "name": "copy", "arguments": raw, "options": {}}
    run = new_stack("unknown-source").preview([source, copy], succeed=False)
    assert "either asset or archive must be set" in run.error("copy")
