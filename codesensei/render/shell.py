"""Quoting for POSIX shell, done only here: a value becomes exactly one word."""

from __future__ import annotations

import shlex
from collections.abc import Iterable


def quote(value: str) -> str:
    """One shell word that reads back as `value`. ValueError for what no word can hold (NUL)."""
    if "\0" in value:
        raise ValueError("a shell word cannot hold a NUL character")
    return shlex.quote(value)


def join(words: Iterable[str]) -> str:
    """A command line whose words read back exactly as given."""
    return " ".join(quote(word) for word in words)
