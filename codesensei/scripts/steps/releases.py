"""`releases`, read-only: the releases that are kept and how each went, as JSON on standard output."""

from __future__ import annotations

import json
from pathlib import Path

from codesensei.scripts.base import files, lines
from codesensei.scripts.base.lines import StepRun, SwitchRun
from codesensei.scripts.release import record
from codesensei.scripts.release.record import Record
from codesensei.wire import codec
from codesensei.wire.answers import KeptRelease, Releases, Result
from codesensei.wire.names import RELEASE
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.steps import BUILD


def run(slug: str, words: list[str]) -> int:
    """Print the releases of project `slug`; 0 always."""
    print(json.dumps(codec.encode(of_project(ProjectPaths(slug))), sort_keys=True))
    return 0


def of_project(project: ProjectPaths) -> Releases:
    """What root's records say of each release that has one or is on the disk."""
    switches = {one.release: one for one in lines.read(project.history, SwitchRun)}
    built = {
        one.args[0]: one.time
        for one in lines.read(project.steps, StepRun)
        if one.step == BUILD.name and one.args and one.result == "changed"
    }
    names = {path.stem for path in project.record("").parent.glob("*-*.json")}
    if project.releases.is_dir():
        names |= {path.name for path in project.releases.iterdir()}
    found = [
        _release(project, name, built.get(name, ""), switches.get(name)) for name in names if RELEASE.fullmatch(name)
    ]
    return Releases(releases=tuple(sorted(found, key=lambda one: (one.served or one.built, one.name), reverse=True)))


def _release(project: ProjectPaths, name: str, built: str, switch: SwitchRun | None) -> KeptRelease:
    known = record.read(project, name)
    return KeptRelease(
        name=name,
        place="current" if _leads(project.current, name) else "previous" if _leads(project.previous, name) else "",
        revision=known.revision,
        result=_result(known),
        failed=known.failed,
        built=built,
        served=switch.time if switch else "",
        seconds={**known.seconds, **(switch.seconds if switch else {})},
    )


def _leads(link: Path, name: str) -> bool:
    target = files.link_target(link)
    return target is not None and Path(target).name == name


def _result(known: Record) -> Result:
    if known.failed:
        return "failed"
    return known.state if known.state in ("served", "abandoned") else "unfinished"
