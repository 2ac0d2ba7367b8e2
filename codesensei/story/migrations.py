"""Migrations that will run, what each means for the code that serves, and those that an older commit lacks."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from codesensei.source import Checkout, SourceError, at, pending
from codesensei.story.section import LONGEST, Section, bounded, shortened
from codesensei.story.served import Served, of_served
from codesensei.wire.columns import is_kept
from codesensei.wire.migrations import ACKNOWLEDGE, Judged, Migration, judge
from codesensei.wire.quick import dataclass
from codesensei.wire.rehearsal import AUTO_SIZE, Rehearse, is_risky
from codesensei.wire.steps import NOTHING_ASKED, AskedOfDatabase
from codesensei.wire.table_locks import Table, held, locked, tell
from codesensei.wire.text import size

NAME = "migrations"
SHOWN = 4
SAFE = "safe for the serving code"
KEPT = ", which gets the default from the database"
# `size`: where a table whose size is not known is a large one.
Risk = Literal["none", "size", "certain"]


@dataclass(frozen=True)
class Migrations(Section):
    """The section, and whether code fails: the serving one, while `harmful` ones run, or the older one that comes back,
    as it lacks `unfit` ones. Both happen only once they are not `refused` any more. `unknown`: nobody can say.
    """

    harmful: bool = False
    unfit: bool = False
    refused: bool = False
    unknown: bool = False


def of_migrations(
    served: Served,
    checkout: Checkout,
    roots: Sequence[str],
    acknowledged: Collection[str],
    *,
    keeps: bool = False,
    kept: Collection[str] = (),
    backup: str = "",
    postgresql: bool = False,
    tables: Mapping[str, Table] = MappingProxyType({}),
    applied: Collection[str] = (),
    rehearse: Rehearse = "never",
) -> Migrations:
    """Those that lie between the commit that serves and the checkout's; `roots` are where apps are imported from.

    `keeps`: defaults of new columns will stay in the database; those of the `kept` migrations do. `backup`: what is
    against destroying something now, though it is acknowledged. `tables` are those whose sizes are known. `applied`:
    those that will not run, because a deploy that failed after them, or that was gone back from, has run them.
    `rehearse`: which plans run on a copy first, where there can be one.
    """
    if served.revision == checkout.revision:
        return Migrations(NAME)
    found = of_served(NAME, served, checkout, lambda before: pending(before, checkout, roots))
    if isinstance(found, Section):
        return Migrations(NAME, found.entries, unknown=True)
    done, plan = ([one for one in found.new if (one.label in applied) == is_done] for is_done in (True, False))
    coming = [*judge(plan, lambda _: keeps, _left_by(done, kept))]
    # What is applied and destructive for code that lacks it is so for the code that it would be brought back to.
    lacked = [*judge(found.gone, lambda label: label in kept)]
    waits = backup and any(one.verdict == "destructive" for one in coming)
    harmful, unfit = ({one.migration for one in some if one.verdict != "safe"} for some in (coming, lacked))
    refused = bool((harmful | unfit) - {*acknowledged} or waits)
    told = [
        *bounded([*_against(coming, "")]),
        *_refused(coming, acknowledged, "`pulumi up` refuses what is not safe, and prints how to do it in two deploys"),
        *bounded([*_waits(plan, postgresql, tables)]),
        *([f"`pulumi up` refuses what is destructive until {backup}"] if waits else []),
        *([] if refused else _rehearsed(plan, rehearse, _risk(plan, coming, tables, postgresql))),
        *bounded([*_against(lacked, f" for {checkout.short}, which lacks it")]),
        *_refused(lacked, acknowledged, "`pulumi up` refuses to go back over it until it is undone"),
        *bounded([*_safe(plan, coming)]),
        *bounded([*_staying(found.gone, lacked, checkout.short)]),
        *bounded([*_changed(found.changed)]),
        *_applied(done),
    ]
    return Migrations(NAME, tuple(map(shortened, told)), bool(harmful), bool(unfit), refused)


def of_database(revision: str, checkout: Checkout, roots: Sequence[str]) -> AskedOfDatabase:
    """The migrations that come with the checkout, and tables that they lock; none where nobody knows what serves."""
    if revision != checkout.revision:
        with contextlib.suppress(SourceError):
            if before := at(checkout, revision):
                plan = pending(before, checkout, roots).new
                tables = dict.fromkeys(wait.table for wait in (*held(plan), *locked(plan)))
                return AskedOfDatabase(tables=tuple(tables), migrations=tuple(one.label for one in plan))
    return NOTHING_ASKED


def _left_by(done: Iterable[Migration], kept: Collection[str]) -> set[tuple[str, str]]:
    """Tables and columns whose defaults an earlier deploy has left in the database, and the serving code needs."""
    operations = [each for one in done if one.label in kept for each in one.operations]
    return {(each.table, each.after.column) for each in operations if each.after and is_kept(each.after)}


def _risk(plan: Sequence[Migration], coming: Sequence[Judged], tables: Mapping[str, Table], postgresql: bool) -> Risk:
    """Whether the plan is a risky one."""
    if not is_risky(plan, coming, tables, postgresql):
        return "none"
    names = [wait.table for wait in (*held(plan), *locked(plan))]
    small = {**dict.fromkeys(names, Table(rows=0, size=0)), **tables}
    return "certain" if is_risky(plan, coming, small, postgresql) else "size"


def _rehearsed(plan: Sequence[Migration], rehearse: Rehearse, risk: Risk) -> Iterator[str]:
    if plan and (rehearse == "always" or (rehearse == "auto" and risk != "none")):
        large = "a table whose size is not known is large, and the database" if risk == "size" else "it"
        most = f", if {large} has at most {size(AUTO_SIZE)}" if rehearse == "auto" else ""
        yield f"`pulumi up` runs them on a copy of the database first{most}"


def _waits(plan: Sequence[Migration], postgresql: bool, tables: Mapping[str, Table]) -> Iterator[str]:
    for what, fix in tell([*held(plan), *(locked(plan) if postgresql else ())], tables):
        yield what
        yield f"  instead: {fix}"


def _against(judged: Iterable[Judged], whom: str) -> Iterator[str]:
    for one in judged:
        if one.verdict != "safe":
            yield f"{one.migration}: {one.operation} is {one.shown}{whom}: {one.why}"


def _refused(judged: Iterable[Judged], acknowledged: Collection[str], otherwise: str) -> Iterator[str]:
    names = [*dict.fromkeys(one.migration for one in judged if one.verdict != "safe")]
    if left := [name for name in names if name not in acknowledged]:
        yield f"{otherwise}; or acknowledge it:"
        # A reader copies the names, so none may be lost at a line's end.
        yield from textwrap.wrap(f"{ACKNOWLEDGE}: [{', '.join(left)}]", LONGEST)
    elif names:
        yield from textwrap.wrap(f"acknowledged: {', '.join(names)}", LONGEST)


def _safe(migrations: Iterable[Migration], judged: Sequence[Judged]) -> Iterator[str]:
    """A line for each migration, of its operations that no running code notices."""
    for migration in migrations:
        mine = [one for one in judged if one.migration == migration.label]
        for with_default in (False, True):
            safe = [one.operation for one in mine if one.verdict == "safe" and bool(one.without) == with_default]
            if safe:
                how = f"{SAFE}{KEPT if with_default else ''}"
                yield f"{migration.label}: {_listed([*map(str, safe)])} {'is' if len(safe) == 1 else 'are'} {how}"
        if not mine:
            yield f"{migration.label}: no operation"


def _staying(migrations: Iterable[Migration], judged: Sequence[Judged], commit: str) -> Iterator[str]:
    for migration in migrations:
        if all(one.verdict == "safe" for one in judged if one.migration == migration.label):
            yield f"{migration.label} stays applied, which {commit} can live with"


def _changed(labels: Iterable[str]) -> Iterator[str]:
    for label in labels:
        yield f"{label} is another than the one that is applied, and does not run again"


def _applied(migrations: Sequence[Migration]) -> Iterator[str]:
    if migrations:
        names = _listed([one.label for one in migrations])
        yield f"{len(migrations)} applied already, by a deploy that does not serve, so not run again: {names}"


def _listed(operations: Sequence[str]) -> str:
    more = f" and {len(operations) - SHOWN} more" if len(operations) > SHOWN + 1 else ""
    return ", ".join(operations[:SHOWN] if more else operations) + more
