"""Whether ufw limits SSH from the machine that deploys: it then refuses the sixth connection within 30 seconds."""

from __future__ import annotations

import ipaddress
from contextlib import suppress

from codesensei.scripts.base import host
from codesensei.wire import paths
from codesensei.wire.steps import Finding

_MARK = "### tuple ### "


def finding() -> Finding | None:
    """What to tell and to do, where the limit holds for the connection that this process serves."""
    connection = host.ssh_connection()
    if connection is None or not _is_on() or not _limits(connection.client, connection.port):
        return None
    cause = (
        f"it limits port {connection.port} to six connections in 30 seconds, and a deploy makes one for each step: it"
        ' fails with "connection refused"'
    )
    fix = f"on the server: ufw insert 1 allow proto tcp from {connection.client} to any port {connection.port}"
    return Finding(thing="ufw", cause=cause, fix=fix)


def _is_on() -> bool:
    return "ENABLED=yes" in _text("ufw.conf").split()


def _limits(client: str, port: int) -> bool:
    """Whether the first rule that is about the client and the port is a limit."""
    rules = "user6.rules" if ":" in client else "user.rules"
    for line in _text(rules).splitlines():
        words = line.removeprefix(_MARK).split()
        if line.startswith(_MARK) and len(words) >= 6:
            action, protocol, ports, _, _, source = words[:6]
            if protocol in ("tcp", "any") and _has(ports, port) and _is_in(client, source) and words[-1] != "out":
                return action.partition("_")[0] == "limit"
    return False


def _has(ports: str, port: int) -> bool:
    """Whether a rule's ports, as 22, 22,80, 6000:6007 or any, have this one."""
    for one in ports.split(","):
        first, _, last = one.partition(":")
        if one == "any" or (first.isdigit() and int(first) <= port <= int(last or first)):
            return True
    return False


def _is_in(client: str, source: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(client) in ipaddress.ip_network(source, strict=False)
    return False


def _text(name: str) -> str:
    with suppress(OSError):
        return (paths.SERVER.ufw / name).read_text(errors="replace")
    return ""
