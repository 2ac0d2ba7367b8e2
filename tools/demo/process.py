"""Run programs with a time limit and a log file."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.demo.errors import DemoError
from tools.demo.places import CHECKOUT, shown

TAIL_LINES = 30
PATIENCE_SECONDS = 60.0


class Runner:
    """Runs programs, several at a time if need be, and can end them all."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: set[subprocess.Popen[str]] = set()

    def run(
        self,
        name: str,
        command: list[str],
        seconds: float,
        environment: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> str:
        """Run a program to its end, with its output in the log `name`.log, and return that output.

        `seconds` is the time limit; `on_line` is told each line as it comes. Raises DemoError, with the end of the
        log, when the program fails or takes longer.
        """
        log = self._logs / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        lines: list[str] = []
        with (
            log.open("w") as file,
            subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            ) as process,
        ):
            self._running.add(process)
            late = threading.Event()
            timer = threading.Timer(seconds, _end_late, (process, late))
            timer.daemon = True
            timer.start()
            try:
                for line in process.stdout or ():
                    file.write(line)
                    file.flush()
                    lines.append(line)
                    if on_line is not None:
                        on_line(line.rstrip("\n"))
                process.wait()
            except BaseException:
                end(process)
                raise
            finally:
                timer.cancel()
                self._running.discard(process)
        if late.is_set():
            raise failure(f"{name} did not end within {seconds:g} s", lines, log)
        if process.returncode:
            raise failure(f"{name} failed", lines, log)
        return "".join(lines)

    def stop(self) -> None:
        """End all programs that still run."""
        for process in list(self._running):
            end(process)


def failure(what: str, lines: list[str], log: Path) -> DemoError:
    """The error for a program that failed: the end of its output and where all of it is."""
    tail = "".join(f"  {line}" for line in lines[-TAIL_LINES:]).rstrip("\n")
    return DemoError(f"{what}:\n{tail}\nAll of its output: {shown(log)}")


def end(process: subprocess.Popen[str]) -> None:
    """Ask a program and its children to stop, as Ctrl-C does; after a minute they are killed."""
    _signal(process, signal.SIGINT)
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGKILL)


def _end_late(process: subprocess.Popen[str], late: threading.Event) -> None:
    late.set()
    end(process)
    # What a program leaves behind may keep its output open, and the reader waiting.
    _signal(process, signal.SIGKILL)


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
