"""What the demo writes and refuses before it reaches a server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from codesensei.config import validate
from tools import setup
from tools.demo import server, stack
from tools.demo.__main__ import try_next
from tools.demo.errors import DemoError
from tools.demo.history import Commit, History
from tools.demo.places import CHECKOUT, STACK_FILE, STATE
from tools.demo.process import Runner
from tools.demo.server import Target

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeg8v5YoCtgoPJ83jBCs53tPoFqv/okNt4s5bQHsXEI"
TARGET = Target("198.18.3.10", 22, "root", HOST_KEY, "", sandbox=True)
COMMITS = tuple(Commit(digit * 40, f"Commit {digit}") for digit in "abc")
HISTORY = History(Path("/tmp/with space/it's"), COMMITS, Commit("d" * 40, "Broken"))


def test_the_stack_file_is_one_that_the_program_accepts() -> None:
    raw = yaml.safe_load(stack.stack_text(TARGET, HISTORY))["config"]
    config = validate({key.removeprefix("codesensei:"): value for key, value in raw.items()})
    assert config.server.host == "198.18.3.10"
    assert config.project.source.revision == "a" * 40
    assert dict(config.env)["DJANGO_ALLOWED_HOSTS"] == "198.18.3.10"
    assert config.on_destroy.database == "drop"


def test_the_stack_file_and_the_state_are_ignored_by_git() -> None:
    command = ["git", "check-ignore", str(STACK_FILE), str(STATE / "x")]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert len(done.stdout.splitlines()) == 2


def test_what_to_try_next_names_the_commits_in_their_order() -> None:
    text = try_next(TARGET, HISTORY)
    places = [text.index(letter * 40) for letter in "bda"]
    assert places == sorted(places)
    assert "make sandbox-ssh NAME=demo" in text
    real = try_next(Target("h.example", 2222, "admin", HOST_KEY, "", sandbox=False), HISTORY)
    assert "ssh admin@h.example -p 2222" in real


@pytest.mark.parametrize("text", ["host", "root@", "@host", "root@host:port", "root@-o:x y", "a b@host"])
def test_a_server_is_named_in_one_form(text: str) -> None:
    with pytest.raises(DemoError, match="user@host"):
        server.named_server(text)


def test_a_server_that_is_named_needs_an_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(DemoError, match="ssh-add"):
        server.named_server("root@host.example")


def test_a_host_key_that_nobody_confirms_stops_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/nonexistent")
    monkeypatch.delenv("HOST_KEY", raising=False)
    monkeypatch.setattr(server, "known_host_key", lambda host, port: "")
    monkeypatch.setattr(server, "scan", lambda host, port: HOST_KEY)
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115  # pytest closes it with the process
    with pytest.raises(DemoError, match="HOST_KEY='ssh-ed25519"):
        server.named_server("root@host.example")
    monkeypatch.setenv("HOST_KEY", HOST_KEY)
    assert server.named_server("admin@host.example:2222") == Target(
        "host.example", 2222, "admin", HOST_KEY, "", sandbox=False
    )


def test_the_strongest_host_key_is_taken() -> None:
    keys = [["ssh-rsa", "R"], ["ecdsa-sha2-nistp256", "E"], ["ssh-ed25519", "D"]]
    assert server.best_key(keys) == "ssh-ed25519 D"
    assert server.best_key(keys[:2]) == "ecdsa-sha2-nistp256 E"
    assert server.best_key([]) == ""


def test_a_program_that_fails_shows_the_end_of_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print(*range(100), sep='\\n'); raise SystemExit(3)"]
    with pytest.raises(DemoError) as caught:
        Runner(tmp_path).run("step", command, 30)
    text = str(caught.value)
    assert "step failed" in text
    assert "  99" in text
    assert "  50\n" not in text
    assert str(tmp_path / "step.log") in text
    assert (tmp_path / "step.log").read_text().startswith("0\n")


@pytest.mark.slow
def test_a_program_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(DemoError, match=r"did not end within 0\.5 s"):
        Runner(tmp_path).run("slow", ["sh", "-c", "sleep 60 & sleep 60"], 0.5)
    assert time.monotonic() - started < 30


def test_an_environment_for_development_serves_the_program_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[list[str]] = []
    venv = tmp_path / ".venv"

    def run(command: list[str], seconds: float, environment: dict[str, str] | None = None) -> None:
        made.append(command)
        (venv / "bin").mkdir(parents=True, exist_ok=True)
        (venv / "bin" / "python").touch()

    monkeypatch.setattr(setup, "VENV", venv)
    monkeypatch.setattr(setup, "STAMP", venv / ".requirements")
    monkeypatch.setattr(setup, "run", run)
    assert setup.make_environment(program_only=True)
    assert made[-1][-1].endswith("requirements.txt")
    assert not setup.make_environment(program_only=True)
    assert setup.make_environment(program_only=False)
    assert made[-1][-1].endswith("requirements-dev.txt")
    assert not setup.make_environment(program_only=True)
    assert not setup.make_environment(program_only=False)
    assert len(made) == 4
