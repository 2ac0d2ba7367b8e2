"""What is wrong with the project's source, told so that the user can fix it at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pulumi import RunError


class SourceError(RunError):
    """The source cannot be deployed. A RunError, so the engine prints its text and no traceback."""

    def __init__(self, thing: str, cause: str, fix: str) -> None:
        self.thing = _encodable(thing)
        self.cause = _encodable(cause)
        self.fix = _encodable(fix)
        super().__init__(f"{self.thing}: {self.cause}\n    {self.fix}")


def printable(text: str) -> str:
    """The text on one line, with the bytes that are no UTF-8 and the characters that steer a terminal spelled out."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in _encodable(text)
    )


def _encodable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def near(name: str, known: Iterable[str], *, count: int = 3) -> list[str]:
    """The names most like `name`, best first."""
    return difflib.get_close_matches(name, sorted(set(known)), n=count, cutoff=0.6)


def listing(names: Iterable[str], *, limit: int = 5) -> str:
    """A few names for a sentence, with the number of those left out."""
    every = [printable(name) for name in names]
    shown = ", ".join(every[:limit])
    return shown if len(every) <= limit else f"{shown} and {len(every) - limit} more"
