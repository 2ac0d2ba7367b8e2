"""How the backups of a stack end, continuous ones as well; what they have made stays where it is."""

from __future__ import annotations

from codesensei.scripts.backups import archiving, settings
from codesensei.scripts.base.step import Step


def backups(step: Step[object]) -> None:
    """End them. Failure where PostgreSQL does not start without its archive; the next run goes on from there."""
    # While there are settings, `backup` and the look tell of an archive that goes on.
    archiving.remove(step)
    settings.remove(step)
