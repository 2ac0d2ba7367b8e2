"""Migrations that the serving release cannot live with are refused before any of them runs, unless acknowledged.

Django says what it would do (`ask_plan.py`), codesensei/wire/migrations.py what that means. What was acknowledged and
is destructive is kept, so that no older release is brought back to tables that it does not know; so is what is safe
only as long as a default stays in the database (`defaults.py`).
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

from codesensei.scripts.base.files import link_target
from codesensei.scripts.base.step import Failure, Step, read_json, write_json
from codesensei.scripts.release import defaults, jobs
from codesensei.scripts.release.builder import require
from codesensei.scripts.release.jobs import Job
from codesensei.scripts.release.release import Release, redactor
from codesensei.wire import codec
from codesensei.wire.codec import WireError
from codesensei.wire.migrations import ACKNOWLEDGE, Judged, Migration, judge
from codesensei.wire.quick import dataclass
from codesensei.wire.rehearsal import is_risky
from codesensei.wire.table_locks import Table, held, locked, sizes, tell

ASK = Path(__file__).with_name("ask_plan.py")
ASKED = "codesensei-plan:"
# Django looks for a table in these schemas.
QUERY = sizes("%s", "nspname = ANY (current_schemas(false))")
SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What migrate would do to a database; which migrations are applied there, and which the release has.

    `keeps`: defaults can stay there, as it is PostgreSQL. `tables` are those of the migrations that could be asked for.
    """

    migrations: tuple[Migration, ...] = ()
    applied: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    keeps: bool = False
    tables: Mapping[str, Table] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """What to warn of; whether anything is destroyed, and in which databases the plan is a risky one."""

    warnings: tuple[str, ...] = ()
    destroys: bool = False
    risky: frozenset[str] = frozenset()


def refuse(
    step: Step[object],
    release: Release,
    aliases: Sequence[str],
    acknowledged: Sequence[str],
    *,
    keep_defaults: bool = True,
) -> Found:
    """Failure for what is to come in these databases and is not acknowledged; otherwise what there is to it."""
    serves = link_target(step.project.current)
    if not (acknowledged or serves):
        return Found()
    plans = {alias: _ask(step, release, alias) for alias in aliases}
    unknown = [*_no_migrations(acknowledged, plans.values())]
    serving = replace(release, name=Path(serves or "").name)
    # Nothing serves, or the tables are new: there is nothing to break.
    met = {alias: plan for alias, plan in plans.items() if serves and plan.applied}
    due = {alias for alias, plan in met.items() if _is_due(step, serving, alias, plan)}
    judged = {
        alias: [
            *judge(
                plan.migrations,
                lambda _, keeps=keep_defaults and plan.keeps: keeps,  # type: ignore[misc]
                () if alias in due else defaults.kept(step.project, alias).columns,
            )
        ]
        for alias, plan in met.items()
    }
    wrong = [one for found in judged.values() for one in found if one.verdict != "safe"]
    if refused := [one for one in wrong if one.migration not in acknowledged]:
        raise _failure(refused, unknown)
    for alias, found in judged.items():
        _keep(step, alias, {one.migration: str(one) for one in found if one.verdict == "destructive"})
        if alias in due:
            _keep(step, alias, defaults.kept(step.project, alias).migrations)
            defaults.give_up(step, alias)
        defaults.begin(step, alias, found)
    for one in dict.fromkeys(wrong):
        step.say(f"acknowledged: {one.migration}: {one}")
    for one in dict.fromkeys(one for found in judged.values() for one in found if one.without):
        step.say(f"{one.migration}: {one}")
    for one in dict.fromkeys(one for found in judged.values() for one in found if _runs_python(one)):
        step.say(f"{one.migration} runs Python code on the data")
    return Found(
        (*dict.fromkeys(one for alias in judged for one in _waits(plans[alias])), *unknown),
        any(one.verdict == "destructive" for one in wrong),
        frozenset(alias for alias, found in judged.items() if _is_risky(plans[alias], found)),
    )


def refuse_older(step: Step[object], release: Release, acknowledged: Sequence[str]) -> None:
    """Failure where a migration that the release lacks is applied, and destructive for it."""
    for alias, destructive in _kept(step).items():
        left = {name: why for name, why in destructive.items() if name not in acknowledged}
        if not left or alias not in release.facts.databases:
            continue
        plan = _ask(step, release, alias)
        found = [name for name in left if name in plan.applied and name not in plan.known]
        if not found:
            continue
        lines = [f"{name}: {left[name]}" for name in found[:SHOWN]]
        app, _, migration = found[0].partition(".")
        raise Failure(
            f"release {release.name}",
            "\n".join(["it is older than migrations that are applied, and cannot live with them:", *lines]),
            f"deploy a commit that has {', '.join(found)}; or undo them first (on the server: {step.project.manage}"
            f" migrate {app} and the migration before {migration}); or, if it shall serve all the same,"
            f" {_acknowledge(found)}",
        )


def _runs_python(one: Judged) -> bool:
    return one.operation.name == "RunPython" and not one.operation.inert


def _is_risky(plan: Plan, judged: Iterable[Judged]) -> bool:
    return is_risky(plan.migrations, judged, plan.tables, plan.keeps)


def _waits(plan: Plan) -> Iterator[str]:
    """What waits while the migrations run."""
    found = [*held(plan.migrations), *(locked(plan.migrations) if plan.keeps else ())]
    yield from (f"{what}; {fix}" for what, fix in tell(found, plan.tables))


def _is_due(step: Step[object], serving: Release, alias: str, plan: Plan) -> bool:
    """Whether both sides of this deploy can do without the defaults: each older release then fails to write."""
    found = defaults.kept(step.project, alias)
    names = found.migrations.keys() & {*plan.applied}
    if not names <= {*plan.known} or not (names or found.columns):
        return False
    done = _run(step, serving, alias)
    try:
        known = _plan(serving, done.answer).known if done.ok else ()
    except (ValueError, WireError):
        known = ()
    return names <= {*known}


def _run(step: Step[object], release: Release, alias: str) -> jobs.JobResult:
    argv = [f"{release.venv}/bin/python", "-B", str(ASK), QUERY, alias]
    return jobs.run_job(step, release, Job(f"ask Django what migrate would do in {alias}", argv, answer=ASKED))


def _plan(release: Release, answer: str) -> Plan:
    return codec.decode(Plan, json.loads(redactor(release.project, release.name).clean(answer)), ASKED)


def _ask(step: Step[object], release: Release, alias: str) -> Plan:
    done = _run(step, release, alias)
    # What stops Django here would stop migrate.
    thing = "manage.py migrate" if alias == "default" else f"manage.py migrate --database {alias}"
    require(done, release, thing, "fix what it names and deploy again")
    try:
        return _plan(release, done.answer)
    except (ValueError, WireError) as error:
        raise Failure(thing, f"its plan cannot be read: {error}", log=done.tail) from None


def _failure(refused: Sequence[Judged], unknown: Sequence[str]) -> Failure:
    names = list(dict.fromkeys(one.migration for one in refused))
    each = list(dict.fromkeys(refused))
    lines = [line for one in each[:SHOWN] for line in (f"{one.migration}: {one}", f"  instead: {one.fix}")]
    if len(each) > SHOWN:
        lines.append(f"and {len(each) - SHOWN} more operations like these")
    cause = "\n".join(["the release that serves may not live with them, so nothing was migrated:", *lines, *unknown])
    what = "migration" if len(names) == 1 else "migrations"
    fix = f"change what is to come as said, in two deploys; or, if requests may fail meanwhile, {_acknowledge(names)}"
    return Failure(f"{what} {', '.join(names[:SHOWN])}", cause, fix)


def _acknowledge(names: Iterable[str]) -> str:
    return f"{ACKNOWLEDGE}: [{', '.join(names)}]"


def _no_migrations(acknowledged: Iterable[str], plans: Iterable[Plan]) -> Iterator[str]:
    """A name that is no migration acknowledges nothing."""
    there = {name for plan in plans for name in (*plan.known, *plan.applied)}
    for name in acknowledged:
        if name not in there:
            like = difflib.get_close_matches(name, sorted(there), 1)
            yield f"{ACKNOWLEDGE} names {name}, which is no migration" + (f"; did you mean {like[0]}?" if like else "")


def _kept(step: Step[object]) -> Mapping[str, Mapping[str, str]]:
    found: Mapping[str, Mapping[str, str]] = read_json(step.project.memory / "destructive-migrations.json", {})
    return found


def _keep(step: Step[object], alias: str, new: Mapping[str, str]) -> None:
    """Before they run: of a migrate that is cut off, some are applied."""
    if new:
        known = _kept(step)
        merged = {**known, alias: {**known.get(alias, {}), **new}}
        write_json(step.project.memory / "destructive-migrations.json", merged)
