"""What somebody has changed on the server since the last deploy, and this one puts back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from codesensei.story.section import MOST, Section, shortened
from codesensei.story.served import Served
from codesensei.wire.manifest import Manifest
from codesensei.wire.steps import BACKUPS, Drift

NAME = "drift"
# Of all things together.
MOST_LINES = 40
PUT_BACK = "put back: "
SIGNS = " (- by hand, + by codesensei)"
ELSE = "this deploy changes this file, too: `pulumi preview --diff` has its text"


def of_drift(found: Sequence[Drift], served: Served, wanted: Manifest, *, put_back: bool) -> Section:
    """Each thing, and how it differs; `put_back` says it of an update that has ended its switch."""
    # The step of the backups runs after the switch, so of that one nobody knows yet.
    told = [drift for drift in found if not put_back or drift.step != BACKUPS.name]
    was = dict(served.manifest.contents()) if served.manifest else {}
    also = {path for path, text in wanted.contents() if was and was.get(path) != text}
    return Section(NAME, tuple(_entries(told, also, PUT_BACK if put_back else "")))


def _entries(told: Sequence[Drift], also: Collection[str], before: str) -> Iterator[str]:
    left, shown = MOST_LINES, told[:MOST]
    for drift in shown:
        lines = [*_lines(drift, also)]
        yield shortened(f"{before}{drift.thing}{SIGNS if any(line.startswith('@@') for line in lines) else ''}")
        if len(lines) > left:
            lines = [*lines[:left], f"and {len(lines) - left} more lines"]
        left = max(0, left - len(lines))
        yield from (f"  {shortened(line)}" for line in lines)
    if len(told) > len(shown):
        yield f"and {len(told) - len(shown)} more"


def _lines(drift: Drift, also: Iterable[str]) -> Iterator[str]:
    """At most ten lines, whatever the server says, and whether the deploy writes another text than was there."""
    yield from drift.lines[:MOST]
    if drift.thing.partition(" ")[0] in also:
        yield ELSE
