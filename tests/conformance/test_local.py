"""local.Command and local.run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance.conftest import StackFactory
from tests.conformance.stack import Entry, Json, Run, Stack, resource


@dataclass(frozen=True)
class Local:
    """A stack of local commands after three runs."""

    stack: Stack
    first: Json
    second: Json
    second_run: Run
    log: Path
    runs: list[int]


@pytest.fixture(scope="module")
def local(new_stack: StackFactory) -> Local:
    """Local commands created, updated, and some removed; and a local.run beside them."""
    stack = new_stack("local")
    stack.environment["FROM_OUTSIDE"] = "outside"
    log, runs = stack.directory / "ran", stack.directory / "runs"
    log.touch()
    called = [{"export": "shown", "arguments": {"command": f"echo called >> {runs}; echo shown"}}]

    def program(stdin: str, trigger: str) -> list[Entry]:
        previous = "echo $PULUMI_COMMAND_STDOUT/$PULUMI_COMMAND_STDERR"
        return [
            resource("local.Command", "where", create="pwd"),
            resource("local.Command", "elsewhere", create="pwd", dir="/"),
            resource("local.Command", "shell", create="echo $0-$(cat)-$FROM_OUTSIDE-$OWN",
                     stdin="read", environment={"OWN": "own"}),
            resource("local.Command", "other", create="print(6 * 7)", interpreter=["python3", "-c"]),
            resource("local.Command", "previous", create="echo out; echo err >&2", update=previous, stdin=stdin),
            resource("local.Command", "forgetful", create="echo out", update=previous, stdin=stdin,
                     add_previous_output_in_env=False),
            resource("local.Command", "replaced", create=f"echo create-{trigger} >> {log}",
                     delete=f"echo delete-{trigger} >> {log}", triggers=[trigger]),
        ]  # fmt: skip

    stack.up(program("1", "a"))
    first = stack.state()
    stack.declare(program("2", "b"), runs=called, other=["previous", "stdout"])
    second_run = stack.run("up", "--yes")
    counts = [len(runs.read_text().splitlines())]
    stack.run("preview")
    counts.append(len(runs.read_text().splitlines()))
    return Local(stack, first, stack.state(), second_run, log, counts)


def test_place_and_shell(local: Local) -> None:
    """A local command runs with `/bin/sh -c` in the program's directory, unless told otherwise."""
    assert local.first["where"]["outputs"]["stdout"] == str(local.stack.program)
    assert local.first["elsewhere"]["outputs"]["stdout"] == "/"
    assert local.first["other"]["outputs"]["stdout"] == "42"


def test_environment_and_stdin(local: Local) -> None:
    """It inherits the environment, gets `environment` on top of it, and reads `stdin`."""
    assert local.first["shell"]["outputs"]["stdout"] == "/bin/sh-read-outside-own"


def test_previous_output(local: Local) -> None:
    """Updates get the previous output in the environment, unless that is switched off."""
    assert local.second["previous"]["outputs"]["stdout"] == "out/err"
    assert local.second["forgetful"]["outputs"]["stdout"] == "/"


def test_lifecycle(local: Local) -> None:
    """Its life is that of a remote command: triggers run the new `create`, then the old `delete`."""
    assert local.log.read_text().split() == ["create-a", "create-b", "delete-a"]
    assert local.second_run.operations()["previous"][-1:] == ["update"]


def test_function_runs_in_previews_too(local: Local) -> None:
    """local.run runs twice in one `pulumi up`, in its preview and in its update, and in each preview."""
    assert local.runs == [2, 3]
    assert local.stack.state()["conformance-test"]["outputs"]["shown"] == "shown"
