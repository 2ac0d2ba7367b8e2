"""How long each phase of a deploy took, in one line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from codesensei.scripts.release.release import Release
from codesensei.wire.paths import ProjectPaths

SWITCH = "switch"
# What the long steps consist of, as their notes have it.
PARTS = {"build": ("code", "packages", "settings"), "prepare": ("migrate", "static")}


def words(project: ProjectPaths, release: Release, switch: Mapping[str, float]) -> str:
    """Every step since the last switch, the long ones with their parts, and the switch's own parts."""
    noted = release.notes.get("seconds")
    known = noted if isinstance(noted, dict) else {}
    phases = []
    for name, line in _steps(project).items():
        parts = {part: known[part] for part in PARTS.get(name, ()) if part in known}
        phases.append(_phase(name, line["seconds"], parts if line["result"] == "changed" else {}))
    phases.append(_phase(SWITCH, sum(switch.values()), switch))
    return "seconds: " + ", ".join(phases)


def _phase(name: str, seconds: float, parts: Mapping[str, float]) -> str:
    inner = ", ".join(f"{part} {taken:.1f}" for part, taken in parts.items())
    return f"{name} {seconds:.1f}" + (f" ({inner})" if inner else "")


def _steps(project: ProjectPaths) -> dict[str, dict[str, Any]]:
    """The last run of each step since the switch before, in their order."""
    found: dict[str, dict[str, Any]] = {}
    try:
        lines = (project.steps).read_text().splitlines()
    except FileNotFoundError:
        return {}
    for line in map(json.loads, lines):
        if line["step"] == SWITCH and line["result"] != "failed":
            found.clear()
        elif line["step"] != SWITCH:
            found.pop(line["step"], None)
            found[line["step"]] = line
    return found
