"""Whether units and hostnames are free, or this stack's own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from codesensei.scripts.base import host, register, rivals, sites
from codesensei.scripts.base.step import Failure
from codesensei.wire import paths
from codesensei.wire.names import is_system_unit
from codesensei.wire.paths import ProjectPaths

OUR_UNIT = re.compile(r"^Description=.*\(codesensei\)\s*$", re.MULTILINE)


def check_unit(entry: register.Entry, unit: str, adopt: bool) -> None:
    """Raise Failure for a unit of the system, of somebody else, or of another stack."""
    fix = "choose another codesensei:project.slug, or another name for the worker"
    if is_system_unit(unit):
        raise Failure(f"unit {unit}", "this name belongs to the system", fix)
    server = paths.SERVER
    folders = (server.units, server.runtime_units, server.local_units, server.packaged_units)
    found = next((path for folder in folders if (path := folder / unit).exists() or path.is_symlink()), None)
    if found is None or entry.has("units", unit):
        return
    whose = register.owner("units", unit)
    ours = found.is_file() and OUR_UNIT.search(found.read_text(errors="replace")) is not None
    if not ours:
        fix += "; or remove that unit on the server first"
        raise Failure(f"unit {unit}", f"{found} was not written by codesensei", fix)
    if not adopt:
        owner = f"the stack {whose[1].stack} (slug {whose[0]})" if whose else "a stack that this server no longer knows"
        raise Failure(f"unit {unit}", f"it belongs to {owner}", f"{fix}, or take it over with codesensei:adopt: true")


def check_hostnames(project: ProjectPaths, hostnames: Iterable[str], *, adopt: bool) -> None:
    """Raise Failure for a hostname of an nginx site that is no stack's; whose a stack's is, the register says."""
    configuration = sites.configuration()
    found = rivals.rivals(configuration, project, hostnames, host.own_addresses())
    found = [rival for rival in found if not rival.of_stack]
    rivals.refuse([*found, *rivals.nameless(configuration, project)], adopt=adopt)


def foreseen(project: ProjectPaths, hostnames: Iterable[str], *, adopt: bool) -> Iterator[str]:
    """Sentences: what becomes of other sites of nginx where nothing is refused."""
    configuration, wanted = sites.configuration(), [*hostnames]
    for rival in rivals.rivals(configuration, project, wanted, host.own_addresses()) if adopt else ():
        if rival.removable and not rival.of_stack:
            yield f"{rival.thing}: the nginx site {rival.file} has it; adopt: true disables that file"
    yield from rivals.displaced(configuration, project, wanted)


def check_folder(project: ProjectPaths, *, adopt: bool) -> None:
    """Raise Failure where the project's folder is there, and no stack's."""
    unknown = register.entry(project.slug) is None and register.kept(project.slug) is None
    if unknown and project.root.exists() and not adopt:
        fix = "choose another codesensei:project.slug, or take it over with codesensei:adopt: true, or move it away"
        raise Failure(str(project.root), "it exists, and no stack of this server has it", fix)
