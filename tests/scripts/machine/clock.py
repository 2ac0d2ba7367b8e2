"""Time that passes only when somebody sleeps, and what happens meanwhile."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

START = 1_750_000_000.0
# Nothing on the machine takes longer; what still waits then would wait for ever.
LONGEST = 24 * 3600.0


class WaitsForever(BaseException):
    """Something waits for what never comes; no product code catches this."""


class Clock:
    """Seconds since the epoch, and what is to happen at which of them."""

    def __init__(self) -> None:
        self.now = START
        self._order = itertools.count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass, and everything happen that is due."""
        end = self.now + seconds
        if end > START + LONGEST:
            raise WaitsForever
        while self._events and self._events[0][0] <= end:
            moment, _, event = heapq.heappop(self._events)
            self.now = max(self.now, moment)
            event()
        self.now = max(self.now, end)

    @property
    def is_still(self) -> bool:
        """Whether nothing will happen by itself."""
        return not self._events

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        """Let `event` happen in so many seconds."""
        heapq.heappush(self._events, (self.now + seconds, next(self._order), event))
