"""Visitors of the example project who read and write while something happens."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from tools.trials.crowd import Crowd

COUNT = 2


@dataclass
class Visitors(Crowd):
    """Visitors of the guestbook; every fourth request of each writes an entry."""

    def habits(self) -> Iterator[Callable[[], None]]:
        """They do all the same."""
        for number in range(COUNT):
            yield partial(self._visit, number)

    def lost(self) -> set[str]:
        """The entries that were acknowledged and are not in the database."""
        query = "SELECT message FROM entries_entry"
        words = f'cd / && runuser -u postgres -- psql -XAt -d guestbook -c "{query}"'
        return set(self.acknowledged) - set(self.server.console(words).stdout.splitlines())

    def _visit(self, number: int) -> None:
        count, token = 0, ""
        while self.goes_on():
            count += 1
            if count % 4 or not token:
                reply = self.get("read", "/")
            else:
                text = f"visitor {number} wrote {count} at {time.time_ns()}"
                fields = {"csrfmiddlewaretoken": token, "name": "A visitor", "place": "", "message": text}
                reply = self.post("write", "/", fields, {"Cookie": f"csrftoken={token}"}, status=302)
                if not reply.problem:
                    self.acknowledged.append(text)
            if found := re.search(r"csrftoken=(\w+)", reply.cookie):
                token = found[1]
