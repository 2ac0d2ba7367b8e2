"""Visitors of the desk who ask again and again while something changes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from functools import partial

from tests.host.desks import Desk
from tools.trials.crowd import Crowd

COUNT = 3
LONG = 3.0


class Load(Crowd):
    """Some visitors who read and write, one whose requests take long."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.server, desk.hostname)
        self.desk = desk

    def habits(self) -> Iterator[Callable[[], None]]:
        """What each of them does."""
        for number in range(COUNT):
            yield partial(self._visit, number)
        yield self._wait_long

    @property
    def releases(self) -> list[str]:
        """The releases that answered, in the order of their first answers."""
        found = (re.search(r'"cwd": "[^"]*/releases/([^/"]+)', answer.page) for answer in self.answers)
        return list(dict.fromkeys(release[1] for release in found if release))

    def lost(self) -> set[str]:
        """What was acknowledged as written and is not there."""
        return set(self.acknowledged) - set(self.desk.asks("/notes")["notes"])

    def _visit(self, number: int) -> None:
        count = 0
        while self.goes_on():
            count += 1
            text = f"{number}-{count}-{time.time_ns()}"
            if count % 4:
                self.get("read", "/")
            elif not self.post("write", "/notes", {"text": text}).problem:
                self.acknowledged.append(text)

    def _wait_long(self) -> None:
        while self.goes_on():
            self.get("long", f"/slow?seconds={LONG}", own=LONG)
