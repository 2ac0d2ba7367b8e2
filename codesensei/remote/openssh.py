"""What OpenSSH's client is told for one connection: pinned host keys, the agent's keys, nothing of the user's own."""

from __future__ import annotations

from codesensei.config.server import ServerConfig

CONNECT_SECONDS = 5


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
