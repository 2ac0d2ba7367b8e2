"""Tell the user what happens and how long it took."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Step:
    """A step under way; `outcome` may be set to what shall be said at its end."""

    def __init__(self) -> None:
        self.outcome = ""


class Progress:
    """Numbered phases, each with the seconds it took. Phases may overlap."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._lock = threading.Lock()
        self._started = time.monotonic()

    def say(self, text: str = "") -> None:
        """Print a line at once."""
        with self._lock:
            print(text, flush=True)

    @contextmanager
    def phase(self, title: str) -> Iterator[Step]:
        """Announce a phase, run the block, and say how long it took."""
        self.say(f"[{clock(self.elapsed)}] {title} ...")
        started = time.monotonic()
        step = Step()
        yield step
        self.seconds[title] = time.monotonic() - started
        outcome = f": {step.outcome}" if step.outcome else ""
        self.say(f"[{clock(self.elapsed)}] {title}{outcome} ({self.seconds[title]:.0f} s)")

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._started

    def table(self) -> str:
        """All phases with their seconds, and the whole time."""
        rows = [*self.seconds.items(), ("all", self.elapsed)]
        width = max(len(title) for title, _ in rows)
        return "\n".join(f"  {title.ljust(width)}  {seconds:6.1f} s" for title, seconds in rows)


def clock(seconds: float) -> str:
    """Minutes and seconds, as in 2:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
