"""Whether units and hostnames are free, or this stack's own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from codesensei.scripts.base import register
from codesensei.scripts.base.step import Failure
from codesensei.wire import paths
from codesensei.wire.names import is_system_unit

OUR_UNIT = re.compile(r"^Description=.*\(codesensei\)\s*$", re.MULTILINE)
OUR_SITE = "codesensei"


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


def check_hostnames(hostnames: Iterable[str]) -> None:
    """Raise Failure for a hostname of an nginx site that is not ours."""
    wanted = {name.lower() for name in hostnames}
    for path, names in served_names().items():
        if taken := sorted(wanted & names):
            cause = f"the nginx site {path}, which codesensei did not write, already serves it"
            fix = f"remove the name (or the whole site) from {path}, or choose another hostname"
            raise Failure(f"hostname {', '.join(taken)}", cause, fix)


def served_names() -> dict[Path, set[str]]:
    """The server names in nginx's active files that are not ours, by file."""
    found: dict[Path, set[str]] = {}
    for pattern in ("nginx.conf", "conf.d/*.conf", "sites-enabled/*"):
        for path in sorted(paths.SERVER.nginx.glob(pattern)):
            if path.is_file() and not path.name.startswith(OUR_SITE):
                found[path] = server_names(path.read_text(errors="replace"))
    return {path: names for path, names in found.items() if names}


def server_names(text: str) -> set[str]:
    """The names in the server_name lines of an nginx file, in lower case, without quotes."""
    plain = re.sub(r"(^|\s)#.*", "", text)
    names: set[str] = set()
    for found in re.finditer(r"(?:^|[\s;{}])server_name\s+([^;]*);", plain):
        names |= {name.strip("\"'").lower() for name in found[1].split()}
    return names - {"_", ""}
