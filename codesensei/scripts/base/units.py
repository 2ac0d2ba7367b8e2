"""What systemd says of units, and waiting for it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Collection

from codesensei.scripts.base.commands import run, systemctl
from codesensei.scripts.base.step import Failure, Step
from codesensei.wire import paths
from codesensei.wire.quick import dataclass

# In the order of UnitState's fields.
_PROPERTIES = (
    "ActiveState SubState UnitFileState MainPID InvocationID NRestarts Result ExecMainStatus"
    " ActiveEnterTimestampMonotonic DropInPaths"
).split()


@dataclass(frozen=True)
class UnitState:
    """One unit, in systemd's own words. `invocation` changes with each start."""

    active: str = ""
    sub: str = ""
    file: str = ""
    main_pid: str = ""
    invocation: str = ""
    restarts: str = ""
    result: str = ""
    exit_status: str = ""
    active_enter: str = ""
    drop_ins: str = ""

    @property
    def active_since(self) -> float:
        """When it last became active, in seconds of the monotonic clock; 0 where it never did."""
        return int(self.active_enter or 0) / 1e6

    @property
    def described(self) -> str:
        """What it does now, and how it ended where that was no success: `failed (exit-code, status 1)`."""
        if self.active == "failed":
            return f"failed ({self.result}, status {self.exit_status})"
        return f"{self.active} ({self.sub})" if self.sub else self.active

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it runs any more, or ever did."""
        return self.active in ("inactive", "failed")


def show(name: str) -> UnitState:
    """What systemd says of a unit; one that it does not know is inactive."""
    return show_all([name])[name]


def show_all(names: Collection[str]) -> dict[str, UnitState]:
    """The same of several units, asked at once."""
    if not names:
        return {}
    said = systemctl("show", f"--property={','.join(_PROPERTIES)}", *names).stdout
    # In the order of the question, with an empty line between two units.
    parts = (dict(line.split("=", 1) for line in part.splitlines() if "=" in line) for part in said.split("\n\n"))
    states = [UnitState(*(found.get(name, "") for name in _PROPERTIES)) for found in parts]
    return dict(zip(names, states, strict=True))


def read_again(names: Collection[str], *, enabled: bool = False) -> None:
    """Have systemd read all files again where it knows these units otherwise than theirs say, or not as `enabled`.

    It reads what it does not know yet when it is asked, and a reload makes it read every unit of the server.
    """
    said = systemctl("show", "--property=NeedDaemonReload,UnitFileState", *names).stdout
    states = re.findall(r"^UnitFileState=(.*)$", said, re.MULTILINE)
    if "NeedDaemonReload=yes" in said or (enabled and set(states) != {"enabled"}):
        systemctl("daemon-reload")


def is_active(name: str) -> bool:
    return show(name).active == "active"


def amiss(name: str) -> list[str]:
    """How a unit that the server needs is not as it should be: it does not run, or would not after a reboot."""
    state = show(name)
    if state.has_ended:
        return [f"{name} is {state.active}"]
    return [f"{name} is {state.file}"] if state.file in ("disabled", "masked") else []


def is_left_behind(state: UnitState) -> bool:
    """Whether its main process works in a folder that is gone."""
    try:
        # So the kernel marks it.
        return os.readlink(paths.SERVER.processes / state.main_pid / "cwd").endswith(" (deleted)")
    except OSError:
        return False


def restart_socket(name: str) -> None:
    """Let a socket listen as its file says now; its service is stopped, because a socket cannot start under one."""
    systemctl("stop", name.replace(".socket", ".service"), check=False)
    systemctl("restart", name)


def ensure_running(step: Step[object], unit: str, name: str, *, check: bool = True) -> None:
    """Enable and start a unit that is not; with `check`, Failure with its journal where it does not start."""
    if not systemctl("is-enabled", "--quiet", unit, check=False).ok:
        systemctl("enable", "--quiet", unit)
        step.changed(f"{name} enabled")
    if not systemctl("is-active", "--quiet", unit, check=False).ok:
        if not systemctl("start", unit, check=False).ok and check:
            raise Failure(name, "it does not start", f"on the server: systemctl status {unit}", last_words(unit))
        step.changed(f"{name} started")


def last_words(unit: str) -> str:
    """The end of the unit's journal."""
    return run(["journalctl", "-u", unit, "-n", "20", "--no-pager", "-o", "cat"], check=False).stdout


def journal_of(unit: str, since: float, *, sync: bool = True) -> str:
    """The unit's journal since a moment (seconds since the epoch); without `sync` its last words may be lacking."""
    if sync:
        run(["journalctl", "--sync"], check=False)
    # Rounded down: the first words of a unit are the ones that matter.
    part = [f"--unit={unit}", f"--since=@{int(since)}", "--lines=400"]
    return run(["journalctl", "--no-pager", "--quiet", *part, "--output=cat"], check=False).stdout


def wait_until(condition: Callable[[], bool], seconds: float, pause: float = 0.1) -> bool:
    """Wait for `condition()`, at most `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
