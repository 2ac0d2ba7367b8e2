"""Several failures of a step, told as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from codesensei.scripts.base.step import OURS_LINES, Failure
from codesensei.wire.together import Together


class Failures(Failure):
    """Several failures told as one; `thing`, `cause`, `fix` and `log` are those of the first."""

    def __init__(self, found: Sequence[Failure]) -> None:
        first = found[0]
        super().__init__(first.thing, first.cause, first.fix, first.log, where=first.where)
        self.args = ("; ".join(map(str, found)),)
        self.found = tuple(found)

    def text(self) -> str:
        """Each as it is told alone, in at most 25 lines; the number of those left out."""
        texts = [failure.text() for failure in self.found]
        room = OURS_LINES - bool(self.served)
        while len(texts) > 1 and sum(len(text.splitlines()) for text in texts) >= room:
            texts.pop()
        last = self.found[len(texts) - 1]
        last.served = self.served
        texts[-1] = last.text()
        left = len(self.found) - len(texts)
        return "\n".join([*texts, *([f"and {left} more, told once these are fixed"] if left else [])])


def raise_all(found: Iterable[Failure]) -> None:
    """Raise one Failure that tells all of `found`; nothing where there are none."""
    failures = [one for failure in found for one in (failure.found if isinstance(failure, Failures) else [failure])]
    if failures:
        raise failures[0] if len(failures) == 1 else Failures(failures)


def together() -> Together[Failure]:
    """Checks of a step, of which none hides another's refusal."""
    return Together(Failure, raise_all)
