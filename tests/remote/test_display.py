"""What a person sees of a deploy: the engine itself shows it, so the engine is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conformance.conftest import StackFactory, engine, new_stack, sshd
from tests.conformance.servers import Sshd
from tests.conformance.stack import Entry, Stack, resource

__all__ = ["engine", "new_stack", "sshd"]
pytestmark = pytest.mark.engine

PROGRAM = f"""
import sys

sys.path.insert(0, {str(Path(__file__).parents[2])!r})
import pulumi

from codesensei import quiet, remote
from codesensei.remote import access
from codesensei.remote.state import read_state

quiet.stop_quietly_on_interrupt()
access._keep_outputs(read_state())
remote.warn("a warning of ours")
"""


@pytest.fixture
def stack(new_stack: StackFactory) -> Stack:
    """A stack whose program begins as the product's does."""
    made = new_stack("display")
    file = made.program / "__main__.py"
    file.write_text(PROGRAM + file.read_text())
    return made


def step(sshd: Sshd, script: str) -> list[Entry]:
    """A step that logs standard output alone, as the product's steps do."""
    connection = sshd.connection()
    given = {"create": script, "logging": "stdout", "add_previous_output_in_env": False}
    return [resource("remote.Command", "switch", connection=connection, **given)]


@pytest.mark.proves("outputs.kept")
def test_a_failed_deploy_shows_no_output_as_removed(stack: Stack, sshd: Sshd) -> None:
    stack.declare(step(sshd, "echo progress; echo 'codesensei-result: {}' >&2"), release=["switch", "stderr"])
    first = stack.run("up", "--yes", "--skip-preview")
    assert "progress" in first.output
    assert "codesensei-result" not in first.output.partition("Outputs:")[0]
    stack.declare(step(sshd, "echo broken >&2; exit 1"), release=["switch", "stderr"])
    failed = stack.run("up", "--yes", "--skip-preview", succeed=False)
    assert "broken" in failed.output
    assert "- release" not in failed.output
    outputs = stack.pulumi("stack", "output", "--json", "--stack", "test").stdout
    assert json.loads(outputs) == {"release": "codesensei-result: {}"}


@pytest.mark.proves("warnings.once")
def test_a_warning_is_told_in_one_of_the_two_runs_of_an_up(stack: Stack, sshd: Sshd) -> None:
    stack.declare(step(sshd, "echo done"))

    def told(*arguments: str) -> int:
        # The engine repeats each below "Diagnostics", with nothing in front of it.
        lines = stack.run(*arguments).output.splitlines()
        return sum(line.strip() == "warning: a warning of ours" for line in lines)

    assert told("preview") == 1
    assert told("up", "--yes") == 1
    assert told("up", "--yes", "--skip-preview") == 1
    assert told("up", "--yes", "--skip-preview") == 1
