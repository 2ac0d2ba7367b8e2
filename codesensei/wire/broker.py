"""The server's own broker: where it is, and which part of it a variable holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

BrokerPart = Literal["url", "host", "port", "number"]
LOOPBACK, PORT = "127.0.0.1", 6379
# From here on, the program gives the numbers; those before are left to what people write.
FIRST_GIVEN = 16

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


def value_of(part: BrokerPart, number: int) -> str:
    """What a variable gets that holds this part."""
    url = f"redis://{LOOPBACK}:{PORT}/{number}"
    return {"url": url, "host": LOOPBACK, "port": str(PORT), "number": str(number)}[part]


def mapping(variables: Mapping[str, str]) -> str:
    """broker's value in the stack file that maps these variables."""
    inner = ", ".join(f"{name}: {part}" for name, part in sorted(variables.items()))
    return f"{{env: {{{inner}}}}}"
