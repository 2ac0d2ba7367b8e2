"""How the engine's provider connects. Built by the typed classes alone: an unknown field would print the key."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_command import remote

from codesensei.config.server import JumpHost, ServerConfig

# Attempts after the first, for a server that is busy or just starts; a wrong key or host key is tried as often.
DIAL_ERROR_LIMIT = 5
DIAL_SECONDS = 15


def connection(
    server: ServerConfig, *, agent_socket: str | None = None, private_key: pulumi.Output[str] | None = None
) -> remote.ConnectionArgs:
    """The connection to `server` with the keys of the agent, or with `private_key`.

    With neither, the provider takes the operator's own agent.
    """

    def of(host: ServerConfig | JumpHost) -> dict[str, Any]:
        where = {"host": host.host, "port": host.port, "user": host.user, "host_key": host.host_key}
        keys = {"agent_socket_path": agent_socket, "private_key": private_key}
        return {**where, **keys, "dial_error_limit": DIAL_ERROR_LIMIT, "per_dial_timeout": DIAL_SECONDS}

    proxy = remote.ProxyConnectionArgs(**of(server.proxy)) if server.proxy else None
    return remote.ConnectionArgs(**of(server), proxy=proxy)
