"""The record of what served, and the end of what is kept no longer."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

from codesensei.scripts.base import files
from codesensei.scripts.base.step import Step, read_json
from codesensei.scripts.release import twins
from codesensei.scripts.release.release import Release
from codesensei.wire.names import variables_of
from codesensei.wire.paths import ProjectPaths

_RELEASE = re.compile(r"[0-9a-f]{7}-[0-9a-f]{7}")


def record(step: Step[object], release: Release, seconds: dict[str, float]) -> None:
    """Add a line to the project's history when something was switched."""
    if not step.changes:
        return
    line = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "release": release.name,
        "revision": step.args[1],
        "seconds": seconds,
    }
    with open(step.project.history, "a", opener=lambda path, flags: os.open(path, flags, 0o600)) as log:
        log.write(json.dumps(line, sort_keys=True) + "\n")


def served(project: ProjectPaths) -> list[str]:
    """Releases that have served, the latest first, each once."""
    try:
        lines = (project.history).read_text().splitlines()
    except FileNotFoundError:
        return []
    return list(dict.fromkeys(json.loads(line)["release"] for line in reversed(lines)))


def prune(step: Step[object], keep: int) -> None:
    """Remove releases beyond the last `keep` that served; never current or previous, nor what they use."""
    project = step.project
    linked = [Path(target).name for link in (project.current, project.previous) if (target := files.link_target(link))]
    kept = {*linked, *served(project)[:keep]}
    for folder in sorted(project.releases.iterdir()):
        if _RELEASE.fullmatch(folder.name) and folder.name not in kept:
            step.converge(files.remove_path(folder), f"release {folder.name} removed")
    twins.prune(project)
    notes = {name: read_json(project.record(name), {}) for name in kept}
    venvs = {note.get("venv") for note in notes.values()}
    revisions = {note.get("revision") for note in notes.values()}
    _keep_only(project.venvs, lambda name: name in venvs)
    _keep_only(project.incoming, lambda name: False)
    _keep_only(project.sources, lambda name: name.removesuffix(".tar") in revisions)
    variables = {variables_of(name) for name in kept}
    for folder in (project.environments, project.memory / "release", project.job_logs):
        _keep_only(folder, lambda name: name[:15] in kept or name.partition(".")[0] in variables)


def _keep_only(folder: Path, wanted: object) -> None:
    assert callable(wanted)
    if folder.is_dir():
        for entry in folder.iterdir():
            if not wanted(entry.name):
                files.remove_path(entry)
