"""Ways to log in: agent, several keys, password, proxy."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.conftest import StackFactory
from tests.conformance.servers import Sshd, run_agent, run_refusal
from tests.conformance.stack import Entry, Run, Stack, resource


def command(name: str, connection: dict[str, object]) -> Entry:
    """A command that says which server it ran on."""
    given = {key: value for key, value in connection.items() if value is not None}
    return resource(
        "remote.Command", name, create="echo $SSH_CONNECTION", connection=given, add_previous_output_in_env=False
    )


@pytest.fixture(scope="module")
def logins(new_stack: StackFactory, sshd: Sshd) -> Iterator[tuple[Stack, Run, int]]:
    """Commands that log in by agent, by proxy and by both; the number of connections they made."""
    stack = new_stack("logins")
    with run_agent(stack.program / "agent.sock", sshd.directory / "user"):
        keyless = sshd.connection(private_key=None, agent_socket_path="agent.sock")
        hop = {key: value for key, value in sshd.connection().items() if value is not None}
        before = sshd.connections()
        run = stack.up(
            [
                command("agent", keyless),
                command("key-beside-agent", sshd.connection(agent_socket_path="agent.sock")),
                command("proxy", sshd.connection(port=sshd.open_port, proxy=hop)),
            ]
        )
        yield stack, run, sshd.connections() - before


def test_agent_at_a_relative_path(logins: tuple[Stack, Run, int]) -> None:
    """agentSocketPath is relative to the program's directory, where the plugins run."""
    assert logins[0].state()["agent"]["outputs"]["stdout"]


def test_key_beside_agent(logins: tuple[Stack, Run, int]) -> None:
    """A private key works beside an agent."""
    assert logins[0].state()["key-beside-agent"]["outputs"]["stdout"]


def test_proxy(logins: tuple[Stack, Run, int], sshd: Sshd) -> None:
    """With a proxy the command runs on the host behind it, over one hop: two connections instead of one."""
    assert logins[0].state()["proxy"]["outputs"]["stdout"].endswith(f"127.0.0.1 {sshd.open_port}")
    assert logins[2] == 2 + 2


def test_agent_of_the_environment(new_stack: StackFactory, sshd: Sshd, tmp_path: Path) -> None:
    """Without agentSocketPath the agent is the one of SSH_AUTH_SOCK."""
    stack = new_stack("environment")
    with run_agent(tmp_path / "agent", sshd.directory / "user") as agent:
        stack.environment["SSH_AUTH_SOCK"] = str(agent)
        stack.up([command("agent", sshd.connection(private_key=None))])
    assert stack.state()["agent"]["outputs"]["stdout"]


def test_stale_agent_of_the_environment(new_stack: StackFactory, sshd: Sshd, tmp_path: Path) -> None:
    """SSH_AUTH_SOCK is dialled although a private key is given: a socket nobody listens on is an error at once."""
    stack = new_stack("stale")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "stale"))
    stack.environment["SSH_AUTH_SOCK"] = str(tmp_path / "stale")
    run = stack.up([command("stale", sshd.connection())], succeed=False)
    assert f"dial unix {tmp_path / 'stale'}: connect: connection refused" in run.error("stale")
    assert run.lines("stale") == []


def test_order_of_methods(new_stack: StackFactory, sshd: Sshd) -> None:
    """Private key, password, the password once more where the server asks by keyboard, and the agent at last."""
    stack = new_stack("order")
    with (
        run_refusal(str(sshd.directory / "host_ed25519")) as (port, attempts),
        run_agent(stack.program / "agent.sock", sshd.directory / "stranger"),
    ):
        common = {"port": port, "password": "sesame", "dial_error_limit": 0, "agent_socket_path": "agent.sock"}
        stack.up([command("key", sshd.connection(**common))], succeed=False)
        with_key = [attempt.split()[0] for attempt in attempts]
        attempts.clear()
        run = stack.up([command("keyless", sshd.connection(private_key=None, **common))], succeed=False)
        without_key = [attempt.split() for attempt in attempts]
    assert with_key == ["publickey", "password", "keyboard-interactive"]
    assert [attempt[0] for attempt in without_key] == ["password", "keyboard-interactive", "publickey"]
    assert without_key[0][1] == without_key[1][1] == "sesame"
    assert "[none password keyboard-interactive publickey], no supported" in run.error("keyless")
