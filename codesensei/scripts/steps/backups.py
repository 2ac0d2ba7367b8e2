"""What a server needs to back a project up by itself: settings and password of root's alone, a timer, a command."""

from __future__ import annotations

import dataclasses
import time

from codesensei.scripts.backups import archiving, settings, status
from codesensei.scripts.backups.repository import Repository
from codesensei.scripts.base import files, units
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Failure, Step, write_json
from codesensei.scripts.steps.account import COMMAND
from codesensei.wire import codec, paths
from codesensei.wire.names import backup_units
from codesensei.wire.steps import Backup, BackupSaid


def run(step: Step[Backup]) -> None:
    """Write all of it. A target that takes nothing yet is a warning: it may have to learn this server's key first."""
    project, data = step.project, step.data
    files.make_directory(project.backups, 0o700)
    # The password has its own file, which restic reads.
    kept = dataclasses.replace(data, password="", service="", timer="")
    wrote = write_json(settings.place(project), codec.encode(kept))
    wrote = files.write_file(settings.password_file(project), data.password, 0o600) or wrote
    root = settings.root_of_storage(project)
    certificate = data.root_certificate.strip()
    wrote = (files.write_file(root, f"{certificate}\n", 0o600) if certificate else files.remove_path(root)) or wrote
    step.converge(wrote, f"backups to {data.to} configured")
    if not data.days:
        archiving.remove(step)
    if not status.read(project).since:
        status.note(project, since=time.time())
    wrote = files.write_file(project.backup, COMMAND.read_bytes(), 0o755)
    step.converge(wrote, f"{project.backup} written")
    for path in (settings.place(project), settings.password_file(project), project.backup):
        step.manage(path)
    warnings = []
    try:
        step.converge(Repository(project, data).ensure(), f"repository made in {data.to}")
    except Failure as error:
        warnings.append(f"{error.thing}: {error.cause}; {error.fix}; then on the server: {project.backup} now")
    else:
        warnings += _archive(step)
    _timer(step)
    if step.changes and not warnings:
        step.say("keep the stack output backupPassword somewhere else: without it nobody can read the backups")
    step.result = BackupSaid(warnings=tuple(warnings))


def _archive(step: Step[Backup]) -> list[str]:
    """Begin to archive, where that is asked for: what keeps it from that, as a warning."""
    if not step.data.days:
        return []
    try:
        archiving.ensure(step)
    except Failure as failed:
        return [f"{failed.thing}: {failed.cause}; {failed.fix}; then run pulumi up again"]
    return []


def _timer(step: Step[Backup]) -> None:
    timer, service = backup_units(step.slug)
    wrote = False
    for name, text in ((service, step.data.service), (timer, step.data.timer)):
        wrote = files.write_file(paths.unit(name), text, 0o644) or wrote
        step.manage(paths.unit(name), shown=True)
    if step.converge(wrote, f"{timer} written"):
        systemctl("daemon-reload")
        systemctl("restart", timer, check=False)
    units.ensure_running(step, timer, "the timer of the backups")
