"""Every call that leaves the product, in order, and the one among them that fails or is the last."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a call does to the server."""

    # Changes something other than a file.
    PROGRAM = "program"
    # Changes one name in the file system: a file that is written, a link, a removal.
    FILE = "file"
    # Changes nothing.
    QUERY = "query"


@dataclass(frozen=True)
class Call:
    """One call, as a person would write it."""

    kind: Kind
    text: str


class How(Enum):
    """What becomes of the call that a fault is about."""

    # It does nothing, and says that it failed.
    REFUSED = "refused"
    # It does what it is asked for, and says that it failed.
    LATE = "late"
    # The process that makes it is killed just before.
    KILLED = "killed"


@dataclass(frozen=True)
class Fault:
    """What happens at one call, by its number."""

    number: int
    how: How


class Killed(BaseException):
    """The process was killed: whatever it still tries has no effect."""


class Calls:
    """What one run has called."""

    def __init__(self, fault: Fault | None = None) -> None:
        self.made: list[Call] = []
        self.fault = fault
        self._dead = False

    def begin(self, kind: Kind, text: str) -> How | None:
        """Note a call; returns how it fails, if it does. Raises Killed where the process does not live any more."""
        if self._dead:
            raise Killed
        number = len(self.made)
        self.made.append(Call(kind, text))
        if self.fault is None or self.fault.number != number:
            return None
        if self.fault.how is How.KILLED:
            self._dead = True
            raise Killed
        return self.fault.how

    @property
    def programs(self) -> list[str]:
        """What changed something other than a file."""
        return [call.text for call in self.made if call.kind is Kind.PROGRAM]

    def faults(self) -> list[int]:
        """Calls worth failing: every change, and of the questions between two changes each one once."""
        found, asked = [], set[str]()
        for number, call in enumerate(self.made):
            if call.kind is not Kind.QUERY:
                asked.clear()
            elif call.text in asked:
                continue
            else:
                asked.add(call.text)
            found.append(number)
        return found

    def changes(self) -> list[int]:
        """Calls that change something: killed before a question is killed before the next change."""
        return [number for number, call in enumerate(self.made) if call.kind is not Kind.QUERY]
