"""Where hostnames lead, as the operator's machine finds it: all at once, within two seconds, and never an error."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from codesensei.wire.names import asked_name

SECONDS = 2.0
NO_RECORD = "no DNS record leads here yet"
NOT_KNOWN = "where it leads is not known: DNS does not answer"
Address = IPv4Address | IPv6Address
# A server at such an address has another one for visitors, which nobody here knows.
_INSIDE = [
    *map(
        ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16")
    ),
    *map(ip_network, ("::1/128", "fc00::/7", "fe80::/10")),
]


def remarks(hostnames: Iterable[str], host: str) -> dict[str, str]:
    """What a visitor of a hostname would notice, by the hostname; nothing of one that leads to the server `host`."""
    asked = {name: asked_name(name) for name in hostnames if not _is_address(name)}
    if not asked:
        return {}
    found = _ask({*asked.values(), host})
    here = found.get(host) or set()
    said = {name: _remark(found.get(question), here) for name, question in asked.items()}
    return {name: text for name, text in said.items() if text}


def _remark(there: set[Address] | None, here: set[Address]) -> str:
    """`there` is None where DNS has not answered."""
    if there is None:
        return NOT_KNOWN
    if not there:
        return NO_RECORD
    if there & here or any(address in network for address in here for network in _INSIDE):
        return ""
    # A server that is known by its IPv4 address may well have an IPv6 address, too.
    versions = {address.version for address in here}
    others = sorted(str(address) for address in there if address.version in versions)
    return f"leads to {', '.join(others[:2])}, not to the server" if others else ""


def _ask(names: Iterable[str]) -> Mapping[str, set[Address] | None]:
    """The addresses of each name that DNS has answered for in time: none where it has no record."""
    found: dict[str, set[Address] | None] = {}
    # A resolver that hangs must not keep the program from ending.
    threads = [threading.Thread(target=_resolve, args=(name, found), daemon=True) for name in sorted(names)]
    deadline = time.monotonic() + SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(found)


def _resolve(name: str, found: dict[str, set[Address] | None]) -> None:
    try:
        answer = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        found[name] = {ip_address(str(place[4][0]).partition("%")[0]) for place in answer}
    except socket.gaierror as error:
        # Not every system tells a name without addresses from one that is not there.
        none = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
        found[name] = set() if error.errno in none else None
    except (OSError, ValueError):
        found[name] = None


def _is_address(name: str) -> bool:
    with contextlib.suppress(ValueError):
        return bool(ip_address(name.strip("[]")))
    return False
