"""How the engine's provider connects. Built by the typed classes alone: an unknown field would print the key."""

from __future__ import annotations

import pulumi
from pulumi_command import remote

from codesensei.config.server import JumpHost, ServerConfig

# Attempts after the first, for a server that is busy or just starts; a wrong key or host key is tried as often.
DIAL_ERROR_LIMIT = 5
DIAL_SECONDS = 15


def connection(server: ServerConfig, agent_socket: str) -> remote.ConnectionArgs:
    """The connection of every step: its key is in the agent, so a new key changes no input."""
    return _connection(server, agent_socket=agent_socket, private_key=None)


def connection_with_key(server: ServerConfig, private_key: pulumi.Output[str] | None) -> remote.ConnectionArgs:
    """A connection that works where no program runs and so no agent of ours (`pulumi destroy`).

    Without a key the provider takes the operator's own agent.
    """
    return _connection(server, agent_socket=None, private_key=private_key)


def _connection(
    server: ServerConfig, *, agent_socket: str | None, private_key: pulumi.Output[str] | None
) -> remote.ConnectionArgs:
    return remote.ConnectionArgs(
        host=server.host,
        port=server.port,
        user=server.user,
        host_key=server.host_key,
        agent_socket_path=agent_socket,
        private_key=private_key,
        dial_error_limit=DIAL_ERROR_LIMIT,
        per_dial_timeout=DIAL_SECONDS,
        proxy=_proxy(server.proxy, agent_socket, private_key) if server.proxy else None,
    )


def _proxy(
    jump: JumpHost, agent_socket: str | None, private_key: pulumi.Output[str] | None
) -> remote.ProxyConnectionArgs:
    return remote.ProxyConnectionArgs(
        host=jump.host,
        port=jump.port,
        user=jump.user,
        host_key=jump.host_key,
        agent_socket_path=agent_socket,
        private_key=private_key,
        dial_error_limit=DIAL_ERROR_LIMIT,
        per_dial_timeout=DIAL_SECONDS,
    )
