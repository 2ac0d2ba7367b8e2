"""What a command prints: tables for a person, JSON with every key for a program."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from codesensei.console.init import Written
from codesensei.console.pinning import Pinned
from codesensei.console.review import Known
from codesensei.wire import codec
from codesensei.wire.answers import Backups, KeptRelease, Releases, ServerStatus
from codesensei.wire.text import printable

# Without a terminal nothing is cut off or folded.
WIDE = 400


def console() -> Console:
    """Standard output as it is now."""
    return Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else WIDE)


def as_json(value: object) -> str:
    """The answer as one JSON document, also with what is empty."""
    return json.dumps(codec.encode(value, whole=True), indent=2, ensure_ascii=False)


def pinned(found: Pinned) -> None:
    """The commit by its subject, and the one before."""
    shown = Text(printable(f"{found.stack}: {found.revision[:12]} {found.subject}"))
    console().print(shown if found.changed else Text.assemble(shown, ", as before"))
    if found.changed:
        console().print(Text(printable(f"before: {found.was[:40]}; pulumi preview shows what that changes")))


def made(found: Written) -> None:
    """The new stack's file, what is left to decide, and what comes next."""
    print(printable(f"made the stack {found.stack}: {found.file}"))
    for note in found.notes:
        print(f"note: {note}")
    print(printable(f"next: pulumi preview --stack {found.stack}"))


def releases(found: Releases) -> None:
    """One line for each release."""
    if not found.releases:
        print("no release is kept on the server")
        return
    heads = ("release", "", "commit", "built", "result", "seconds")
    _table(heads, (_release(one) for one in found.releases))


def _release(one: KeptRelease) -> tuple[str, ...]:
    phases = ", ".join(f"{name} {seconds:.1f}" for name, seconds in one.seconds.items())
    result = f"failed in {one.failed}" if one.result == "failed" else one.result
    return one.name, one.place, one.revision[:12], _minute(one.built), result, phases


def status(found: ServerStatus) -> None:
    """What serves first, then the processes, then who works there and what is wrong."""
    for line in status_lines(found):
        console().print(Text(printable(line)))
    if found.processes:
        rows = ((one.unit, f"{one.active} ({one.sub})", one.restarts) for one in found.processes)
        _table(("process", "state", "restarts"), rows)
    for finding in found.findings:
        console().print(Text(printable(f"{finding.thing}: {finding.cause}; fix: {finding.fix}")))


def status_lines(found: ServerStatus) -> Iterator[str]:
    """The status in sentences."""
    since = f", since {_minute(found.served)}" if found.served else ""
    yield f"serves: {found.release} of commit {found.revision[:12]}{since}" if found.release else "serves: nothing"
    yield f"deploys: {found.holder or 'nobody'}"
    yield from left_behind(found)
    if found.backups is None:
        yield "backups: none"
        return
    made, checked = found.backups.made, found.backups.checked
    newest = f"the newest is {found.backups.snapshot}, {_age(made)} old" if made else "none was made yet"
    check = f"last check {_age(checked)} ago" if checked else "never checked"
    yield f"backups: {newest}; {check}"
    yield from (f"backups: {error}" for error in (found.backups.error, found.backups.check_error) if error)


def left_behind(found: ServerStatus) -> Iterator[str]:
    """What an interrupted deploy has left on the server."""
    if found.orphan:
        yield f"left: {found.orphan} still runs, and its step has ended; codesensei recover ends it"
    if found.open_switch:
        yield "left: a switch that never ended; pulumi up completes or undoes it"
    if found.interrupted:
        yield f"left: interrupted steps ({', '.join(found.interrupted)}); pulumi up runs them again"


def reviews(found: Sequence[Known]) -> None:
    """One line for each review stack, and how the leftovers are removed."""
    if not found:
        print("no review stack is there")
        return
    rows = ((one.stack, one.branch, one.base, one.url, _branch(one)) for one in found)
    _table(("stack", "branch", "from", "address", ""), rows)
    for one in found:
        if one.gone:
            print(printable(f"left over: codesensei review down {one.stack}"))


def _branch(one: Known) -> str:
    if one.gone is None:
        return f"unknown: {one.why}"
    return ", ".join(filter(None, ("its branch is gone" if one.gone else "", one.why)))


def backups(found: Backups) -> None:
    """One line for each backup, the oldest first."""
    if found.backups:
        _table(("backup", "made"), ((one.id, _minute(one.time)) for one in found.backups))
    print(printable(f"{len(found.backups)} backups in {found.to}"))
    if found.days and found.backups:
        print(f"every moment since {_minute(found.backups[0].time)}: codesensei restore --at 2026-11-30T12:00:00Z")
    if found.checked:
        print(printable(f"last check: {_age(found.checked)} ago, {found.check_error or 'all rows were there'}"))


def _table(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console().print(table)


def _minute(moment: str) -> str:
    return f"{moment[:16].replace('T', ' ')} UTC" if moment else ""


def _age(moment: float) -> str:
    minutes = max(0, int((time.time() - moment) // 60))
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 2880 else f"{minutes // 1440} days"
