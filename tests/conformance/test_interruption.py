"""Ctrl-C, and an engine that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conformance.conftest import StackFactory
from tests.conformance.servers import Sshd
from tests.conformance.stack import Stack, resource

END_SECONDS = 15
RACES = 5  # the interrupt comes last in two of three runs where nothing is done about it


def wait_for(path: Path) -> None:
    """Wait until a command on the server has made this file."""
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.05)


def processes_of(stack: Stack) -> dict[int, str]:
    """The command lines of the processes that run in the stack's directory: plugins and program."""
    found = {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if (directory / "cwd").readlink() == stack.program:
                found[int(directory.name)] = (directory / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
    return found


def start(stack: Stack, sshd: Sshd, script: str) -> tuple[subprocess.Popen[str], Path, Path]:
    """Start an `up` with a command that is running when this returns; also returns the file that ends it."""
    started, end = stack.directory / "started", stack.directory / "end"
    create = f"touch {started}; while ! test -e {end}; do sleep 0.05; done; {script}"
    common = {"connection": sshd.connection(), "add_previous_output_in_env": False}
    stack.declare(
        [
            resource("remote.Command", "running", create=create, **common),
            resource("remote.Command", "next", {"depends_on": ["running"]}, create="echo next", **common),
        ]
    )
    process, events = stack.start("up", "--yes", "--skip-preview")
    wait_for(started)
    return process, events, end


def test_one_interrupt_waits(new_stack: StackFactory, sshd: Sshd) -> None:
    """After one Ctrl-C nothing new starts; the running command is waited for and its result is kept."""
    stack = new_stack("interrupt")
    process, events, end = start(stack, sshd, "echo finished")
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(1.5)  # what must not happen has no event to wait for: the engine must still be waiting
    assert process.poll() is None
    end.touch()
    run = stack.finish(process, events)
    assert run.code != 0
    assert stack.state()["running"]["outputs"]["stdout"] == "finished"
    assert "next" not in stack.state()


def test_killed_engine(new_stack: StackFactory, sshd: Sshd) -> None:
    """After kill -9 the command on the server runs to its end, and the stack is locked until `pulumi cancel`.

    The next run warns of the pending operation and creates again.
    """
    stack = new_stack("killed")
    process, _, end = start(stack, sshd, f"echo x >> {stack.directory}/ended")
    process.kill()
    process.wait()
    end.touch()
    wait_for(stack.directory / "ended")
    assert "currently locked by 1 lock(s)" in stack.up(succeed=False).output
    stack.pulumi("cancel", "--yes", "--stack", "test")
    again = stack.up()
    assert "1 pending operations" in again.output
    assert again.operations() == {"running": ["create"], "next": ["create"]}
    assert (stack.directory / "ended").read_text() == "x\nx\n"


@pytest.mark.usefixtures("only_stand_ins")
def test_plugins_of_a_killed_engine(new_stack: StackFactory, sshd: Sshd) -> None:
    """After kill -9 the stand-ins and the program end by themselves; the official plugins outlive it for minutes."""
    stack = new_stack("orphans")
    process, _, end = start(stack, sshd, "true")
    assert processes_of(stack)
    process.kill()
    process.wait()
    deadline = time.monotonic() + END_SECONDS
    while len(processes_of(stack)) > 0 and time.monotonic() < deadline:
        time.sleep(0.1)
    end.touch()
    left = processes_of(stack)
    for number in left:
        os.kill(number, signal.SIGKILL)
    assert left == {}


@pytest.mark.usefixtures("only_stand_ins")
def test_failure_is_all_that_is_said(new_stack: StackFactory) -> None:
    """A program that is interrupted because a resource failed adds no error of its own.

    It would where it notices the end of the run before the interrupt comes, which nothing but speed prevents: with
    the official plugins the interrupt is always first in practice, but nothing can hold them to it.
    """
    stack = new_stack("one-failure")
    stack.declare([resource("local.Command", "failing", create="exit 3")])
    for _ in range(RACES):
        run = stack.up(succeed=False)
        assert "exit status 3" in run.error("failing")
        assert not [text for text in run.messages(severity="error") if "Resource monitor" in text]


def test_interrupt_kills_local_commands(new_stack: StackFactory) -> None:
    """A local command is killed by the first interrupt."""
    stack = new_stack("local-interrupt")
    started = stack.directory / "started"
    stack.declare([resource("local.Command", "running", create=f"touch {started}; exec sleep 60")])
    process, events = stack.start("up", "--yes", "--skip-preview")
    wait_for(started)
    begun = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    run = stack.finish(process, events)
    assert time.monotonic() - begun < 30
    assert "signal: killed" in run.error("running")


@pytest.mark.usefixtures("only_stand_ins")
def test_line_of_any_length(new_stack: StackFactory, sshd: Sshd) -> None:
    """A line over 64 KiB with logging on ends like any other with the stand-in; the official plugin hangs on it."""
    stack = new_stack("long-line")
    create = "head -c 300000 /dev/zero | tr '\\0' x"
    run = stack.up([resource("remote.Command", "long", create=create, connection=sshd.connection())])
    assert [len(line) for line in run.lines("long")] == [300000]
    assert len(stack.state()["long"]["outputs"]["stdout"]) == 300000
