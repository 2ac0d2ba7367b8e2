"""What is wrong with the project's source, told so that the user can fix it at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from types import TracebackType

from pulumi import RunError


class SourceError(RunError):
    """The source cannot be deployed. A RunError, so the engine prints its text and no traceback.

    `others` are further errors that it tells too.
    """

    def __init__(self, thing: str, cause: str, fix: str, others: Sequence[SourceError] = ()) -> None:
        self.thing = _encodable(thing)
        self.cause = _encodable(cause)
        self.fix = _encodable(fix)
        self.others = tuple(others)
        super().__init__("\n".join([f"{self.thing}: {self.cause}\n    {self.fix}", *map(str, self.others)]))

    @property
    def all(self) -> list[SourceError]:
        """Every error that this one tells, itself alone for a single one."""
        return [SourceError(self.thing, self.cause, self.fix), *self.others]


class Together:
    """Checks that are all made before the first error counts: `with checks: check()`, then `checks.end()`."""

    def __init__(self) -> None:
        self.found: list[SourceError] = []

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if isinstance(error, SourceError):
            self.found += error.all
        return isinstance(error, SourceError)

    def end(self) -> None:
        """Raise one SourceError that tells every error, each once."""
        if self.found:
            first, *others = {str(error): error for error in self.found}.values()
            raise SourceError(first.thing, first.cause, first.fix, others)


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
