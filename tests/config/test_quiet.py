"""The program that the engine interrupts ends without a word."""

from __future__ import annotations

import signal
import subprocess
import sys

PROGRAM = """
import sys
from codesensei.quiet import stop_quietly_on_interrupt
if sys.argv[1] == "quiet":
    stop_quietly_on_interrupt()
print("ready", flush=True)
sys.stdin.read()
"""


def interrupted(how: str) -> tuple[int, str]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=30)
        return program.returncode, errors


def test_an_interrupt_is_quiet() -> None:
    assert interrupted("quiet") == (32, "")


def test_without_it_there_is_a_traceback() -> None:
    code, errors = interrupted("loud")
    assert code != 32
    assert "KeyboardInterrupt" in errors
