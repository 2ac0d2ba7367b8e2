"""Broken projects: each a small change to the working example, and exactly what a deploy of it says."""

from tests.host.broken import database, machines, packages, settings, source, web, workers
from tests.host.broken.case import Broken

CASES: tuple[Broken, ...] = (
    *source.CASES,
    *packages.CASES,
    *settings.CASES,
    *database.CASES,
    *web.CASES,
    *workers.CASES,
)
MACHINES = machines.CASES

__all__ = ["CASES", "MACHINES", "Broken"]
