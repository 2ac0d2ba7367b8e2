"""How long each phase of a deploy took, in one line."""

from __future__ import annotations

from collections.abc import Mapping

from codesensei.scripts.base import lines
from codesensei.scripts.base.lines import StepRun
from codesensei.scripts.release.release import Release
from codesensei.wire.paths import ProjectPaths

SWITCH = "switch"
BUILD = "build"
# Its parts, under their names in the record.
PARTS = ("code", "packages", "settings", "migrate", "static")


def describe(project: ProjectPaths, release: Release, switch: Mapping[str, float]) -> str:
    """Every step since the last switch, the long ones with their parts, and the switch with its parts."""
    known = release.record.seconds
    phases = []
    for name, run in _steps(project).items():
        is_long = name == BUILD and run.result == "changed"
        phases.append(_phase(name, run.seconds, {part: known[part] for part in PARTS if is_long and part in known}))
    phases.append(_phase(SWITCH, sum(switch.values()), switch))
    return "seconds: " + ", ".join(phases)


def _phase(name: str, seconds: float, parts: Mapping[str, float]) -> str:
    inner = ", ".join(f"{part} {taken:.1f}" for part, taken in parts.items())
    return f"{name} {seconds:.1f}" + (f" ({inner})" if inner else "")


def _steps(project: ProjectPaths) -> dict[str, StepRun]:
    """The last run of each step since the switch before, in the order of these runs."""
    found: dict[str, StepRun] = {}
    for run in lines.read(project.steps, StepRun):
        if run.step == SWITCH and run.result != "failed":
            found.clear()
        elif run.step != SWITCH:
            found.pop(run.step, None)
            found[run.step] = run
    return found
