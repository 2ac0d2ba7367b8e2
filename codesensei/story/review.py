"""What a review is held to: digests of all that a preview was made from, in one name that a comment can carry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import astuple

from codesensei.wire.quick import dataclass

# Where a preview's message begins that names its review, and what an update reads it from.
MARK = "review "
VARIABLE = "CODESENSEI_REVIEWED"
_FORM = re.compile(r"([0-9a-f]{7})\.([0-9a-f]{8})\.([0-9a-f]{8})\.([0-9a-f]{8})")


@dataclass(frozen=True)
class Previewed:
    """What a preview is of, as digests: the code (as in a release's name), stack file, what is live, the program."""

    code: str
    file: str
    live: str
    program: str

    @classmethod
    def of(cls, code: str, file: str, live: str, program: str) -> Previewed:
        """From digests of any length."""
        return cls(code[:7], file[:8], live[:8], program[:8])

    @classmethod
    def read(cls, text: str) -> Previewed | None:
        """The review of this name; None where it is no such name."""
        found = _FORM.fullmatch(text)
        return cls(*found.groups()) if found else None

    def __str__(self) -> str:
        return ".".join(astuple(self))

    def moved(self, reviewed: Previewed, commit: str, file: str, served: str) -> Iterator[str]:
        """What is not as it was when `reviewed` was made, as sentences."""
        if self.code != reviewed.code:
            yield f"the code is {self.code}, of commit {commit}; reviewed was {reviewed.code}"
        if self.file != reviewed.file:
            yield f"{file} has changed, or a plain value that it takes from elsewhere"
        if self.live != reviewed.live:
            now = f"{served} serves now" if served else "nothing serves yet"
            yield f"what serves, or what was changed by hand on the server, is not what it was: {now}"
        if self.program != reviewed.program:
            yield "codesensei itself is another version"
