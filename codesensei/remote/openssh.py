"""What OpenSSH's client is told for one connection: pinned host keys, the agent's keys, nothing of the user's own."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from codesensei.config.server import ServerConfig

CONNECT_SECONDS = 5


@contextlib.contextmanager
def client(server: ServerConfig, agent_socket: str) -> Iterator[tuple[list[str], dict[str, str]]]:
    """The words before the command that shall run on the server, and the variables to start them with."""
    with tempfile.TemporaryDirectory(prefix="codesensei-") as folder:
        known, config = Path(folder, "known_hosts"), Path(folder, "config")
        known.write_text(known_hosts(server))
        config.write_text(settings(server, str(known)))
        yield ["ssh", "-F", str(config), "-T", "server"], {**os.environ, "SSH_AUTH_SOCK": agent_socket}


def known_hosts(server: ServerConfig) -> str:
    """The file with the host keys, by the names that `settings` uses."""
    hosts = {"server": server, "jump": server.proxy}
    return "".join(f"{name} {host.host_key}\n" for name, host in hosts.items() if host)


def settings(server: ServerConfig, known: str) -> str:
    """The configuration file for the host `server`; `known` is the path of the file with the host keys."""
    lines = []
    for name, host in {"server": server, "jump": server.proxy}.items():
        if host is None:
            continue
        lines += [f"Host {name}", f"HostName {host.host}", f"Port {host.port}", f"User {host.user}"]
        lines += [f"HostKeyAlias {name}", f"HostKeyAlgorithms {host.host_key.split()[0]}"]
        if name == "server" and server.proxy:
            # Longer than the jump host's own: else this end may give up first, and the error names the wrong machine.
            lines += ["ProxyJump jump", f"ConnectTimeout {2 * CONNECT_SECONDS}"]
    lines += ["Host *", f'UserKnownHostsFile "{known}"', "GlobalKnownHostsFile none", "StrictHostKeyChecking yes"]
    lines += ["IdentityFile none", "PreferredAuthentications publickey", "BatchMode yes", "LogLevel ERROR"]
    lines += [f"ConnectTimeout {CONNECT_SECONDS}", "ServerAliveInterval 5", "ServerAliveCountMax 2"]
    lines += ["ControlMaster no", "ControlPath none", "ClearAllForwardings yes"]
    return "\n".join(lines) + "\n"
