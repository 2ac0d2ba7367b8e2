"""A plan of migrations is run on a copy of its database first: what fails there, fails before anything is touched.

The copy is all that the project's code can change meanwhile, and all that it reaches (`run_rehearsal.py`, `relay.py`).
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Protocol

from codesensei.scripts.base import files
from codesensei.scripts.base.commands import as_user
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.release.jobs import LONGEST_SECONDS, SOCKETS, JobResult
from codesensei.scripts.release.record import DatabaseFacts
from codesensei.scripts.release.release import Release
from codesensei.wire.processes import SYSTEM_PATH
from codesensei.wire.quick import dataclass
from codesensei.wire.rehearsal import AUTO_SECONDS, AUTO_SIZE, Rehearse
from codesensei.wire.text import size

RELAY = Path(__file__).with_name("relay.py")
LOCAL = ("", "localhost", "127.0.0.1", "::1")
OTHERS = ("mysql", "sqlite", "oracle", "mssql")
SHOWN = 3
# Seconds of a lock that are worth a word.
NOTICED = 0.5


class Copyable(Protocol):
    """A database that can be copied for a rehearsal: `Original` in codesensei/scripts/backups/copies.py."""

    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def port(self) -> int: ...
    def size(self) -> int: ...
    def has_migrations(self) -> bool: ...
    def why_not(self) -> str: ...
    def copied(self) -> contextlib.AbstractContextManager[str]: ...


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """What `run_rehearsal.py` says.

    Whether the copy was reached at all; the migration that has not ended, and seconds of each that has; for how many
    seconds tables were closed to all, and to writers alone; what it tried to reach, and what of that made it fail.
    """

    joined: bool = False
    at: str = ""
    took: Mapping[str, float] = field(default_factory=dict)
    closed: Mapping[str, float] = field(default_factory=dict)
    readable: Mapping[str, float] = field(default_factory=dict)
    tried: tuple[str, ...] = ()
    away: str = ""


@dataclass(frozen=True)
class Ran:
    """How a run of migrate ended; `is_over`: it was cancelled, as it took too long."""

    done: JobResult
    said: Rehearsed
    failure: Failure | None
    is_over: bool


class Run(Protocol):
    """Run migrate on a copy, as it will run on the real database."""

    def __call__(self, copy: Mapping[str, Any], only_socket: Path, seconds: float) -> Ran: ...


@dataclass(frozen=True)
class Rehearsal:
    """What is asked for, and the database that can be copied; None where there is none."""

    wanted: Rehearse = "never"
    original: Copyable | None = None


NO_REHEARSAL = Rehearsal()


def rehearse(
    step: Step[object], release: Release, alias: str, where: str, rehearsal: Rehearsal, run: Run, *, is_risky: bool
) -> None:
    """Run the plan on a copy, and say what it took; Failure where it fails, and nothing was kept away from it."""
    original, always = rehearsal.original, rehearsal.wanted == "always"
    if rehearsal.wanted == "never" or not (is_risky or always):
        return
    facts = release.facts.databases[alias]
    if original is None or not _is(original, facts):
        why = "the database is not the stack's own in this server's PostgreSQL"
        _leave_out(step, where, always, why, warn=False)
        return
    if not is_risky and not original.has_migrations():
        return
    bytes_of_it = original.size()
    if not always and bytes_of_it > AUTO_SIZE:
        # Nobody has asked for what takes so long.
        why = f"the database has {size(bytes_of_it)}, and database.rehearse: auto copies up to {size(AUTO_SIZE)}"
        _leave_out(step, where, always, f"{why}; always copies any", warn=False)
        return
    if why := original.why_not():
        _leave_out(step, where, always, why)
        return
    step.say(f"copying the database ({size(bytes_of_it)}) to rehearse the migrations{where}")
    try:
        with original.copied() as name, _relayed(release, original, name, facts) as folder:
            copy = {"name": name, "folder": SOCKETS, "port": original.port}
            ran = run(copy, folder, LONGEST_SECONDS if always else AUTO_SECONDS)
    except (Failure, OSError) as error:
        if always:
            raise
        failure = Failure.of(error, "copy of the database")
        _leave_out(step, where, always, f"{failure.thing}: {failure.cause}")
        return
    if why := _undecided(ran, always):
        _leave_out(step, where, always, why)
    elif ran.failure:
        raise _refused(ran, ran.failure, release)
    else:
        step.say(f"rehearsed{where} on a copy ({size(bytes_of_it)}): {_told(ran.said)}")


def is_here(facts: DatabaseFacts) -> bool:
    """Whether an entry of DATABASES leads to this server."""
    return facts.host in LOCAL or facts.host.startswith("/")


def _is(original: Copyable, facts: DatabaseFacts) -> bool:
    is_postgresql = not any(word in facts.engine.lower() for word in OTHERS)
    return (
        is_here(facts) and is_postgresql and (facts.name, facts.port or "5432") == (original.name, str(original.port))
    )


def _leave_out(step: Step[object], where: str, always: bool, why: str, *, warn: bool = True) -> None:
    if always:
        fix = "change that, or set codesensei:database.rehearse: auto, which migrates without"
        raise Failure("rehearsal of the migrations", f"{why}, so nothing was migrated{where}", fix)
    step.say(f"{'warning: ' if warn else ''}the migrations are not rehearsed{where}: {why}")


def _undecided(ran: Ran, always: bool) -> str:
    """Why the rehearsal says nothing of the real run; empty where it does."""
    said, who = ran.said, ran.said.at or "manage.py migrate"
    if ran.is_over or (ran.failure is None and said.joined):
        return ""
    # One that somebody has ended looks as if it had ended well.
    cause = ran.failure.cause if ran.failure else "the run was ended"
    if ran.done.result == "timeout" and not always:
        return f"on a copy they took longer than {AUTO_SECONDS // 60} minutes, and no more is spent unasked"
    if not said.joined:
        return f"the copy was not reached: {cause}"
    if said.away:
        return f"{who} needs more than a copy: {said.away}"
    if said.tried:
        return f"{who} needs more than a copy: it asked for {_few(said.tried)}, and failed: {cause}"
    return ""


def _refused(ran: Ran, failure: Failure, release: Release) -> Failure:
    what = f"migration {ran.said.at}" if ran.said.at else "manage.py migrate"
    # Of what was cancelled, the rest is about the real database.
    cause = failure.cause.splitlines()[0] if ran.is_over else failure.cause
    cause += "\nthat was on a copy of the database: nothing was migrated"
    fix = f"{failure.fix}; or, to leave the rehearsal out, set codesensei:database.rehearse: never"
    return Failure(f"rehearsal of {what} (release {release.name})", cause, fix, failure.log, where=failure.where)


def _told(said: Rehearsed) -> str:
    slowest = _longest(said.took)
    parts = [f"{label} {seconds:.1f} s" for label, seconds in slowest[:SHOWN]] or ["no migration"]
    if left := slowest[SHOWN:]:
        parts.append(f"{len(left)} more {sum(seconds for _, seconds in left):.1f} s")
    for what, found in (("requests", said.closed), ("writes", said.readable)):
        noticed = [one for one in _longest(found) if one[1] >= NOTICED]
        parts += [f"{what} to {table} would wait up to about {seconds:.1f} s" for table, seconds in noticed[:SHOWN]]
    if said.tried:
        parts.append(f"without {_few(said.tried)}, which they asked for")
    return ", ".join(parts)


def _longest(found: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(found.items(), key=lambda one: -one[1])


def _few(words: Sequence[str]) -> str:
    return ", ".join(words[:SHOWN])


@contextlib.contextmanager
def _relayed(release: Release, original: Copyable, name: str, facts: DatabaseFacts) -> Iterator[Path]:
    """A folder with the one socket that leads to the copy; who has no password is known by its user there as well."""
    folder = release.project.rehearsal_socket
    files.remove_path(folder)
    files.make_directory(folder, 0o755)
    own = f".s.PGSQL.{original.port}"
    is_peer = original.role == release.user and (not facts.host or facts.host.startswith("/"))
    place = os.path.join(facts.host or SOCKETS, own) if is_peer else str(original.port)
    try:
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(str(folder / own))
            os.chmod(folder / own, 0o600)
            os.chown(folder / own, files.user_id(release.user), -1)
            door.listen(64)
            # Read by root: the app user cannot open the toolkit.
            words = ["-I", "-B", "-c", RELAY.read_text(), str(door.fileno()), name, place]
            argv, env = as_user(release.user, "/usr/bin/python3", *words), {"PATH": SYSTEM_PATH}
            # The end of its standard input ends it: that of the block, and that of this process.
            with subprocess.Popen(argv, stdin=subprocess.PIPE, pass_fds=(door.fileno(),), env=env, cwd="/"):
                yield folder
    finally:
        files.remove_path(folder)
