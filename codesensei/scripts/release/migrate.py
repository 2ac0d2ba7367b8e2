"""`manage.py migrate` for all databases of the settings, and what is said of databases and models that it leaves alone.

Which of them were not migrated to the end is kept on the server: a handler of post_migrate may have failed after all
migrations were recorded, and then `migrate --check` finds nothing to do.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from codesensei.scripts.base.step import Failure, Step, read_json, write_json
from codesensei.scripts.release import defaults, guard, jobs, rehearsal, watch_locks
from codesensei.scripts.release.builder import require
from codesensei.scripts.release.databases import FOREIGN, App, Asked, Database, read
from codesensei.scripts.release.jobs import Job, JobResult
from codesensei.scripts.release.lock_tries import PAUSES, Locked
from codesensei.scripts.release.rehearsal import NO_REHEARSAL, Ran, Rehearsal, Rehearsed
from codesensei.scripts.release.release import Release
from codesensei.wire.quick import dataclass

MIGRATE = Path(__file__).with_name("run_migrate.py")
MIGRATED = "codesensei-migrate:"
LOCK_TIMEOUT = "canceling statement due to lock timeout"
# What the fix of that says where nobody knows who it is.
FIND_HOLDER = " end what holds the lock (pg_stat_activity),"
# Large projects start with many hundreds of migrations, some of which print more than their name.
LINES = 20_000
SHOWN = 3
# django-tenants writes the schema before each line.
APPLIED = re.compile(r"^(?:\[[^\]\n]*\])?[ \t]*Applying \S+\.\.\.", re.MULTILINE)
ENDED = re.compile(r"^(?:\[[^\]\n]*\])?[ \t]*Applying (\S+)\.\.\..* OK$", re.MULTILINE)
MIGRATION_FRAME = re.compile(r'File "[^"]+/migrations/\d\w*\.py"')


@dataclass(frozen=True)
class Holder:
    """Who, in words, held the `lock` that a failed statement waited for; `process`: its number, or 0."""

    lock: str
    text: str
    process: int


@dataclass(frozen=True, kw_only=True)
class Migrated:
    """What `run_migrate.py` says: why the limit is refused, which indexes are invalid, which of them are new.

    `kept` and `dropped` are the columns whose defaults stay in the database, and do so no longer. `over` is the
    migration that was cancelled, `partly` one that is no transaction; `unbounded` the kind of database where none is.
    `locked` is the one that did not get a lock, `held` who had it.
    `site` is the domain of the settings' site where nobody has changed it. `rehearsal`: what only that says.
    """

    refused: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    kept: tuple[defaults.Column, ...] = ()
    dropped: tuple[defaults.Column, ...] = ()
    over: tuple[str, ...] = ()
    partly: tuple[str, ...] = ()
    unbounded: tuple[str, ...] = ()
    site: tuple[str, ...] = ()
    held: tuple[Holder, ...] = ()
    locked: tuple[Locked, ...] = ()
    rehearsal: Rehearsed | None = None


@dataclass(frozen=True)
class LockLimits:
    """Seconds that a migration waits for a lock of others, and that it holds its own; 0: for ever."""

    lock: int
    migration: int = 0


@dataclass(frozen=True)
class Tried:
    """How the last try of a migrate ended, which one it was, and what those before it have applied."""

    done: JobResult
    said: Migrated
    number: int = 1
    applied: tuple[str, ...] = ()


def migrate(
    step: Step[object],
    release: Release,
    asked: Asked,
    limits: LockLimits,
    acknowledged: Sequence[str] = (),
    dump: Callable[[], None] = lambda: None,
    *,
    keep_defaults: bool = True,
    rehearsed: Rehearsal = NO_REHEARSAL,
) -> list[str]:
    """Migrate every database in which there is work, `default` first; returns what to warn of.

    `dump` is called before destructive migrations, and after a rehearsal that may refuse them.
    """
    if asked.unknown:
        step.say(f"models and migrations cannot be compared: {asked.unknown}")
    if theirs := [app.app for app in asked.apps if app.changes and not app.own]:
        step.say(
            f"installed apps have models ahead of their own migrations, often by DEFAULT_AUTO_FIELD: {_few(theirs)}"
        )
    warnings = [*_of_models(asked.apps), *_of_databases(release, asked.databases)]
    for database in asked.databases:
        if database.why_not and database.why_not != FOREIGN:
            step.say(f"DATABASES[{database.alias!r}] is not migrated: {database.why_not}")
    found = [database for database in asked.databases if not database.why_not]
    aliases = [database.alias for database in found]
    places = {alias: f" in {alias}" if len(asked.databases) > 1 else "" for alias in aliases}
    pending = [database.alias for database in found if _has_work(step, release, database, places[database.alias])]
    # All are judged before one is migrated; also without work, what is acknowledged has to be a migration.
    judged = pending or (aliases[:1] if acknowledged else [])
    verdict = guard.refuse(step, release, judged, acknowledged, keep_defaults=keep_defaults)
    warnings += verdict.warnings
    # What will wait is of use before it does.
    _warn(step, warnings)
    for alias in pending:
        run = partial(_rehearse, step, release, alias, places[alias], limits, keep_defaults)
        is_risky = alias in verdict.risky
        rehearsal.rehearse(step, release, alias, places[alias], rehearsed, run, is_risky=is_risky)
    if verdict.destroys:
        dump()
    for alias in pending:
        later = [*_migrate(step, release, alias, places[alias], limits, keep_defaults)]
        _warn(step, later)
        warnings += later
    return warnings


def _warn(step: Step[object], warnings: Iterable[str]) -> None:
    for warning in warnings:
        step.say(f"warning: {warning}")


def _has_work(step: Step[object], release: Release, database: Database, where: str) -> bool:
    if database.alias in read_json(_note(step), []):
        return True
    found = database.work
    if found is None:
        check = _python(release, "manage.py", "migrate", "--check", *_chosen(database.alias))
        found = not jobs.run_job(step, release, Job(f"migrate --check{where}", check, low_weight=False)).ok
    if not found:
        step.say(f"no migrations to run{where}")
    return found


def _migrate(
    step: Step[object], release: Release, alias: str, where: str, limits: LockLimits, keep_defaults: bool
) -> Iterator[str]:
    note = _note(step)
    unfinished = set(read_json(note, []))
    write_json(note, sorted({*unfinished, alias}))
    tried = _tried(step, release, alias, where, limits, keep_defaults)
    said = tried.said
    if failure := _failure(release, alias, tried, limits):
        raise _told(failure, tried, release, alias)
    write_json(note, sorted(unfinished - {alias}))
    step.changed(f"migrations have run{where} ({len(tried.applied) + len(APPLIED.findall(tried.done.tail))} applied)")
    if said.refused:
        yield f"the database{where} refuses lock_timeout ({said.refused[0]}): migrations wait for locks without a limit"
    if said.unbounded:
        yield f"database.migrationTimeout bounds nothing{where}: the database is {said.unbounded[0]}, not PostgreSQL"
    for domain in said.site:
        found = f"Site.objects.filter(domain='{domain}')"
        change = f"from django.contrib.sites.models import Site; {found}.update(domain='HOSTNAME', name='NAME')"
        yield (
            f"the site of SITE_ID is {domain}, with which django.contrib.sites begins: links in mails lead there; once"
            f' this release is live, on the server: {release.project.manage} shell -c "{change}"'
        )
    if said.invalid:
        rebuild = [f"REINDEX INDEX CONCURRENTLY {name}" for name in said.invalid[:SHOWN]]
        how = _in_database(release, alias, rebuild)
        yield f"invalid indexes{where}, which PostgreSQL keeps and does not use ({_few(said.invalid)}); {how}"


def _tried(
    step: Step[object], release: Release, alias: str, where: str, limits: LockLimits, keep_defaults: bool
) -> Tried:
    """Run it, and after a pause again where a migration that is rolled back did not get its lock.

    All tries and pauses together have the time of one job.
    """
    ends, applied = time.monotonic() + jobs.LONGEST_SECONDS, tuple[str, ...]()
    for number, pause in enumerate((*PAUSES, None), 1):
        # What an earlier try has kept and dropped is noted, and stays.
        argv = _argv(release, alias, limits, _about(step, alias, keep_defaults))
        job = Job(f"migrate{where}", argv, lines=LINES, answer=MIGRATED, tells=watch_locks.TELLS, low_weight=False)
        if number > 1:
            job = replace(job, seconds=ends - time.monotonic())
        done = jobs.run_job(step, release, job)
        said = _said(release, done)
        defaults.note(step, alias, said.kept, said.dropped)
        tried = Tried(done, said, number, applied)
        is_safe = said.locked and not said.locked[0].why_not
        if done.ok or not limits.lock or not is_safe or pause is None or pause >= ends - time.monotonic():
            break
        by = f", held by {' and '.join(holder.text for holder in said.held)}," if said.held else ""
        waited_for = f"{said.held[0].lock}{by}" if said.held else ""
        step.say(f"{job.title}: {said.locked[0].told(limits.lock, waited_for, number)}")
        applied += tuple(ENDED.findall(done.tail))
        # Killed here, it ends as in a run of migrate: that has not ended well, and the lock of the step is free.
        time.sleep(pause)
    return tried


def _about(step: Step[object], alias: str, keep_defaults: bool) -> dict[str, Any]:
    """What `run_migrate.py` does with defaults."""
    stays = defaults.kept(step.project, alias)
    # Where nothing serves yet, no migration is noted.
    keep = keep_defaults and bool(stays.migrations)
    return {"alias": alias, "keep": keep, "kept": stays.columns, "drop": stays.due}


def _argv(release: Release, alias: str, limits: LockLimits, about: Mapping[str, Any]) -> list[str]:
    numbers = (str(limits.lock), str(limits.migration))
    return _python(release, MIGRATE, *numbers, json.dumps(about), "migrate", "--noinput", *_chosen(alias))


def _said(release: Release, done: JobResult) -> Migrated:
    return read(Migrated, done.answer, release, MIGRATED, done.tail) if done.answer else Migrated()


def _failure(release: Release, alias: str, tried: Tried, limits: LockLimits) -> Failure | None:
    """Why a run failed; None for one that did not."""
    done, said = tried.done, tried.said
    if done.signal and done.result not in ("oom-kill", "timeout"):
        return _ended_by_signal(done)
    what = "the migration" if MIGRATION_FRAME.search(done.tail) else "what it names"
    try:
        require(done, release, " ".join(["manage.py migrate", *_chosen(alias)]), f"fix {what} and deploy again")
    except Failure as failure:
        earlier = [*tried.applied, *ENDED.findall(done.tail)]
        for migration in (*said.over, *said.partly):
            failure = _cancelled(failure, migration, migration in said.over, earlier, limits.migration)
        return failure
    if not done.answer:
        return _ended_by_signal(done)
    return None


def _ended_by_signal(done: JobResult) -> Failure:
    cause = "a signal ended it: what a transaction had begun is rolled back, what was applied before stays"
    fix = "look why on the server (journalctl), and deploy again: it goes on from there"
    return Failure("manage.py migrate", cause, fix, done.tail, where=str(done.log))


def _rehearse(
    step: Step[object],
    release: Release,
    alias: str,
    where: str,
    limits: LockLimits,
    keep_defaults: bool,
    copy: Mapping[str, Any],
    only_socket: Path,
    seconds: float,
) -> Ran:
    """Run it on a copy. What that keeps and drops there is not noted."""
    argv = _argv(release, alias, limits, {**_about(step, alias, keep_defaults), "copy": copy})
    title, home = f"rehearse migrate{where}", {"HOME": "/tmp"}
    done = jobs.run_job(
        step,
        release,
        Job(title, argv, lines=LINES, answer=MIGRATED, variables=home, seconds=seconds, only_socket=only_socket),
    )
    said = _said(release, done)
    failure = _failure(release, alias, Tried(done, said), limits)
    return Ran(done, said.rehearsal or Rehearsed(), failure, bool(said.over or said.partly))


def _chosen(alias: str) -> list[str]:
    return [] if alias == "default" else ["--database", alias]


def _note(step: Step[object]) -> Path:
    """The databases in which a migrate has not ended well."""
    return step.project.memory / "unfinished-migrate.json"


def _python(release: Release, program: Path | str, *words: str) -> list[str]:
    return [f"{release.venv}/bin/python", "-B", str(program), *words]


def _cancelled(failure: Failure, migration: str, is_atomic: bool, earlier: Sequence[str], seconds: int) -> Failure:
    """The failure of a migration that took too long; of one without a transaction, parts may be applied."""
    bound = f"took longer than database.migrationTimeout ({seconds} s) and was cancelled"
    if is_atomic:
        cause = f"the migration {migration} {bound}: all of it is rolled back"
        fix = (
            "change rows in batches, each in a transaction of its own, in a migration with atomic = False; see what the"
            " preview says of its locks; or raise database.migrationTimeout"
        )
    else:
        cause = (
            f"a transaction of the migration {migration}, or a statement without one, {bound}: it is rolled back\n"
            "the migration has atomic = False: what it did before stays, and it is not recorded as applied"
        )
        fix = (
            "make its batches smaller, and let it begin again where parts of it are done; or raise"
            " database.migrationTimeout"
        )
    if earlier:
        cause += f"\napplied before it, and staying so: {_few(earlier)}"
    return Failure(failure.thing, cause, f"{fix}; then deploy again", failure.log, where=failure.where)


def _told(failure: Failure, tried: Tried, release: Release, alias: str) -> Failure:
    """The failure, with all that is known of it: how often it was tried, what it has left, who held the lock."""
    said = tried.said
    locked = said.locked[0] if said.locked else None
    if tried.number > 1:
        before = ", in each of {} tries" if locked else "\nthat was in try {}: before, it did not get a lock"
        failure = _more(failure, before.format(tried.number))
    drop = [f"DROP INDEX CONCURRENTLY {name}" for name in said.invalid[:SHOWN]]
    failure = _with_indexes(failure, said, _in_database(release, alias, drop))
    if said.held and (said.over or said.partly or locked or LOCK_TIMEOUT in tried.done.tail):
        failure = _held(failure, said, release, alias)
    if locked and locked.why_not:
        failure = _more(failure, f"\n{locked.why_not_again}", "" if said.left else f"; first, {locked.fix}")
    return failure


def _more(failure: Failure, cause: str, fix: str = "") -> Failure:
    """The failure, with more words."""
    return Failure(failure.thing, failure.cause + cause, failure.fix + fix, failure.log, where=failure.where)


def _held(failure: Failure, said: Migrated, release: Release, alias: str) -> Failure:
    """The failure, with who holds the lock and how to end that, before what would wait for it too: to drop an index."""
    by = " and ".join(holder.text for holder in said.held)
    cause, fix = f"{failure.cause}; it waited for {said.held[0].lock}, held by {by}", failure.fix
    if end := [f"SELECT pg_terminate_backend({holder.process})" for holder in said.held if holder.process]:
        after = "then" if said.left else "or"
        fix = f"end what holds it, {_in_database(release, alias, end)}; {after} {fix.replace(FIND_HOLDER, '')}"
    return Failure(failure.thing, cause, fix, failure.log, where=failure.where)


def _with_indexes(failure: Failure, said: Migrated, how_to_drop: str) -> Failure:
    """The failure, with what to do about an index that CREATE INDEX CONCURRENTLY has begun and not ended."""
    plain = {name.rpartition(".")[2].strip('"'): name for name in said.invalid}
    there = re.search(r'relation "([^"]+)" already exists', failure.log)
    if there and there[1] in plain:
        cause = f"the index {there[1]} exists already and is invalid: an earlier attempt to create it failed"
        fix = f"{how_to_drop}; then deploy again"
    elif said.left:
        cause = f"{failure.cause}; it left an invalid index: {_few(said.left)}"
        fix = f"{how_to_drop}; then {failure.fix}"
    else:
        return failure
    return Failure(failure.thing, cause, fix, failure.log, where=failure.where)


def _in_database(release: Release, alias: str, statements: Iterable[str]) -> str:
    """How to run statements that want no transaction around them."""
    facts = release.facts.databases[alias]
    if not rehearsal.is_here(facts):
        return f"in the database {facts.name} at {facts.host}: {'; '.join(statements)}"
    port = f" -p {facts.port}" if facts.port not in ("", "5432") else ""
    commands = "".join(f" -c '{statement}'" for statement in statements)
    return f"on the server: sudo -u postgres psql{port} {facts.name}{commands}"


def _of_databases(release: Release, databases: Iterable[Database]) -> Iterator[str]:
    for database in databases:
        if database.why_not == FOREIGN:
            yield (
                f"DATABASES[{database.alias!r}] is not migrated: it has tables, and none of Django's; if migrate shall"
                " make tables there, let allow_migrate of a router return True for their models, else False"
            )
        if database.collation:
            name = release.facts.databases[database.alias].name
            made, now = database.collation
            fix = [f'REINDEX DATABASE "{name}"', f'ALTER DATABASE "{name}" REFRESH COLLATION VERSION']
            yield (
                f"the database {name} sorts text by version {made} of its collation, and the system has {now} now:"
                f" indexes on text may miss rows; {_in_database(release, database.alias, fix)}"
            )


def _of_models(apps: Iterable[App]) -> Iterator[str]:
    for app in apps:
        if app.own and app.changes:
            yield (
                f"the models of {app.app} are ahead of its migrations ({_few(app.changes)}): run manage.py"
                f" makemigrations {app.app} and commit the migrations (.gitignore may leave them out)"
            )
        elif app.models:
            fix = f"run manage.py makemigrations {app.app} and commit the migrations"
            if not app.own:
                fix = "the app is an installed one: add python manage.py migrate --run-syncdb to hooks.afterMigrate"
            yield f"{app.app} has no migrations, so no tables are made for its models ({_few(app.models)}): {fix}"


def _few(words: Sequence[str]) -> str:
    return ", ".join(words[:SHOWN]) + (f" and {len(words) - SHOWN} more" if len(words) > SHOWN else "")
