"""Let the running nginx reload its configuration, wait until it serves by it, and say why it does not take one."""

from __future__ import annotations

import re
import time
from pathlib import Path

from codesensei.scripts.base import sites
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Failure
from codesensei.wire import paths

UNIT = "nginx.service"
USER = "www-data"
# How long the workers of the old configuration may take to stop listening, seconds.
PATIENCE = 10.0
_AT = re.compile(r"\[emerg\] (?:\d+#\d+: )?(?P<what>.+) in (?P<file>/\S+):(?P<line>\d+)$", re.MULTILINE)
_TOO_SMALL = re.compile(r"you should increase (?P<name>\w+): (?P<size>\d+)")


def reload(*, start: bool = False) -> None:
    """Reload the configuration; afterwards no new connection is answered by the old one.

    The signal alone returns at once, and for a moment the old workers still accept connections; they finish what they
    have begun. With `start` an nginx that is stopped is started.
    """
    if not systemctl("is-active", "--quiet", UNIT, check=False).ok:
        if start:
            systemctl("start", UNIT)
        return
    master = systemctl("show", "--property=MainPID", "--value", UNIT).stdout.strip()
    before = accepting(master)
    systemctl("reload", UNIT)
    deadline = time.monotonic() + PATIENCE
    while before & accepting(master) and time.monotonic() < deadline:
        time.sleep(0.02)


def refusal(said: str, slug: str, meaning: str, again: str = "run pulumi up again") -> Failure:
    """The error for what `nginx -t` has said: whose file and line it is, and what that means for the project."""
    thing = "nginx configuration"
    if small := _TOO_SMALL.search(said):
        base, name = str(paths.SERVER.nginx_base), small["name"]
        setters = [setting.file for setting in sites.on_disk().settings if setting.name == name]
        where = next((file for file in setters if file != base), base)
        cause = f"{name} {small['size']} in {where} is too small for the names here; {meaning}"
        return Failure(thing, cause, f"raise {name} in {where} to {max(512, 2 * int(small['size']))}, then {again}")
    found = _AT.search(said)
    if found is None:
        return Failure(thing, f"nginx -t refuses it; {meaning}", f"correct what nginx names, then {again}", said)
    file, what = found["file"], found["what"]
    fix = f"correct this line of {file}, then {again}"
    if "is duplicate" in what:
        # Our own base is written again then, without what is set elsewhere. Some must be read before its first map.
        fix = "remove this line, or move it to nginx.conf, above its include lines; "
        fix += f"then: pulumi up --replace '**{slug}-proxy'"
    elif Path(file).name.startswith("codesensei"):
        fix = f"find what clashes with it in a file that is not codesensei's (nginx -T shows all), then {again}"
    return Failure(f"{file}, line {found['line']}", f"nginx refuses it: {what}; {meaning}", fix)


def accepting(master: str) -> set[str]:
    """The workers of this master process that have not been told to end."""
    try:
        children = (paths.SERVER.processes / master / "task" / master / "children").read_text().split()
    except OSError:
        return set()
    return {child for child in children if "worker process is shutting down" not in _title(child)}


def _title(process: str) -> str:
    command = paths.SERVER.processes / process / "cmdline"
    try:
        return command.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return "worker process is shutting down"
