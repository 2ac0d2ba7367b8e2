"""The timer of a stack's backups and the service that it starts."""

from __future__ import annotations

from codesensei.render import systemd
from codesensei.render.templates import render
from codesensei.wire.paths import ProjectPaths


def service(project: ProjectPaths, *, title: str, to: str, continuous: bool = False) -> str:
    """Makes one backup as root, which alone may read everything that belongs to it, and does nothing else."""
    writable = [str(project.memory), *([to] if to.startswith("/") else [])]
    # Not there where the archive could not be set up.
    writable += [f"-{project.wal_archive}"] if continuous else []
    command = systemd.command([str(project.launcher), "backup", "now"])
    return render("backup.service.j2", title=title, command=command, writable=" ".join(writable))


def timer(project: ProjectPaths, *, title: str, schedule: str) -> str:
    """Also makes up for a time at which the server was off."""
    return render("backup.timer.j2", title=title, schedule=schedule)
