"""The first words of a destroy: what they say where nobody can log in, and that the key is nowhere but in an agent."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from codesensei.config.server import ServerConfig
from codesensei.remote import openssh
from codesensei.remote.destroy_check import SCRIPT

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeg8v5YoCtgoPJ83jBCs53tPoFqv/okNt4s5bQHsXEI"
FILE = Path(__file__).parents[2] / SCRIPT


def check(tmp_path: Path, key: str = "", port: int = 22, path: str = "") -> subprocess.CompletedProcess[str]:
    server = ServerConfig.model_validate({"host": "127.0.0.1", "port": port, "hostKey": KEY})
    (tmp_path / "begun").touch()
    environment = {
        "PATH": path or os.environ["PATH"],
        "TMPDIR": str(tmp_path),
        "SERVER": server.host,
        "STACK": "acme/codesensei/prod",
        "SSH_CONFIG": openssh.settings(server, "known_hosts"),
        "KNOWN_HOSTS": openssh.known_hosts(server),
        "NOTE": str(tmp_path / "begun"),
    }
    return subprocess.run(
        ["sh", str(FILE)], input=key, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def key(tmp_path: Path) -> str:
    file = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
    return file.read_text()


@pytest.mark.proves("destroy.server-gone")
def test_a_server_that_is_gone_is_told_with_the_ways_to_go_on(tmp_path: Path, key: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        done = check(tmp_path, key, free.getsockname()[1])
    assert done.returncode == 1
    assert done.stdout.startswith("error: server 127.0.0.1: nothing is removed, for nobody can log in to it: ")
    assert "Connection refused" in done.stdout
    assert "pulumi stack rm --force acme/codesensei/prod" in done.stdout
    assert "set codesensei:server" in done.stdout
    assert len(done.stdout.splitlines()) == 5
    assert key.splitlines()[2] not in done.stdout + done.stderr
    assert (tmp_path / "begun").exists()


def test_the_key_is_in_an_agent_that_ends_and_in_no_file(tmp_path: Path, key: str) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "ssh").write_text(
        '#!/bin/sh\nssh-add -l; echo "$SSH_AGENT_PID"\nprintf "%s\\n" "$@"\ncat known_hosts\nls\n'
        f'grep -rl "$(sed -n 3p {tmp_path}/key)" . ; exit 255\n'
    )
    (programs / "ssh").chmod(0o755)
    (programs / "tail").write_text("#!/bin/sh\ncat\n")
    (programs / "tail").chmod(0o755)
    done = check(tmp_path, key.replace("\n", "\r\n"), path=f"{programs}:{os.environ['PATH']}")
    said = done.stdout.partition("log in to it: ")[2].splitlines()
    assert said[0].endswith("(ED25519)")
    assert said[2:10] == ["-F", "config", "-T", "server", "true", f"server {KEY}", "config", "known_hosts"]
    assert said[10].startswith("fix:"), "the key is in a file"
    deadline = time.monotonic() + 10
    while running(said[1]) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not running(said[1])
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("key")) == ["begun", "bin"]


def running(pid: str) -> bool:
    try:
        # A process that has ended, and that nobody has waited for, has no command line.
        return Path("/proc", pid, "cmdline").read_bytes() != b""
    except OSError:
        return False


def test_a_server_that_answers_needs_no_words(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "ssh").write_text("#!/bin/sh\nexit 0\n")
    (programs / "ssh").chmod(0o755)
    done = check(tmp_path, path=f"{programs}:{os.environ['PATH']}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (tmp_path / "begun").exists()
