"""A moment that somebody names on a command line: both sides of the connection read it alike."""

from __future__ import annotations

import contextlib
import re
from datetime import datetime, timezone

# The word for all that has been archived.
END = "end"
FORM = "write it with its offset from UTC: 2026-11-30T12:00:00Z or 2026-11-30T13:00:00+01:00"


def instant(text: str) -> datetime:
    """A time in ISO 8601; nanoseconds, which restic writes, are cut off. ValueError for any other text."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text).replace("Z", "+00:00"))


def parse(text: str) -> datetime | None:
    """A moment with its offset, in UTC; None for the end. ValueError, which says how it is written, for other texts."""
    if text == END:
        return None
    with contextlib.suppress(ValueError):
        found = instant(text)
        if found.tzinfo is not None:
            return found.astimezone(timezone.utc)
    raise ValueError(FORM)
