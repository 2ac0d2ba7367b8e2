"""The agent of a run: real OpenSSH, its end with the program, and two runs at once."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codesensei.remote import RemoteError
from codesensei.remote.agent import Agent, start_agent

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("ssh-agent"), reason="needs OpenSSH's client"),
]

# Starts an agent as the program does, says so, and lives until it is told to end.
PROGRAM = """
import sys
from codesensei.remote.agent import start_agent
start_agent(sys.argv[1], open(sys.argv[2]).read())
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return tmp_path


@pytest.fixture
def key(here: Path) -> Path:
    return make_key(here / "key")


def make_key(path: Path, passphrase: str = "") -> Path:
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", path.name, "-f", str(path)]
    subprocess.run(words, check=True)
    return path


@pytest.fixture
def program(here: Path, key: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []

    def start(stack: str = "prod", with_key: Path = key) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, stack, str(with_key)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        running.append(process)
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def keys_at(path: str) -> list[str]:
    """Comments of the keys of the agent behind a socket; nothing where none answers."""
    done = subprocess.run(
        ["ssh-add", "-L"], env={**os.environ, "SSH_AUTH_SOCK": path}, capture_output=True, text=True, check=False
    )
    return [line.split()[0] for line in done.stdout.splitlines()] if done.returncode == 0 else []


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def sockets(folder: Path) -> list[Path]:
    return sorted((folder / ".codesensei" / "prod").glob("agent-*.sock"))


def test_the_key_is_in_the_agent_and_nowhere_else(here: Path, key: Path, program: Callable[..., object]) -> None:
    program()
    assert keys_at(".codesensei/prod/agent.sock") == ["ssh-ed25519"]
    body = key.read_text().splitlines()[1]
    files = [it for it in (here / ".codesensei").rglob("*") if it.is_file()]
    assert not [it for it in files if body in it.read_text(errors="replace")]
    lines = [it.read_bytes() for it in Path("/proc").glob("[0-9]*/cmdline") if os.access(it, os.R_OK)]
    assert not [line for line in lines if body.encode() in line]
    assert (here / ".codesensei" / "prod").stat().st_mode & 0o077 == 0


def test_the_path_is_relative_and_the_same_in_every_run(here: Path, key: Path) -> None:
    text = key.read_text()
    assert start_agent("prod", text) == start_agent("prod", text) == Agent(".codesensei/prod/agent.sock", True)
    long = start_agent("x" * 100, text).socket
    assert len(long) < 80
    assert keys_at(long) == ["ssh-ed25519"]


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_the_program_however_that_ends(
    end: signal.Signals, here: Path, program: Callable[..., subprocess.Popen[str]]
) -> None:
    process = program()
    (own,) = sockets(here)
    process.send_signal(end)
    assert wait_for(lambda: not answers(own) and not own.exists())


def test_a_terminal_s_interrupt_does_not_end_it(here: Path, program: Callable[..., subprocess.Popen[str]]) -> None:
    """Ctrl-C goes to the terminal's process group; the engine still needs the agent until it has finished."""
    process = program()
    (own,) = sockets(here)
    agents = subprocess.run(["pgrep", "-f", str(own.relative_to(here))], capture_output=True, text=True, check=True)
    groups = {os.getpgid(int(pid)) for pid in agents.stdout.split()}
    assert groups
    assert os.getpgid(process.pid) not in groups


def test_a_run_that_ends_hands_over_to_one_that_goes_on(
    here: Path, program: Callable[..., subprocess.Popen[str]]
) -> None:
    first = program()
    second = program()
    path = ".codesensei/prod/agent.sock"
    assert len(sockets(here)) == 2
    assert keys_at(path) == ["ssh-ed25519"]
    second.kill()
    assert wait_for(lambda: len(sockets(here)) == 1)
    assert wait_for(lambda: keys_at(path) == ["ssh-ed25519"])
    third = program()
    first.kill()
    assert wait_for(lambda: len(sockets(here)) == 1)
    assert keys_at(path) == ["ssh-ed25519"]
    third.kill()
    assert wait_for(lambda: not sockets(here))
    assert keys_at(path) == []


def test_what_a_killed_agent_left_is_no_hindrance(here: Path, program: Callable[..., subprocess.Popen[str]]) -> None:
    folder = here / ".codesensei" / "prod"
    folder.mkdir(parents=True)
    stale = folder / "agent-00000000.sock"
    with socket.socket(socket.AF_UNIX) as left:
        # Relative, because an absolute path below a long temporary directory is too long for a socket.
        left.bind(str(stale.relative_to(here)))
    (folder / "agent.sock").symlink_to(stale.name)
    program()
    assert not stale.exists()
    assert keys_at(".codesensei/prod/agent.sock") == ["ssh-ed25519"]


@pytest.mark.proves("config.ssh-key")
def test_without_a_key_the_operator_s_agent_serves(
    here: Path, key: Path, program: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    program("operator")
    monkeypatch.setenv("SSH_AUTH_SOCK", ".codesensei/operator/agent.sock")
    assert start_agent("prod", None) == Agent(".codesensei/prod/agent.sock", True)
    assert keys_at(".codesensei/prod/agent.sock") == ["ssh-ed25519"]


def test_without_any_agent_there_is_none(here: Path) -> None:
    assert start_agent("prod", None) == Agent(".codesensei/prod/agent.sock", False)


def test_windows_line_ends_and_a_missing_last_newline_are_no_hindrance(here: Path, key: Path) -> None:
    start_agent("prod", key.read_text().replace("\n", "\r\n").rstrip())
    assert keys_at(".codesensei/prod/agent.sock") == ["ssh-ed25519"]


def test_a_key_with_a_passphrase_is_refused_without_asking(here: Path) -> None:
    text = make_key(here / "locked", "a long passphrase").read_text()
    with pytest.raises(RemoteError, match="has a passphrase, which nobody can type") as caught:
        start_agent("prod", text)
    assert text.splitlines()[1] not in str(caught.value)


def test_what_is_no_key_is_refused_without_being_shown(here: Path, key: Path) -> None:
    broken = key.read_text().replace(key.read_text().splitlines()[2], "AAAAcanaryAAAA")
    with pytest.raises(RemoteError, match="OpenSSH does not take it") as caught:
        start_agent("prod", broken)
    assert "canary" not in str(caught.value)


def test_a_machine_without_openssh_is_told_so(here: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(here))
    with pytest.raises(RemoteError, match="apt-get install openssh-client"):
        start_agent("prod", key.read_text())
