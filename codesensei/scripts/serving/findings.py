"""What is wrong with a deployed project though nobody changed anything by hand: read-only, for every look."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from codesensei.scripts.base import files, nginx, sites, units
from codesensei.scripts.base.own_broker import OwnBroker
from codesensei.scripts.base.sites import Configuration
from codesensei.scripts.base.step import Failure
from codesensei.scripts.base.units import UnitState
from codesensei.scripts.postgres import hba, ownership, passwords, postgresql
from codesensei.scripts.postgres.ownership import Applied
from codesensei.scripts.postgres.postgresql import identifier, literal
from codesensei.scripts.release import causes
from codesensei.scripts.release.edited import edited
from codesensei.scripts.release.record import databases_that_serve
from codesensei.scripts.release.record import read as read_record
from codesensei.scripts.serving.live import Live
from codesensei.wire import paths
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.steps import ANOTHER_PASSWORD, Finding

# A unit that systemd has restarted once long ago has recovered.
OFTEN = 3
RECENT_SECONDS = 600.0
JOURNAL_SECONDS = 3600.0
ANSWER_SECONDS = 2.0


class Unrepaired(str):
    """Drift that no step repairs by itself: it ends, and says what to write."""

    __slots__ = ()


def of_project(live: Live, clean: Callable[[str], str] | None) -> Iterator[Finding]:
    """Processes that do not stay up, packages whose Python is gone, a database whose sorting has changed.

    `clean` takes the stack's secrets out of a text; without it no cause is taken from a journal.
    """
    own = OwnBroker(live.project)
    for name, state in units.show_all([*live.units, *([own.unit] if own.exists else [])]).items():
        if not name.endswith(".socket"):
            yield from _of_unit(name, state, clean)
        yield from _of_drop_ins(name, state)
    if live.release:
        yield from _of_python(live.project, live.release)
        yield from _of_edits(live.project, live.release)
    applied = ownership.applied(live.project)
    if applied and postgresql_answers(applied.port):
        yield from _of_collation(applied)


def _of_unit(name: str, state: UnitState, clean: Callable[[str], str] | None) -> Iterator[Finding]:
    restarts = int(state.restarts or 0)
    young = restarts > 0 and time.clock_gettime(time.CLOCK_MONOTONIC) - state.active_since < RECENT_SECONDS
    look = f"look on the server: journalctl -u {name}"
    if state.sub == "auto-restart" or restarts >= OFTEN or young:
        log = clean(units.journal_of(name, time.time() - JOURNAL_SECONDS)) if clean else ""
        cause, fix = causes.explain_any(log, "")
        often = f"systemd has restarted it {restarts} {'time' if restarts == 1 else 'times'} since it was deployed"
        yield Finding(thing=name, cause=f"{often}: {cause}" if cause else often, fix=fix or look)
    elif killed := _killed_for_memory(name):
        cause = f"{killed} of its processes were killed because memory ran out"
        yield Finding(thing=name, cause=cause, fix="add memory or a swap file, or run fewer processes")


def _of_drop_ins(name: str, state: UnitState) -> Iterator[Finding]:
    """What somebody sets for this unit (`systemctl edit`) in the place of what the stack does."""
    own = _directives(paths.unit(name))
    for path in map(Path, state.drop_ins.split()):
        # One for every unit of the server is how the server is, in a container for example.
        if path.parent.name == f"{name}.d" and (taken := sorted(own & _directives(path))):
            cause = f"{path} decides over {', '.join(taken)}, in the place of what pulumi up writes"
            fix = f"unless that is meant, on the server: rm {path}; systemctl daemon-reload; systemctl restart {name}"
            yield Finding(thing=name, cause=cause, fix=fix)


def _directives(path: Path) -> set[str]:
    """What a unit's file sets; lines of `Environment` come on top of others."""
    text = files.read_foreign(path).decode("utf-8", "replace")
    return {*re.findall(r"^[ \t]*(\w+)[ \t]*=", text, re.MULTILINE)} - {"Environment"}


def of_proxy(project: ProjectPaths) -> Iterator[Finding]:
    """Files of nginx that it would not read again, whoever wrote them."""
    configuration = sites.configuration()
    if configuration.problem:
        meaning = "it goes on with what it has loaded, and would not start again"
        found = nginx.refusal(configuration.problem, project.slug, meaning, "on the server: systemctl reload nginx")
        yield Finding(thing=found.thing, cause=found.cause, fix=found.fix)


def unread_site(configuration: Configuration, project: ProjectPaths) -> Iterator[str]:
    """The project's site, where nginx no longer reads it."""
    link = paths.site_link(project.site)
    # A link that is gone is put back.
    if link and link.is_symlink() and configuration.files and str(link) not in configuration.files:
        yield Unrepaired(f"nginx does not read {link}")


def _killed_for_memory(name: str) -> int:
    """How many processes of a running unit the kernel has killed; its workers come back, and systemd sees nothing."""
    try:
        events = (paths.SERVER.cgroups / "system.slice" / name / "memory.events").read_text()
    except OSError:
        return 0
    found = re.search(r"^oom_kill (\d+)$", events, re.MULTILINE)
    return int(found[1]) if found else 0


def _of_python(project: ProjectPaths, release: str) -> Iterator[Finding]:
    venv = project.venvs / (read_record(project, release).venv or "none")
    installed = sorted(path.name for path in (venv / "lib").glob("python3*"))
    program = Path(os.path.realpath(venv / "bin" / "python"))
    if not installed or (installed == [program.name] and program.is_file()):
        return
    now = f"{program} is not there" if not program.is_file() else f"the server's Python is {program.name} now"
    cause = f"its packages were installed for {installed[0]}, and {now}"
    fix = "set codesensei:project.rebuild to a new text and run pulumi up"
    yield Finding(thing=f"release {release}", cause=cause, fix=fix)


def _of_edits(project: ProjectPaths, release: str) -> Iterator[Finding]:
    names = edited(project, release)
    if names:
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        cause = f"somebody has changed it by hand since it was made: {shown}; so it serves, also after a rollback"
        fix = "commit the change and deploy that, or set codesensei:project.rebuild to a new text to undo it"
        yield Finding(thing=f"release {release}", cause=cause, fix=fix)


def _of_collation(applied: Applied) -> Iterator[Finding]:
    query = (
        "SELECT datcollversion AS was, pg_database_collation_actual_version(oid) AS now FROM pg_database"
        f" WHERE datname = {literal(applied.name)} AND datcollversion <> pg_database_collation_actual_version(oid)"
    )
    try:
        found = postgresql.rows(applied.port, query)
    except Failure:
        # Before PostgreSQL 15 a database does not know its collation's version.
        return
    name = identifier(applied.name)
    for row in found:
        cause = f"it was made with version {row['was']} of its collation, and the system has {row['now']} now"
        fix = (
            f"indexes of text may miss rows; on the server, as postgres: psql -p {applied.port} -d {applied.name},"
            f" then REINDEX DATABASE {name}; ALTER DATABASE {name} REFRESH COLLATION VERSION;"
        )
        yield Finding(thing=f"database {applied.name}", cause=cause, fix=fix)


def of_database(project: ProjectPaths) -> Iterator[str]:
    """What is amiss with the server's own PostgreSQL, the project's role in it, and its database."""
    applied = ownership.applied(project)
    if applied and not postgresql_answers(applied.port):
        yield f"PostgreSQL (port {applied.port}) does not run"
    elif applied:
        yield from units.amiss(postgresql.UNIT)
        try:
            yield from _in_cluster(project, applied)
        except Failure as failure:
            # The step says what to do.
            yield Unrepaired(f"PostgreSQL (port {applied.port}) does not answer root: {failure.cause}")


def _in_cluster(project: ProjectPaths, applied: Applied) -> Iterator[str]:
    role, name = literal(applied.role), literal(applied.name)
    query = (
        f"SELECT (SELECT rolcanlogin AND NOT {ownership.LOCKED} FROM pg_roles WHERE rolname = {role}) AS role,"
        f" (SELECT datallowconn FROM pg_database WHERE datname = {name}) AS open"
    )
    (found,) = postgresql.rows(applied.port, query)
    if found["role"] is None:
        yield f"role {applied.role} is gone"
    elif not found["role"]:
        yield f"role {applied.role} may not log in"
    elif applied.host is not None:
        way = hba.Way(applied.port, applied.name, applied.role, applied.host, applied.user, applied.has_password)
        if why := hba.refusal(way):
            yield Unrepaired(f"role {applied.role} may not log in: of pg_hba.conf, {why}")
    if found["open"] is None:
        gone = f"database {applied.name} is gone"
        # No step may put an empty one in its place.
        yield Unrepaired(gone) if applied.name in databases_that_serve(project) else gone
    # Nothing but a restore that was cut off closes a database.
    elif not found["open"] and project.fetched_folders.exists():
        yield f"database {applied.name} takes no connections"


def changed_password(project: ProjectPaths) -> Iterator[str]:
    """The role, where it no longer has the password that serves."""
    applied, account = ownership.applied(project), passwords.live_account(project)
    was = passwords.staged(project, account.digest) if account else None
    if not applied or not account or not was or not postgresql_answers(applied.port):
        return
    with contextlib.suppress(Failure):
        query = f"SELECT rolpassword AS verifier FROM pg_authid WHERE rolname = {literal(account.role)}"
        for found in postgresql.rows(applied.port, query):
            if found["verifier"] != was.verifier:
                yield f"role {account.role} {ANOTHER_PASSWORD}"


def postgresql_answers(port: int) -> bool:
    """Whether something accepts connections on the cluster's own socket."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(str(paths.SERVER.postgresql_sockets / f".s.PGSQL.{port}"))
    except OSError:
        return False
    return True
