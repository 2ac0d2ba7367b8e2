"""The edge proxy, asked as strangers ask it, with proof that the project's own site has answered.

Each visit says a word of its own, as the name of its browser. nginx writes that into the log of the site that took the
request, and only the project's site writes into the project's log: no other site that has the hostname passes for it.
Visitors notice nothing, and nothing has to change on a server for it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from codesensei.scripts.base import files, host, units
from codesensei.scripts.base.probe import Door, Visit

# nginx writes a line when the answer is sent.
NOTED_SECONDS = 3.0
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Edge:
    """The edge proxy at one address; `log` is that of the project's site."""

    address: str
    log: Path

    def visit(self, ask: Callable[[Door], Visit]) -> tuple[Visit, bool]:
        """Ask through the proxy; whether it was the project's site that took every request."""
        word, began = secrets.token_hex(8), _size(self.log)
        found = ask(Door(address=self.address, word=word))

        def noted() -> bool:
            return files.read_foreign(self.log, began).count(word.encode()) >= len(found.answers)

        return found, not found.end.status or units.wait_until(noted, NOTED_SECONDS)


def addresses() -> list[str]:
    """Where strangers find this server, IPv4 first."""
    return host.own_addresses() or [LOOPBACK]


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
