"""Read-only: what each step did last and what has changed since, as JSON on standard output."""

from __future__ import annotations

import json

from codesensei.scripts.base import proofs, units
from codesensei.scripts.base.step import read_json
from codesensei.scripts.serving import certificates
from codesensei.scripts.serving.live import Live
from codesensei.wire import paths
from codesensei.wire.paths import ProjectPaths


def run(slug: str, words: list[str]) -> int:
    """Print the look at project `slug`; 0 always."""
    project = ProjectPaths(slug)
    steps = {}
    folder = project.proofs
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        proof = read_json(path, {})
        steps[path.stem] = {
            "applied": proof.get("applied", ""),
            "drift": [*proofs.drift(proof), *_amiss(project, path.stem)],
        }
    owner = read_json(paths.SERVER.register, {}).get("slugs", {}).get(slug, {})
    print(json.dumps({"identity": owner.get("identity", ""), "steps": steps}, sort_keys=True))
    return 0


def _amiss(project: ProjectPaths, step: str) -> list[str]:
    """What a step left in order and is no longer so, beside its files."""
    if step == "acme":
        return list(certificates.lacking(project))
    return _stopped(project) if step == "switch" else []


def _stopped(project: ProjectPaths) -> list[str]:
    """Units that should run and do not; one that restarts again and again is ill, not changed by hand."""
    now = Live.read(project)
    found = []
    for name in sorted(now.units):
        state = units.show(name)
        if state["ActiveState"] not in ("active", "activating", "reloading"):
            found.append(f"{name} is {state['ActiveState']}")
        elif state["UnitFileState"] != "enabled":
            found.append(f"{name} is {state['UnitFileState'] or 'not enabled'}")
    return found
