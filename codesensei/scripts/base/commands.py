"""Run a system program (apt-get, systemctl, psql); a failure carries its own words."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from codesensei.scripts.base.step import Failure
from codesensei.wire.processes import SYSTEM_PATH
from codesensei.wire.quick import dataclass

# Before a command line: what ends its caller, even by SIGKILL, ends it too, before a next run does the same beside it.
WITH_CALLER = ("setpriv", "--pdeathsig=KILL")

INSTALL = "install its package there; with codesensei:drift: true, pulumi up does it, where one of its own is gone"


@dataclass(frozen=True)
class Result:
    """A program's output; `code` is its exit status."""

    stdout: str
    stderr: str
    code: int

    @property
    def ok(self) -> bool:
        return self.code == 0


def run(
    argv: Sequence[str],
    *,
    input: str | None = None,
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    thing: str = "",
    fix: str = "",
) -> Result:
    """Run `argv` and return its output.

    `timeout` is in seconds. With `check`, an exit status other than 0 raises Failure with `thing` (default: the
    program's name), the exit status and the last lines of its output.
    """
    environment = {"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8", "HOME": "/root", **(env or {})}
    try:
        done = subprocess.run(
            list(argv),
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            timeout=timeout,
            cwd="/",
            check=False,
        )
    except FileNotFoundError:
        raise Failure(thing or argv[0], f"{argv[0]} is not installed on this server", fix or INSTALL) from None
    except subprocess.TimeoutExpired:
        raise Failure(thing or argv[0], f"{argv[0]} did not end within {timeout:.0f} seconds", fix) from None
    if check and done.returncode != 0:
        log = (done.stdout + done.stderr).strip()
        raise Failure(thing or os.path.basename(argv[0]), f"{argv[0]} {how_it_ended(done.returncode)}", fix, log)
    return Result(done.stdout, done.stderr, done.returncode)


def how_it_ended(code: int) -> str:
    """What an exit status other than 0 says, of a program that is named before it."""
    if code >= 0:
        return f"ended with status {code}"
    by_kernel = ", as the kernel does where memory runs out (journalctl -k tells)" if code == -signal.SIGKILL else ""
    return f"was killed by signal {-code}{by_kernel}"


def sync(folder: Path) -> None:
    """Have the disk itself keep what was written beside `folder`, however long that takes.

    Failure where it cannot. A program's files may else be empty after a power cut, though root's note of them is not.
    """
    fix = "look at the server's kernel log (dmesg)"
    run(["sync", "--file-system", str(folder)], thing=f"disk of {folder}", fix=fix)


def as_user(user: str, *argv: str, group: str = "") -> list[str]:
    """The command line that runs `argv` as this user, in no other group than this one (default: its own)."""
    return ["setpriv", f"--reuid={user}", f"--regid={group or user}", "--clear-groups", *argv]


def systemctl(*arguments: str, check: bool = True) -> Result:
    """`systemctl` without pager or prompt; Failure names its arguments, for its own words may name no unit."""
    thing = " ".join(["systemctl", *arguments])
    return run(["systemctl", "--no-pager", "--no-ask-password", *arguments], check=check, thing=thing)
