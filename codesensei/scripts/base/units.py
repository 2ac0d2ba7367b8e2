"""What systemd says of units, and waiting for it."""

from __future__ import annotations

import time
from collections.abc import Callable

from codesensei.scripts.base.commands import run, systemctl


def show(name: str) -> dict[str, str]:
    """What systemd says of a unit."""
    wanted = "ActiveState,SubState,MainPID,NRestarts,Result,UnitFileState,NeedDaemonReload,ExecMainStatus"
    lines = systemctl("show", f"--property={wanted}", name).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def is_active(name: str) -> bool:
    return show(name)["ActiveState"] == "active"


def journal_of(unit: str, since: float) -> str:
    """The unit's journal since a moment (seconds since the epoch)."""
    argv = [
        "journalctl",
        "--no-pager",
        "--quiet",
        f"--unit={unit}",
        # Rounded down: the first words of a unit are the ones that matter.
        f"--since=@{int(since)}",
        "--lines=400",
        "--output=cat",
    ]
    run(["journalctl", "--sync"], check=False)
    return run(argv, check=False).stdout


def wait_until(condition: Callable[[], bool], seconds: float, pause: float = 0.1) -> bool:
    """Wait for `condition()`, at most `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
