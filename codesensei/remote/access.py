"""One server as this run reaches it: its connection, its agent, and what the look has found there."""

from __future__ import annotations

from dataclasses import dataclass, field

import pulumi
from pulumi.runtime.config import get_config
from pulumi_command import remote

from codesensei.remote.agent import NO_KEY, start_agent
from codesensei.remote.connection import connection, connection_with_key
from codesensei.remote.errors import RemoteError
from codesensei.remote.look import Look, look_at
from codesensei.spec.server import Server

LIBRARY = "/usr/local/lib/codesensei"


@dataclass(frozen=True)
class Access:
    """What a step needs to run for the project `slug` on one server."""

    server: Server
    slug: str
    agent_socket: str
    look: Look
    private_key: pulumi.Output[str] | None = field(default=None, repr=False)

    @property
    def connection(self) -> remote.ConnectionArgs:
        """The connection of a step."""
        return connection(self.server, self.agent_socket)

    @property
    def connection_with_key(self) -> remote.ConnectionArgs:
        """The connection of the one delete, which must work without the program."""
        return connection_with_key(self.server, self.private_key)

    @property
    def sudo(self) -> str:
        """What goes before a command that needs root."""
        return "" if self.server.user == "root" else "sudo -n "

    @property
    def launcher(self) -> str:
        """The command that runs a step of this project on the server."""
        return f"{self.sudo}{LIBRARY}/{self.slug}/run"


def reach(server: Server, *, slug: str, drift: bool, private_key: pulumi.Output[str] | None) -> Access:
    """Start the agent and, where drift is looked for, look at the server once.

    In a preview a server that cannot be reached is a warning; in an update it is a RemoteError, before anything runs.
    """
    # By value, because the agent must hold the key before the first resource is registered.
    key = get_config("codesensei:sshPrivateKey") if private_key is not None else None
    agent = start_agent(pulumi.get_stack(), key)
    access = Access(server, slug, agent.socket, Look.off(), private_key)
    if not agent.has_keys:
        return _without_look(access, RemoteError(f"server {server.host}", *NO_KEY))
    if not drift:
        return access
    try:
        look = look_at(access.server, agent.socket, access.sudo, f"{LIBRARY}/{slug}/run")
    except RemoteError as error:
        return _without_look(access, error)
    for warning in look.warnings:
        pulumi.warn(warning)
    return Access(server, slug, agent.socket, look, private_key)


def _without_look(access: Access, error: RemoteError) -> Access:
    if not pulumi.runtime.is_dry_run():
        raise error
    pulumi.warn(f"{error}\n    this preview is against the state alone; pulumi up would stop here")
    return Access(access.server, access.slug, access.agent_socket, Look.unreachable(), access.private_key)
