"""The end of a worker whose line a shell runs: its commands are told, and finish."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codesensei.render import units

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).parents[2] / "codesensei/programs/stop_worker.sh"
# Writes what happens to it, and needs a moment to end.
COMMAND = """
import signal, sys, time
def end(*_):
    print("told", flush=True)
    time.sleep(0.3)
    print("ended", flush=True)
    sys.exit()
signal.signal(signal.Signals[sys.argv[1]] if len(sys.argv) > 1 else signal.SIGTERM, end)
print("begun", flush=True)
time.sleep(60)
"""
Start = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """A function that runs a worker's line as its unit does, once its command has begun."""
    (tmp_path / "work.py").write_text(COMMAND)
    started = []

    def run(line: str) -> subprocess.Popen[str]:
        (tmp_path / "line.sh").write_text(line.replace("WORK", f"{sys.executable} {tmp_path}/work.py"))
        process = subprocess.Popen(
            ["/bin/bash", "-c", units.RUN_FILE, str(tmp_path / "line.sh")],
            stdin=subprocess.DEVNULL,
            stdout=(tmp_path / "said").open("w"),
            text=True,
            cwd=tmp_path,
            start_new_session=True,
        )
        started.append(process)
        while "begun" not in said(tmp_path):
            assert process.poll() is None
        return process

    yield run
    for process in started:
        subprocess.run(["pkill", "-KILL", "-s", str(process.pid)], check=False)
        process.wait()


def said(place: Path) -> str:
    return "".join(path.read_text() for path in (place / "said", place / "file") if path.exists())


@pytest.mark.proves("workers.drain")
@pytest.mark.parametrize(
    "line",
    [
        "while true; do WORK; done",
        "WORK; echo after",
        "WORK | cat",
        "WORK 2>&1 | tee file > /dev/null",
        "(cd / && WORK); true",
        "bash -c 'WORK; true'; true",
        "WORK & wait",
        "while true; do WORK | while read -r word; do echo $word; done; done",
    ],
)
def test_the_commands_of_a_shell_finish_and_none_begins(start: Start, tmp_path: Path, line: str) -> None:
    process = start(line)
    subprocess.run(["bash", str(PROGRAM), str(process.pid)], check=True, timeout=20)
    assert said(tmp_path).split() == ["begun", "told", "ended"]


@pytest.mark.proves("workers.stop-signal", "workers.drain")
@pytest.mark.parametrize(
    "line",
    [
        "while true; do WORK SIGINT; done",
        "WORK SIGINT & wait",
        "WORK SIGTERM & wait",
        "trap 'kill -INT $!; wait' TERM; WORK SIGINT & wait",
    ],
)
def test_the_commands_of_a_shell_get_the_units_signal(start: Start, tmp_path: Path, line: str) -> None:
    process = start(line)
    subprocess.run(["bash", str(PROGRAM), "-s", "SIGINT", str(process.pid)], check=True, timeout=20)
    assert said(tmp_path).split() == ["begun", "told", "ended"]
    # As systemd does after that: nothing begins again.
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    process.wait(10)
    assert said(tmp_path).split() == ["begun", "told", "ended"]


def test_a_single_command_and_a_trap_are_left_to_systemd(start: Start, tmp_path: Path) -> None:
    for line in ("WORK", "trap 'echo trapped' TERM; WORK; true"):
        process = start(line)
        subprocess.run(["bash", str(PROGRAM), str(process.pid)], check=True, timeout=20)
        assert said(tmp_path).split() == ["begun"]


def test_a_worker_that_has_ended_by_itself_is_no_error() -> None:
    for given in ([], ["-s", "SIGINT"]):
        assert subprocess.run(["bash", str(PROGRAM), *given], check=False).returncode == 0
