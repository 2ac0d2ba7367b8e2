"""Which ports this server listens on, and which of them are sshd's."""

from __future__ import annotations

import contextlib
import os
import re

from codesensei.scripts.base import host
from codesensei.scripts.base.commands import systemctl
from codesensei.wire import paths

# Ours, as `nft list tables` prints it.
TABLE = ["inet", "codesensei"]


def tcp() -> list[host.Listener]:
    """Who listens on a TCP port that others reach."""
    return [found for found in host.listeners(range(65536)) if not found.loopback]


def ssh_ports() -> set[int]:
    """The ports on which sshd takes connections, and the one of this very connection."""
    listening = {found.port for found in tcp() if found.process == "sshd"}
    # Where systemd listens for it.
    sockets = systemctl("show", "--property=Listen", "ssh.socket", "sshd.socket", check=False).stdout
    listening |= {int(port) for port in re.findall(r"^Listen=(?:\S*:)?(\d+) \(Stream\)", sockets, re.MULTILINE)}
    return listening | _of_this_connection()


def _of_this_connection() -> set[int]:
    """What sshd has told the shell from which this process descends; sudo keeps it from its own children."""
    pid = os.getpid()
    with contextlib.suppress(OSError, ValueError):
        while pid > 1:
            process = paths.SERVER.processes / str(pid)
            for variable in (process / "environ").read_bytes().split(b"\0"):
                if variable.startswith(b"SSH_CONNECTION="):
                    return {int(variable.split()[-1])}
            pid = int(re.findall(r"^PPid:\s+(\d+)", (process / "status").read_text(), re.MULTILINE)[0])
    return set()
