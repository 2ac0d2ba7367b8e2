"""The brokers of a server: the one that all share, each stack's own, and which part of them a variable holds."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping
from typing import Literal

BrokerPart = Literal["url", "host", "port", "number", "password"]
LOOPBACK, PORT = "127.0.0.1", 6379
# From here on, the program gives the numbers; those before are left to what people write.
FIRST_GIVEN = 16
# A stack's own broker has a loopback address of its own, made from its number, and a port below 1024, which no user but
# root can take while it is down.
OWN_PORT = 637
_OWN_NETWORK = ipaddress.IPv4Network("127.6.0.0/16")

_PARTS: Mapping[str, BrokerPart] = {
    "URL": "url",
    "BACKEND": "url",
    "LOCATION": "url",
    "HOST": "host",
    "PORT": "port",
    "DB": "number",
    "NUMBER": "number",
}


def part_of(variable: str) -> BrokerPart | None:
    """The part that a variable holds by its name: REDIS_DB is the number."""
    found = re.search(r"(URL|BACKEND|LOCATION|HOST|PORT|DB|NUMBER)$", variable)
    return _PARTS[found.group(1)] if found else None


def is_own(parts: Collection[BrokerPart]) -> bool:
    """Whether variables with these parts lead to a broker of the stack's own: they must give its password."""
    return "password" in parts or set(parts) == {"url"}


def own_address(number: int) -> str:
    """Where the broker of the stack with this number listens."""
    return str(_OWN_NETWORK[number])


def number_at(address: str) -> str | None:
    """The number of the stack whose own broker is at this address; None for any other address."""
    try:
        found = ipaddress.IPv4Address(address)
    except ValueError:
        return None
    number = int(found) - int(_OWN_NETWORK.network_address)
    return str(number) if found in _OWN_NETWORK and number >= FIRST_GIVEN else None


def own_value(part: BrokerPart, number: int, password: str) -> str:
    """What a variable gets that holds this part of a stack's own broker."""
    host = own_address(number)
    url = f"redis://:{password}@{host}:{OWN_PORT}/0"
    parts = {"url": url, "host": host, "port": str(OWN_PORT), "number": "0", "password": password}
    return parts[part]


def shared_value(part: BrokerPart, number: int) -> str:
    """What a variable gets that holds this part of the broker that all share."""
    url = f"redis://{LOOPBACK}:{PORT}/{number}"
    return {"url": url, "host": LOOPBACK, "port": str(PORT), "number": str(number)}[part]


def mapping(variables: Mapping[str, str]) -> str:
    """broker's value in the stack file that maps these variables."""
    inner = ", ".join(f"{name}: {part}" for name, part in sorted(variables.items()))
    return f"{{env: {{{inner}}}}}"
