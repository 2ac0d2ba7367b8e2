"""What each step did last, kept on the server: the look for drift compares it with what is there now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codesensei.scripts.base.step import Step, fingerprint, read_json, write_json
from codesensei.wire import paths
from codesensei.wire.paths import ProjectPaths


def path_of(project: ProjectPaths, step: str) -> Path:
    return project.proofs / f"{step}.json"


def shared_path() -> Path:
    """What the files are like that belong to all projects; written under the server's lock alone."""
    return paths.SERVER.memory / "shared.json"


def begin(step: Step[object]) -> None:
    """Note that the step has started; an interrupted one is found by this."""
    path = path_of(step.project, step.name)
    if path.parent.is_dir():
        proof = read_json(path, {})
        write_json(path, {**proof, "running": step.digest})


def finish(step: Step[object]) -> None:
    """Note what the step ended with."""
    if step.shared:
        note = read_json(shared_path(), {})
        write_json(shared_path(), {**note, **{name: fingerprint(name) for name in step.shared}})
    path = path_of(step.project, step.name)
    if not path.parent.is_dir():
        return
    managed = {name: fingerprint(name) for name in step.managed}
    write_json(path, {"applied": step.digest, "files": managed, "shared": list(step.shared)})


def abandon(step: Step[object]) -> None:
    """Note that the step failed and left everything as it was."""
    path = path_of(step.project, step.name)
    proof = read_json(path, {})
    if proof.pop("running", None) is not None:
        write_json(path, proof)


def drift(proof: dict[str, Any]) -> list[str]:
    """What differs from what the step left: changed files, or a step that never ended."""
    shared = read_json(shared_path(), {})
    files = {**proof.get("files", {}), **{name: shared.get(name) for name in proof.get("shared", [])}}
    found = [
        f"{name} {'is gone' if now == 'absent' else 'was changed by hand'}"
        for name, then in sorted(files.items())
        if (now := fingerprint(name)) != then
    ]
    if "running" in proof:
        found.append("an earlier run was interrupted")
    return found
