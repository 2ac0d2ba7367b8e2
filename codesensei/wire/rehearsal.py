"""Which migrations are rehearsed on a copy of their database before they run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from codesensei.wire.migrations import Judged, Migration
from codesensei.wire.table_locks import Table, held, locked, tell

# `auto`: a plan that is risky, where the copy takes little. `always`: each plan, and what cannot be copied is an error.
Rehearse = Literal["auto", "always", "never"]
# Bytes of a database, and seconds of its migrations: more is not spent unasked.
AUTO_SIZE = 1 << 30
AUTO_SECONDS = 600


def is_risky(
    plan: Sequence[Migration], judged: Iterable[Judged], tables: Mapping[str, Table], postgresql: bool
) -> bool:
    """Whether a plan may fail, or take time, in a way that only running it shows."""
    if any(one.verdict != "safe" for one in judged):
        return True
    if any(one.name == "RunPython" and not one.inert for migration in plan for one in migration.operations):
        return True
    return any(tell([*held(plan), *(locked(plan) if postgresql else ())], tables))
