"""Which of many tests are in which part of a run that is split."""

from __future__ import annotations

import re

import pytest


def part(text: str, count: int) -> range:
    """The places, of `count` tests, that are in the n-th of m parts: n/m; raises pytest.UsageError for other texts."""
    found = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", text)
    number, parts = map(int, found.groups()) if found else (0, 0)
    if not 1 <= number <= parts:
        raise pytest.UsageError(f"--part {text}: write the part and how many there are, such as 2/8")
    return range((number - 1) * count // parts, number * count // parts)
