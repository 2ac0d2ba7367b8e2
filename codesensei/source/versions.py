"""Versions of packages and of Python, as far as the requirements and the stack config fix them."""

from __future__ import annotations

import re

from codesensei.source.closure import Closure
from codesensei.wire.quick import dataclass

Version = tuple[int, ...]


def version(text: str) -> Version:
    """`4.2.1` as (4, 2, 1), and `5` as (5, 0)."""
    parts = [int(part) for part in text.split(".") if part.isdigit()]
    return tuple(parts if len(parts) > 1 else [*parts, 0])


def shown(number: Version) -> str:
    """(4, 2) as `4.2`."""
    return ".".join(map(str, number))


@dataclass(frozen=True)
class Range:
    """The versions that may be installed: from `least`, and less than `below`; None where nothing says."""

    least: Version | None = None
    below: Version | None = None
    pinned: bool = False

    def has(self, since: Version) -> bool | None:
        """Whether what is installed is of version `since` or newer; None where both may be."""
        if self.least is not None and self.least >= since:
            return True
        return False if self.below is not None and self.below <= since else None

    def takes(self, number: Version) -> bool:
        """Whether this version is one of them."""
        return (self.least is None or number >= self.least) and (self.below is None or number < self.below)


def asked(closure: Closure, name: str) -> Range:
    """What the requirements ask of a distribution."""
    return allowed(closure.versions.get(name, ""))


def allowed(specifier: str) -> Range:
    """What `>=4.2,<5` allows."""
    found = Range()
    for sign, text in re.findall(r"(===?|~=|>=|<=|<|>)\s*v?(\d+(?:\.\d+)*(?:\.\*)?)", specifier):
        number, length = version(text), text.count(".") + 1
        # Both fix all but the last part.
        below = (*number[: length - 2], number[length - 2] + 1) if length > 1 else None
        if sign in ("==", "===") and not text.endswith("*"):
            below = (*number[:-1], number[-1] + 1)
        elif sign in ("<", "<="):
            below = number if sign == "<" else (*number, 1)
        elif sign in (">", ">="):
            below = None
        least = found.least if sign in ("<", "<=") else max(found.least or number, number)
        limits = [limit for limit in (found.below, below) if limit is not None]
        found = Range(least, min(limits, default=None), found.pinned or sign in ("==", "==="))
    return found
