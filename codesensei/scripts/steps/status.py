"""`status`, read-only: what serves, who works on it and what an interrupted deploy has left, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

from codesensei.scripts.backups import archiving, settings
from codesensei.scripts.backups import status as backup_status
from codesensei.scripts.base import lines, locks, proofs, units
from codesensei.scripts.base.lines import SwitchRun
from codesensei.scripts.release import record
from codesensei.scripts.serving import findings
from codesensei.scripts.serving.live import Journal, Live
from codesensei.scripts.steps.look import secrets_filter
from codesensei.wire import codec
from codesensei.wire.answers import BackupState, ProcessState, ServerStatus
from codesensei.wire.names import job_unit
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.steps import Finding

RUNNING = ("active", "activating", "deactivating")


def run(slug: str, words: list[str]) -> int:
    """Print the status of project `slug`; 0 always."""
    print(json.dumps(codec.encode(of_project(ProjectPaths(slug))), sort_keys=True))
    return 0


def of_project(project: ProjectPaths) -> ServerStatus:
    """All that a person asks first, also of a project that was never served."""
    live, holder = Live.read(project), locks.deploying(project.slug)
    switches = lines.read(project.history, SwitchRun)
    job = job_unit(project.slug)
    left = not holder and units.show(job).active in RUNNING
    return ServerStatus(
        release=live.release or "",
        revision=record.read(project, live.release).revision if live.release else "",
        served=switches[-1].time if switches else "",
        processes=tuple(_process(name) for name in sorted(live.units)),
        holder=holder,
        last_holder="" if holder or not locks.note_of(_lock(project)).exists() else locks.holder(_lock(project)),
        orphan=job if left else "",
        # A step that runs has not ended either.
        interrupted=() if holder else tuple(_interrupted(project)),
        open_switch=not holder and Journal.read(project) is not None,
        backups=_backups(project),
        findings=tuple(_findings(live)) if live.manifest else (),
    )


def _findings(live: Live) -> Iterator[Finding]:
    yield from findings.of_project(live, secrets_filter(live.project))
    yield from archiving.findings(live.project, backup_status.read(live.project).made)


def _lock(project: ProjectPaths) -> str:
    return f"project-{project.slug}"


def _process(name: str) -> ProcessState:
    found = units.show(name)
    return ProcessState(unit=name, active=found.active, sub=found.sub, restarts=found.restarts)


def _interrupted(project: ProjectPaths) -> list[str]:
    steps = sorted(path.stem for path in project.proofs.glob("*.json"))
    return [step for step in steps if proofs.read(project, step).running]


def _backups(project: ProjectPaths) -> BackupState | None:
    wanted = settings.read(project)
    if wanted is None:
        return None
    now = backup_status.read(project)
    return BackupState(
        to=wanted.to,
        made=now.made,
        snapshot=now.snapshot,
        error=now.error or now.lacks,
        checked=now.checked,
        check_error=now.check_error,
    )
