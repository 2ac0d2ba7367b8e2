"""Stop a project's processes, and remove their units."""

from __future__ import annotations

from collections.abc import Iterable

from codesensei.scripts.base import files
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Step
from codesensei.scripts.checks.names import OUR_UNIT
from codesensei.wire import paths
from codesensei.wire.names import candidate_unit, job_unit


def remove(step: Step[object], units: Iterable[str]) -> None:
    """Stop everything at once (sockets first, or they would start their service again), then remove the files."""
    job = job_unit(step.slug)
    names = sorted({*units, candidate_unit(step.slug), job})
    names.sort(key=lambda name: not name.endswith(".socket"))
    ours = [name for name in names if _is_ours(name) or name == job]
    running = [name for name in ours if not _inactive(name)]
    if running:
        step.say(f"stopping {', '.join(running)} (workers may finish their tasks)")
        systemctl("stop", *running)
    if present := [name for name in ours if paths.unit(name).exists()]:
        systemctl("disable", "--quiet", *present, check=False)
    for name in present:
        step.converge(files.remove_path(paths.unit(name)), f"unit {name} removed")
        if paths.unit(f"{name}.d").is_dir():
            step.say(f"kept: {paths.unit(name)}.d, which somebody else made")
    if present:
        systemctl("daemon-reload")
        systemctl("reset-failed", *present, check=False)


def _is_ours(name: str) -> bool:
    path = paths.unit(name)
    return path.is_file() and OUR_UNIT.search(path.read_text(errors="replace")) is not None


def _inactive(name: str) -> bool:
    return systemctl("is-active", name, check=False).stdout.strip() in ("inactive", "failed", "unknown", "")
