"""One server as this run reaches it: its connection, its agent, and what the look has found there."""

from __future__ import annotations

from dataclasses import field, replace
from pathlib import Path

import pulumi
from pulumi.runtime import settings
from pulumi.runtime.config import get_config
from pulumi_command import remote

from codesensei.config.server import ServerConfig
from codesensei.remote import foresight, look
from codesensei.remote.agent import NO_KEY, folder_of, start_agent
from codesensei.remote.connection import connection
from codesensei.remote.errors import RemoteError
from codesensei.remote.look import Asked, Look
from codesensei.remote.state import State
from codesensei.remote.told import warn
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import NOTHING_ASKED, AskedOfDatabase, Preflight


@dataclass(frozen=True)
class Access:
    """What a step needs to run for the project `slug` on one server.

    `state` is the stack's own; `served` is the release that its outputs name, empty before the first deploy; `identity`
    is how the server's register knows the stack; `moved_from` is the server that has the stack's data, where this is
    another one.
    """

    server: ServerConfig
    slug: str
    agent_socket: str
    look: Look
    private_key: pulumi.Output[str] | None = field(default=None, repr=False)
    served: str = ""
    identity: str = ""
    moved_from: str = ""
    state: State = field(default_factory=State, repr=False)

    @property
    def connection(self) -> remote.ConnectionArgs:
        """The connection of every step: its key is in the agent, so a new key changes no input."""
        return connection(self.server, agent_socket=self.agent_socket)

    @property
    def connection_with_key(self) -> remote.ConnectionArgs:
        """The connection of the one delete, which works where no program runs and so no agent of ours."""
        return connection(self.server, private_key=self.private_key)

    @property
    def sudo(self) -> str:
        """What goes before a command that needs root."""
        return self.server.sudo

    @property
    def launcher(self) -> str:
        """The command that runs a step of this project on the server."""
        return f"{self.sudo}{ProjectPaths(self.slug).launcher}"


@dataclass(frozen=True)
class Asking:
    """A server that is being asked while the program reads on.

    `asked` is None where nobody looks: `problem` is then why it cannot be asked, if it cannot.
    """

    server: ServerConfig
    slug: str
    agent_socket: str
    private_key: pulumi.Output[str] | None = field(repr=False)
    asked: Asked | None
    problem: RemoteError | None = None


def ask(server: ServerConfig, *, slug: str, drift: bool, private_key: pulumi.Output[str] | None) -> Asking:
    """Start the agent and, where drift is looked for, begin the one look at the server; `reach` ends it."""
    # By value, because the agent must hold the key before the first resource is registered.
    key = get_config("codesensei:sshPrivateKey") if private_key is not None else None
    agent = start_agent(pulumi.get_stack(), key)
    asked, problem = None, None
    try:
        if not agent.has_keys:
            raise RemoteError(f"server {server.host}", *NO_KEY)
        if drift:
            asked = look.ask(server, agent.socket, server.sudo, str(ProjectPaths(slug).launcher))
    except RemoteError as error:
        problem = error
    return Asking(server, slug, agent.socket, private_key, asked, problem)


def reach(
    asking: Asking, state: State, asked: AskedOfDatabase = NOTHING_ASKED, wanted: Preflight | None = None
) -> Access:
    """Wait for what the server has to tell, where somebody looks also what `asked` has.

    With `wanted` it is also asked whether the stack may have that.

    In a preview a server that cannot be reached is a warning; in an update it is a RemoteError, before anything runs.
    """
    server, slug = asking.server, asking.slug
    _keep_outputs(state)
    access = Access(
        server,
        slug,
        asking.agent_socket,
        Look.none(state),
        asking.private_key,
        served=str(state.outputs.get("release", "")),
        identity=state.identity,
        moved_from=_left(state, server),
        state=state,
    )
    try:
        if asking.problem:
            raise asking.problem
        if asking.asked is None:
            if wanted:
                warn(f"{server.host}: {foresight.UNASKED}")
            return access
        found = asking.asked.look(state, asked, wanted)
    except RemoteError as error:
        if not pulumi.runtime.is_dry_run():
            raise
        warn(f"{error}\n    this preview is against the state alone; pulumi up would stop here")
        return access
    for warning in found.warnings:
        warn(warning)
    entry = found.register.slugs.get(slug) if found.register else None
    # The same machine, or one with its data, whatever it is called.
    here = entry is not None and entry.identity == state.identity and not found.blank
    return replace(access, look=_after_begun(found, state, server), moved_from="" if here else access.moved_from)


def _left(state: State, server: ServerConfig) -> str:
    """The server that the stack's outputs name, where it has another address than this one."""
    before = str(state.outputs.get("server", ""))
    return "" if before == server.host else before


def _keep_outputs(state: State) -> None:
    """Give the stack the outputs that it has: else the engine shows them as removed where a deploy fails."""
    root = settings.get_root_resource()
    if isinstance(root, pulumi.ComponentResource) and state.outputs and not pulumi.runtime.is_dry_run():
        root.register_outputs(dict(state.outputs))


def note_of(stack: str) -> Path:
    """The file that says that a first deploy of the stack was begun from here."""
    return folder_of(stack) / "begun"


def _after_begun(found: Look, state: State, server: ServerConfig) -> Look:
    """The look, or one that runs everything: where a first deploy had begun, and the server was put back since.

    The state of an unfinished first deploy cannot be read, so a note beside the agent says that there was one.
    """
    note = note_of(pulumi.get_stack())
    begun = note.exists() and note.read_text() == server.host_key
    if state.whole:
        note.unlink(missing_ok=True)
    elif not pulumi.runtime.is_dry_run():
        note.write_text(server.host_key)
    if found.blank and begun and not state.whole:
        return replace(Look.again(), refused=found.refused)
    return found
