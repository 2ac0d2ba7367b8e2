"""What a restore keeps of before: the name that it had, with the time at its end."""

from __future__ import annotations

import re

# As many as PostgreSQL has for a name.
NAME_BYTES = 63
_END = re.compile(r"-before-\d{8}-\d{6}$")


def name_of(name: str, stamp: str) -> str:
    """What that is called from then on; `stamp` is the day and the time of the restore, as `20260131-235959`."""
    end = f"-before-{stamp}"
    return f"{name[: NAME_BYTES - len(end)]}{end}"


def plain(name: str) -> str:
    """Its name without that end; a long one lacks what had no room beside it."""
    return _END.sub("", name)


def is_of(found: str, name: str) -> bool:
    """Whether a restore has given this name to what was called `name`."""
    end = _END.search(found)
    return end is not None and found == name_of(name, end[0].removeprefix("-before-"))
