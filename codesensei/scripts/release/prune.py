"""The history of what served, and the removal of what is no longer kept."""

from __future__ import annotations

import time

from codesensei.scripts.base import files, lines
from codesensei.scripts.base.lines import SwitchRun
from codesensei.scripts.base.step import Step
from codesensei.scripts.release import record as records_of
from codesensei.scripts.release.release import Release
from codesensei.wire.names import RELEASE, kept_releases, variables_of
from codesensei.wire.paths import ProjectPaths


def record(step: Step[object], release: Release, seconds: dict[str, float]) -> None:
    """Add a line to the project's history when something was switched."""
    if step.changes:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        run = SwitchRun(time=now, release=release.name, revision=step.args[1], seconds=seconds)
        lines.append(step.project.history, run)


def served(project: ProjectPaths) -> list[str]:
    """Releases that have served, each once, the latest first."""
    return list(dict.fromkeys(run.release for run in reversed(lines.read(project.history, SwitchRun))))


def since(project: ProjectPaths, most: int) -> dict[str, str]:
    """The same, at most so many of them, each with the time when it last began to serve."""
    last = {run.release: run.time for run in lines.read(project.history, SwitchRun)}
    return {name: last[name] for name in served(project)[:most]}


def made(project: ProjectPaths) -> list[str]:
    """Releases that are there, also those that have never served."""
    folders = project.releases.iterdir() if project.releases.is_dir() else ()
    return sorted(folder.name for folder in folders if RELEASE.fullmatch(folder.name))


def kept(project: ProjectPaths, keep: int) -> set[str]:
    """The releases that stay: the newest one of each of the last `keep` commits that served, and what is linked."""
    return records_of.linked(project) | kept_releases(served(project), keep)


def prune(step: Step[object], keep: int) -> None:
    """Remove releases older than the last `keep` commits, and what only they used; never current or previous."""
    project = step.project
    stay = kept(project, keep)
    for folder in sorted(project.releases.iterdir()):
        if RELEASE.fullmatch(folder.name.lstrip(".")) and folder.name not in stay:
            step.converge(files.remove_path(folder), f"release {folder.name} removed")
    records = [records_of.read(project, name) for name in stay]
    venvs, revisions = {known.venv for known in records}, {known.revision for known in records}
    files.keep_only(project.venvs, lambda name: name in venvs)
    files.keep_only(project.incoming, lambda name: False)
    files.keep_only(project.sources, lambda name: name.removesuffix(".tar") in revisions)
    variables = {variables_of(name) for name in stay}
    for folder in (project.environments, project.record("").parent, project.job_logs):
        files.keep_only(folder, lambda name: name[:15] in stay or name.partition(".")[0] in variables)
