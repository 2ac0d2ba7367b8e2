"""Run a program of this machine and turn its failure into one readable sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.sandbox.errors import SandboxError

TAIL_LINES = 12


def say(text: str) -> None:
    """Tell the user what happens now; standard output stays free for results."""
    print(f"sandbox: {text}", file=sys.stderr, flush=True)


def tail(text: str, lines: int = TAIL_LINES) -> str:
    """The last lines of a program's output, enough to see why it failed."""
    return "\n".join(text.strip().splitlines()[-lines:])


def execute(
    argv: Sequence[str],
    *,
    check: bool = True,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 60.0,
) -> subprocess.CompletedProcess[str]:
    """Run `argv` and capture its output as text.

    `timeout` is in seconds. Raises SandboxError when the program is missing, takes too long or, with
    `check`, when it exits with anything but 0.
    """
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            env=None if env is None else dict(env),
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError:
        raise SandboxError(f"{argv[0]} is not installed on this machine.") from None
    except subprocess.TimeoutExpired:
        raise SandboxError(f"`{' '.join(argv)}` did not end within {timeout:g} s.") from None
    if check and done.returncode != 0:
        raise SandboxError(
            f"`{' '.join(argv)}` failed with exit code {done.returncode}:\n{tail(done.stderr or done.stdout)}"
        )
    return done


def execute_to_log(argv: Sequence[str], log: Path, *, env: Mapping[str, str], timeout: float) -> None:
    """Run a long program with its output in `log`; raise SandboxError with the end of it when it fails."""
    with log.open("ab") as sink:
        try:
            code = subprocess.run(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=dict(env),
                timeout=timeout,
                check=False,
            ).returncode
        except FileNotFoundError:
            raise SandboxError(f"{argv[0]} is not installed on this machine.") from None
        except subprocess.TimeoutExpired:
            raise SandboxError(f"{argv[0]} did not end within {timeout:g} s; see {log}.") from None
    if code != 0:
        end = tail(log.read_text(encoding="utf-8", errors="replace"))
        raise SandboxError(f"{argv[0]} failed with exit code {code}; the end of {log}:\n{end}")


def write_json(path: Path, content: object) -> None:
    """Write a small JSON file so that a reader sees the old or the new one."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(json.dumps(content, indent=1))
    aside.replace(path)
