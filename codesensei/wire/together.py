"""Checks that are all made before the first refusal counts, so that one run tells everything that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

E = TypeVar("E", bound=Exception)


class Together(Generic[E]):
    """`with checks: check()` for each check, then `checks.end()`.

    `kind` is what a check refuses with; `raise_all` raises one exception that tells all of them, nothing for none.
    """

    def __init__(self, kind: type[E], raise_all: Callable[[list[E]], None]) -> None:
        self._kind, self._raise_all = kind, raise_all
        self._found: list[E] = []

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if not isinstance(error, self._kind):
            return False
        self._found.append(error)
        return True

    def end(self) -> None:
        """Raise what the checks refused."""
        self._raise_all(self._found)
