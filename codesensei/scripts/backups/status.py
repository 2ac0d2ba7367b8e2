"""How the last backup and the last check went: root's note of it, and what a look tells of it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace

from codesensei.scripts.backups import settings
from codesensei.scripts.base import excerpt
from codesensei.scripts.base.step import BELOW, Failure, read_json, write_json
from codesensei.wire import codec
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import FRESH_BACKUP, Finding

CHECK_SECONDS = 7 * 86400.0
# Of a program's words, to find the one that tells: of restic, PostgreSQL's programs and psql.
MOST_LINES, _SAYS = 100, re.compile(r"Fatal: |\w+: error: |.*\bERROR: ")


@dataclass(frozen=True, kw_only=True)
class Status:
    """Times in seconds since the epoch; an empty error is a success. `since` is when backups were first asked for.

    `lacks` is what is not in the newest backup, `repository` the identity of the one in `to`, as it was last used.
    """

    since: float = 0.0
    made: float = 0.0
    snapshot: str = ""
    to: str = ""
    repository: str = ""
    bytes: int = 0
    error: str = ""
    lacks: str = ""
    fix: str = ""
    checked: float = 0.0
    checked_snapshot: str = ""
    check_error: str = ""


def read(project: ProjectPaths) -> Status:
    """The note; of nothing where none was made."""
    place = project.backups / "status.json"
    return codec.decode(Status, read_json(place, {}), str(place), kept=True)


def note(project: ProjectPaths, **changes: object) -> None:
    """Change the note."""
    write_json(project.backups / "status.json", codec.encode(replace(read(project), **changes)))  # type: ignore[arg-type]


def failed(project: ProjectPaths, error: Failure | OSError) -> None:
    """Note that no backup could be made, and why."""
    failure = Failure.of(error, "backup", "make one again")
    note(project, error=told(failure), fix="" if failure.fix == BELOW else failure.fix)


def told(failure: Failure) -> str:
    """Thing and cause in one line, with what a program has said where that alone tells the cause."""
    lines = excerpt.last_lines(failure.log, MOST_LINES)
    said = next((line for line in lines if _SAYS.match(line)), lines[-1] if lines else "")
    return f"{failure.thing}: {failure.cause}" + (f": {said.strip()}" if said else "")


def findings(project: ProjectPaths) -> Iterator[Finding]:
    """A backup that failed, is missing or is old, or that could not be restored."""
    wanted = settings.read(project)
    if wanted is None:
        return
    found, again = read(project), f"on the server: {project.backup} now"
    if found.error:
        cause = f"the last one failed, {_newest(found)}: {found.error}"
        yield Finding(thing="backups", cause=cause, fix=found.fix or again)
    elif time.time() - (found.made or found.since) > 2 * wanted.period:
        yield Finding(thing="backups", cause=f"{_newest(found)}, more than twice the schedule", fix=again)
    elif found.lacks:
        yield Finding(thing="backups", cause=f"the newest does not have all: {found.lacks}", fix=found.fix)
    if found.check_error:
        fix = f"on the server: {project.backup} verify"
        yield Finding(thing="backups", cause=f"the last check could not restore one: {found.check_error}", fix=fix)


def too_old(project: ProjectPaths) -> Finding | None:
    """What the policy says of the newest backup; nothing on the first day, on which there need not be one."""
    found = read(project)
    if time.time() - (found.made or found.since) <= FRESH_BACKUP:
        return None
    return Finding(thing="backup", cause=_newest(found), fix="make one: codesensei backup")


def age(project: ProjectPaths) -> float | None:
    """Of the newest backup, in seconds; None where there is none."""
    found = read(project)
    return time.time() - found.made if found.made else None


def require(project: ProjectPaths) -> None:
    """Failure without a backup that is young enough for the policy, on the first day too: something will be lost."""
    newest = age(project)
    if newest is not None and newest < FRESH_BACKUP:
        return
    is_set_up = settings.read(project) is not None
    make = "make one: codesensei backup" if is_set_up else "deploy codesensei:backups without these migrations first"
    raise Failure(
        "backup",
        f"{_newest(read(project))}, and in production destructive migrations wait for one that is younger than a day",
        f'{make}; or, with your reason, codesensei:waive: {{backup: "…"}}',
    )


def _newest(found: Status) -> str:
    """How old the newest backup is, or for how long none was made."""
    hours = int((time.time() - (found.made or found.since)) // 3600)
    if not found.made and (not found.since or hours < 2):
        return "there is none yet"
    time_since = f"{hours} hours" if hours < 48 else f"{hours // 24} days"
    return f"the newest is {time_since} old" if found.made else f"none was made for {time_since}"
