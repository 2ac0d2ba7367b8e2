"""How the backups of a stack end, continuous ones as well; what they have made stays where it is."""

from __future__ import annotations

from codesensei.scripts.backups import archiving, postgres, settings
from codesensei.scripts.base import files
from codesensei.scripts.base.step import Step
from codesensei.scripts.postgres import ownership, postgresql


def backups(step: Step[object]) -> None:
    """End them. Failure where PostgreSQL does not start without its archive; the next run goes on from there."""
    settings.stop(step)
    # While there are settings, `backup` and the look tell of an archive that goes on.
    archiving.remove(step)
    settings.remove(step)


def sweep(step: Step[object]) -> None:
    """Remove the copies of the stack's data that a restore, a check or a new database's filling has left, if killed."""
    place, found = step.project.fetched_folders, ownership.applied(step.project)
    step.converge(files.remove_path(place), f"{place} removed, which an interrupted run has left")
    if found and any(cluster.port == found.port for cluster in postgresql.clusters()):
        port = postgresql.ensure_cluster(step, found.port)
        for left in postgres.sweep(step.project, port):
            step.changed(f"{left} dropped, which an interrupted run has left")
