"""A person at a terminal of the server: waits for each question, then types the answer."""

from __future__ import annotations

import os
import select
import subprocess
import time

from tools.sandbox import Server

SECONDS = 90.0


class TerminalError(AssertionError):
    """The program asked something else, or did not end well."""


def dialog(server: Server, command: str, answers: list[tuple[str, str]]) -> str:
    """Run `command` on a terminal over ssh, give each answer when its question has come; returns what was shown."""
    ssh, *rest = server.ssh_argv()
    return converse([ssh, "-tt", *rest, "--", command], answers)


def converse(argv: list[str], answers: list[tuple[str, str]]) -> str:
    """Run a program, give each answer when its question has come; returns what was shown."""
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdin is not None
    shown, deadline = "", time.monotonic() + SECONDS
    try:
        for question, answer in answers:
            start = len(shown)
            while question not in shown[start:]:
                shown += _more(process, deadline, f"waiting for {question!r} in:\n{shown}")
            process.stdin.write(f"{answer}\n".encode())
            process.stdin.flush()
        while text := _more(process, deadline, f"waiting for the end of:\n{shown}", at_end=True):
            shown += text
        if process.wait(SECONDS) != 0:
            raise TerminalError(f"{argv[-1]} ended with {process.returncode}:\n{shown}")
        return shown
    finally:
        process.kill()
        process.wait()


def _more(process: subprocess.Popen[bytes], deadline: float, waiting: str, *, at_end: bool = False) -> str:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
    data = os.read(process.stdout.fileno(), 65536) if ready else b""
    if not ready or (not data and not at_end):
        raise TerminalError(f"the program {'ended' if ready else 'was silent'}, {waiting}")
    return data.decode(errors="replace")
