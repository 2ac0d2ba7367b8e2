"""Which ports this server listens on, which of them are sshd's, and whether sshd answers there."""

from __future__ import annotations

import contextlib
import re
import socket

from codesensei.scripts.base import commands, host
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.host import Listener

# Ours, as nft prints it.
TABLE = ["inet", "codesensei"]


def tcp() -> list[Listener]:
    """Who listens on a TCP port that others reach."""
    return [found for found in host.listeners(range(65536)) if not found.loopback]


def udp() -> list[Listener]:
    """The same for UDP."""
    said = commands.run(["ss", "--no-header", "--listening", "--udp", "--numeric", "--processes"], check=False).stdout
    return [found for found in host.parse_listeners(said) if not found.loopback]


def sshd() -> list[Listener]:
    """Where sshd itself takes connections."""
    return [found for found in tcp() if found.process == "sshd"]


def ssh_ports() -> set[int]:
    """The ports on which sshd takes connections, and the one of this very connection."""
    # Where systemd listens for it.
    sockets = systemctl("show", "--property=Listen", "ssh.socket", "sshd.socket", check=False).stdout
    found = {int(port) for port in re.findall(r"^Listen=(?:\S*:)?(\d+) \(Stream\)", sockets, re.MULTILINE)}
    return found | {found.port for found in sshd()} | of_this_connection()


def of_this_connection() -> set[int]:
    """The port by which the program has connected; empty where that is unknown."""
    connection = host.ssh_connection()
    return {connection.port} if connection else set()


def greets(listener: Listener) -> bool:
    """Whether an SSH server answers there."""
    with contextlib.suppress(OSError), socket.create_connection((listener.address, listener.port), 5.0) as connection:
        return connection.recv(4) == b"SSH-"
    return False


def tunnel() -> str:
    """The first interface of a VPN, like wg0; empty where there is none."""
    links = commands.run(["ip", "-oneline", "link"], check=False).stdout
    found = re.search(r"^\d+: ([^:@]+)\S* .*link/none", links, re.MULTILINE)
    return found[1] if found else ""
