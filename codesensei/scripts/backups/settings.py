"""What root keeps of how backups are made, and its removal."""

from __future__ import annotations

from pathlib import Path

from codesensei.scripts.base import files
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Failure, Step, read_json
from codesensei.wire import codec, paths
from codesensei.wire.names import backup_units
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.steps import Backup


def place(project: ProjectPaths) -> Path:
    """Where the note is: it holds secrets."""
    return project.backups / "settings.json"


def password_file(project: ProjectPaths) -> Path:
    """What restic reads the password from."""
    return project.backups / "password"


def root_of_storage(project: ProjectPaths) -> Path:
    """The certificate that signs that of an S3 storage of one's own; there where the stack file has one."""
    return project.backups / "root.pem"


def read(project: ProjectPaths) -> Backup | None:
    """The note; None where the stack has no backups."""
    found = read_json(place(project), None)
    return found and codec.decode(Backup, found, str(place(project)), kept=True)


def require(project: ProjectPaths) -> Backup:
    """The note. Failure where the stack has no backups."""
    found = read(project)
    if found is None:
        fix = "set codesensei:backups in the stack file and run pulumi up"
        raise Failure(f"backups of {project.slug}", "the stack has none on this server", fix)
    return found


def stop(step: Step[object]) -> None:
    """Stop a backup or a check that the timer has started."""
    _, service = backup_units(step.slug)
    if paths.unit(service).exists():
        systemctl("stop", service, check=False)


def remove(step: Step[object]) -> None:
    """Stop the timer and forget password and settings; the backups themselves stay where they are."""
    project, found = step.project, read(step.project)
    units = [name for name in backup_units(step.slug) if paths.unit(name).exists()]
    if units:
        systemctl("disable", "--now", "--quiet", units[0], check=False)
        for name in units:
            step.converge(files.remove_path(paths.unit(name)), f"unit {name} removed")
        systemctl("daemon-reload")
    files.remove_path(project.backup)
    if files.remove_path(project.backups) and found:
        step.say(f"kept: the backups in {found.to}; only their password (stack output backupPassword) opens them")
