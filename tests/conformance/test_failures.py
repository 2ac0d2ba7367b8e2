"""What a failing command, a failing login and a failing dial say, and what is kept after them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance.conftest import StackFactory
from tests.conformance.servers import Hangup, Sshd, free_port, full_listener
from tests.conformance.stack import Entry, Run, Stack, resource

LONG_OUTPUT_BYTES = 1_000_000


@dataclass(frozen=True)
class Failures:
    """One run in which each resource fails in its own way, and the run after it."""

    stack: Stack
    run: Run
    again: Run
    closed_port: int
    full_port: int
    hangup: Hangup
    connections: int


@pytest.fixture(scope="module")
def failures(new_stack: StackFactory, sshd: Sshd) -> Failures:
    """Everything that can fail, failing in one run with --continue-on-error."""
    stack = new_stack("failures")
    hangup, closed = Hangup(), free_port()
    hangup.start()

    def command(name: str, create: str = "echo unreachable", **changes: object) -> Entry:
        arguments = {key: changes.pop(key) for key in ("logging", "environment", "stdin") if key in changes}
        connection = sshd.connection(**changes)
        return resource(
            "remote.Command",
            name,
            create=create,
            connection=connection,
            add_previous_output_in_env=False,
            **arguments,
        )

    def changing(name: str, verb: str, **arguments: object) -> Entry:
        given = {"create": "true", "connection": sshd.connection(), "add_previous_output_in_env": False}
        return resource("remote.Command", name, **{**given, verb: f"echo {verb}; exit 4", **arguments})

    stack.up([changing("bad-update", "update"), changing("bad-delete", "delete")])
    with full_listener() as full:
        failing = [
            command("status", 'cat; echo "oops\t\'é" >&2; exit 3', stdin="read\n", logging="none"),
            command("signal", "kill -9 $$"),
            command("long", f"head -c {LONG_OUTPUT_BYTES} /dev/zero | tr '\\0' x; exit 1", logging="none"),
            command("setenv", "echo unreachable", environment={"FOO": "bar"}),
            command("refused", port=closed, dial_error_limit=1),
            command("once", port=closed, dial_error_limit=0),
            command("host-key", host_key=sshd.public("stranger"), dial_error_limit=1),
            command("login", private_key=sshd.key("stranger"), dial_error_limit=1),
            command("hangup", port=hangup.port, dial_error_limit=4),
            command("timeout", port=full, dial_error_limit=0, per_dial_timeout=1),
            command("long-timeout", port=full, dial_error_limit=0, per_dial_timeout=6),
            command("no-key", private_key="not a key", dial_error_limit=2),
            command("locked-key", private_key=sshd.key("locked"), dial_error_limit=2),
            command("no-agent", agent_socket_path="nobody.sock", dial_error_limit=2),
            command("proxy", proxy={**sshd.connection(), "port": closed, "dial_error_limit": 0}),
            resource("local.Command", "local", create="echo out; exit 5"),
            resource("local.Command", "local-signal", create="kill -9 $$"),
        ]
        changed = [changing("bad-update", "update", stdin="changed")]
        before = sshd.connections()
        run = stack.up([*failing, *changed], "--continue-on-error", succeed=False)
        accepted = sshd.connections() - before
    again = stack.preview([command("status", "true"), changing("bad-update", "update", stdin="changed")])
    return Failures(stack, run, again, closed, full, hangup, accepted)


def test_exit_status(failures: Failures) -> None:
    """A failed command shows its status, its whole text quoted on one line, and its whole output as it came.

    logging="none" hides neither.
    """
    error = failures.run.error("status")
    quoted = json.dumps('cat; echo "oops\t\'é" >&2; exit 3', ensure_ascii=False)
    start = f"Process exited with status 3: running {quoted}:\n"
    assert start in error
    assert sorted(error.split(start)[1].splitlines()[:2]) == sorted(["read", "oops\t'é"])
    assert failures.run.lines("status") == []


def test_signal(failures: Failures) -> None:
    """A killed command shows 128 and the signal's number, and its name."""
    assert 'Process exited with status 137 from signal KILL: running "kill -9 $$":' in failures.run.error("signal")


def test_long_output_in_an_error(failures: Failures) -> None:
    """The whole output is in the error, however long it is."""
    assert failures.run.error("long").count("x" * LONG_OUTPUT_BYTES) == 1


def test_refused_variable(failures: Failures) -> None:
    """A variable of `environment` that the server refuses fails the operation after an error line; nothing runs."""
    error = failures.run.error("setenv")
    assert "Unable to set 'FOO'. This only works if your SSH server is configured to accept\n\tthese" in error
    assert 'could not set environment variable "FOO": ssh: setenv failed' in error
    assert failures.run.lines("setenv") == []


def test_refused_connection(failures: Failures) -> None:
    """A refused dial is tried once more for each dialErrorLimit, and says so."""
    refusal = f"dial tcp 127.0.0.1:{failures.closed_port}: connect: connection refused"
    assert f"after 1 failed attempts: {refusal}" in failures.run.error("refused")
    assert failures.run.lines("refused") == ["Dial 1/1 failed: retrying"]


def test_limit_of_zero_dials_once(failures: Failures) -> None:
    """dialErrorLimit=0 is one try."""
    assert "after 0 failed attempts: dial tcp" in failures.run.error("once")
    assert failures.run.lines("once") == []


def test_host_key_mismatch(failures: Failures) -> None:
    """Another host key than the pinned one is refused, and even that is tried again."""
    assert "after 1 failed attempts: ssh: handshake failed: ssh: " in failures.run.error("host-key")
    assert "host key mismatch" in failures.run.error("host-key")


def test_failed_login_is_retried(failures: Failures) -> None:
    """A refused key is tried again too, up to the limit."""
    assert (
        "after 1 failed attempts: ssh: handshake failed: ssh: unable to authenticate, "
        "attempted methods [none publickey], no supported methods remain" in failures.run.error("login")
    )


def test_delays_grow(failures: Failures) -> None:
    """A limit of 4 means 5 dials; the waits between them start at 0.1 s and grow by half each time."""
    assert "after 4 failed attempts: ssh: handshake failed: " in failures.run.error("hangup")
    assert len(failures.hangup.times) == 5
    waits = [0.1, 0.15, 0.225, 0.3375]
    assert all(gap >= wait * 0.95 for gap, wait in zip(failures.hangup.gaps(), waits, strict=True))
    assert sum(failures.hangup.gaps()) < sum(waits) + 4


def test_time_limit_of_a_dial(failures: Failures) -> None:
    """perDialTimeout bounds the TCP connection, in seconds."""
    for name, shortest, longest in (("timeout", 0, 4), ("long-timeout", 5, 30)):
        error = failures.run.error(name)
        assert f"after 0 failed attempts: dial tcp 127.0.0.1:{failures.full_port}: i/o timeout" in error
        assert shortest <= failures.run.seconds(name) <= longest


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("no-key", "ssh: no key found"),
        ("locked-key", "ssh: this private key is passphrase protected"),
        ("no-agent", "dial unix nobody.sock: connect: no such file or directory"),
    ],
)
def test_error_without_retry(failures: Failures, name: str, text: str) -> None:
    """A key that cannot be read, or an agent that does not answer (even beside a key), is an error at once."""
    assert text in failures.run.error(name)
    assert failures.run.lines(name) == []


def test_proxy_error(failures: Failures) -> None:
    """Errors on the way over a proxy say `proxy:`."""
    assert "proxy: after 0 failed attempts: dial tcp 127.0.0.1:" in failures.run.error("proxy")


def test_local_errors(failures: Failures) -> None:
    """A failed local command has the same form, with the operating system's words."""
    assert 'exit status 5: running "echo out; exit 5":\nout' in failures.run.error("local")
    assert 'signal: killed: running "kill -9 $$":' in failures.run.error("local-signal")


def test_dials_that_reached_the_server(failures: Failures) -> None:
    """Each operation uses one connection, and one more for each retry."""
    commands, retried_twice = 4, 2 * 2
    update_and_delete = 2
    assert failures.connections == commands + retried_twice + update_and_delete


def test_failed_create_is_not_stored(failures: Failures) -> None:
    """After a failed create nothing is stored; the next run creates again."""
    assert "status" not in failures.stack.state()
    assert failures.again.operations()["status"] == ["create"]


def test_failed_update_keeps_old_inputs(failures: Failures) -> None:
    """After a failed update the old inputs stay, so that the next run tries again."""
    assert "echo update; exit 4" in failures.run.error("bad-update")
    assert "stdin" not in failures.stack.state()["bad-update"]["inputs"]
    assert failures.again.operations()["bad-update"] == ["update"]


def test_failed_delete_keeps_the_resource(failures: Failures) -> None:
    """After a failed delete the resource stays, and the next run deletes again."""
    assert "echo delete; exit 4" in failures.run.error("bad-delete")
    assert "bad-delete" in failures.stack.state()
    assert failures.again.operations()["bad-delete"] == ["delete"]


@pytest.fixture(scope="module")
def unknown_field(new_stack: StackFactory, sshd: Sshd) -> Run:
    """The preview of a command whose connection has a field that does not exist."""
    arguments = {"host": "127.0.0.1", "user": "root", "privateKey": sshd.key("user"), "prot": 22}
    raw = {"token": "command:remote:Command", "connection": arguments, "create": "true"}
    entry = {"type": "raw", "name": "wrong", "arguments": raw, "options": {}}
    return new_stack("unknown-field").preview([entry], succeed=False)


def test_unknown_connection_field(unknown_field: Run) -> None:
    """An unknown field of the connection fails before anything runs."""
    assert "prot" in unknown_field.error("wrong")


@pytest.mark.usefixtures("only_stand_ins")
def test_unknown_connection_field_shows_no_key(unknown_field: Run) -> None:
    """The stand-in names the field alone; the official plugin prints the connection, private key included."""
    assert "PRIVATE KEY" not in unknown_field.output


def test_server_comes_up_while_dialling(new_stack: StackFactory, sshd: Sshd, tmp_path: Path) -> None:
    """dialErrorLimit=-1 dials for as long as it takes."""
    stack = new_stack("late")
    hangup = Hangup()
    hangup.start()
    endless = sshd.connection(port=hangup.port, dial_error_limit=-1)
    stack.declare([resource("remote.Command", "late", create="true", connection=endless)])
    process, events = stack.start("up", "--yes", "--skip-preview")
    while len(hangup.times) < 6 and process.poll() is None:
        hangup.join(0.1)
    assert process.poll() is None
    process.terminate()
    run = stack.finish(process, events)
    assert "Dial 5/inf failed: retrying" in run.lines("late")
    assert "context canceled" in run.error("late")
