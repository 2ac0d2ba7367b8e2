"""Checks that are all made before the first refusal counts, so that one run tells everything that is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType

from codesensei.scripts.base.step import OURS_LINES, Failure


class Failures(Failure):
    """Several failures told as one; `thing`, `cause`, `fix` and `log` are those of the first."""

    def __init__(self, found: Sequence[Failure]) -> None:
        first = found[0]
        super().__init__(first.thing, first.cause, first.fix, first.log, where=first.where)
        self.args = ("; ".join(map(str, found)),)
        self.found = tuple(found)

    def text(self) -> str:
        """Each as it is told alone, in at most 25 lines; the number of those left out."""
        self.found[-1].served = self.served
        texts = [failure.text() for failure in self.found]
        while len(texts) > 1 and sum(len(text.splitlines()) for text in texts) >= OURS_LINES:
            texts.pop()
        left = len(self.found) - len(texts)
        return "\n".join([*texts, *([f"and {left} more, told once these are fixed"] if left else [])])


def raise_all(found: Iterable[Failure]) -> None:
    """Raise one Failure that tells all of `found`; nothing where there are none."""
    failures = [one for failure in found for one in (failure.found if isinstance(failure, Failures) else [failure])]
    if failures:
        raise failures[0] if len(failures) == 1 else Failures(failures)


class Together:
    """`with checks: check()` for each check, then `checks.end()`, which raises what they refused."""

    def __init__(self) -> None:
        self._found: list[Failure] = []

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if isinstance(error, Failure):
            self._found.append(error)
        return isinstance(error, Failure)

    def end(self) -> None:
        """Raise one Failure that tells everything that the checks refused."""
        raise_all(self._found)
