"""Let the running nginx reload its configuration, and wait until it serves by it."""

from __future__ import annotations

import time

from codesensei.scripts.base import units
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Step
from codesensei.wire import paths

UNIT = "nginx.service"
# How long the workers of the old configuration may take to stop listening, seconds.
PATIENCE = 10.0


def ensure_started(step: Step[object]) -> None:
    """Start nginx where it does not run. Raises Failure with its journal where it does not start."""
    if not systemctl("is-active", "--quiet", UNIT, check=False).ok:
        units.start(step, UNIT, "nginx")


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
