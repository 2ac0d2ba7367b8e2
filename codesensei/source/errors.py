"""What is wrong with the project's source, told so that the user can fix it at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from pulumi import RunError

from codesensei.source import bounds
from codesensei.wire.quick import dataclass
from codesensei.wire.text import encodable, printable
from codesensei.wire.together import Together


class SourceError(RunError):
    """The source cannot be deployed. A RunError, so the engine prints its text and no traceback.

    `others` are further errors that it tells too, `notes` what may go wrong besides.
    """

    def __init__(
        self, thing: str, cause: str, fix: str, others: Sequence[SourceError] = (), notes: Sequence[str] = ()
    ) -> None:
        self.thing = encodable(thing)
        self.cause = encodable(cause)
        self.fix = encodable(fix)
        self.others = tuple(others)
        self.notes = tuple(map(encodable, notes))
        warnings = (f"warning: {note}" for note in self.notes)
        super().__init__("\n".join([f"{self.thing}: {self.cause}\n    {self.fix}", *map(str, self.others), *warnings]))

    @property
    def all(self) -> list[SourceError]:
        """Every error that this one tells, itself alone for a single one."""
        return [SourceError(self.thing, self.cause, self.fix), *self.others]


@dataclass(frozen=True)
class Told:
    """Something that reading the project shows; what is not `certain` to end a deploy is a warning."""

    error: SourceError
    certain: bool

    @property
    def sentence(self) -> str:
        """The warning."""
        return f"{self.error.thing}: {self.error.cause}: {self.error.fix}"


def raise_all(found: Iterable[SourceError], notes: Iterable[str] = ()) -> None:
    """Raise one SourceError that tells every error and note, each once; nothing where there are no errors."""
    every = list(found)
    errors = {str(one): one for error in every for one in error.all}
    if errors:
        first, *others = errors.values()
        told = dict.fromkeys([*(note for error in every for note in error.notes), *notes])
        raise SourceError(first.thing, first.cause, first.fix, others, tuple(told))


def together() -> Together[SourceError]:
    """Checks of the source, of which none hides another's error."""
    return Together(SourceError, raise_all)


def near(name: str, known: Iterable[str], *, count: int = 3) -> list[str]:
    """The names most like `name`, best first."""
    return difflib.get_close_matches(name, sorted(set(known))[: bounds.CANDIDATES], n=count, cutoff=0.6)


def listing(names: Iterable[str], *, limit: int = 5) -> str:
    """A few names for a sentence, with the number of those left out."""
    every = [printable(name) for name in names]
    shown = ", ".join(every[:limit])
    return shown if len(every) <= limit else f"{shown} and {len(every) - limit} more"
