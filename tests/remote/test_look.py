"""The look: what OpenSSH is told, and what becomes of each answer."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pulumi
import pytest

from codesensei.remote import Look, RemoteError, reach
from codesensei.remote import look as module
from codesensei.remote.look import look_at
from codesensei.spec.server import Jump, Server

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeg8v5YoCtgoPJ83jBCs53tPoFqv/okNt4s5bQHsXEI"
JUMP_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGfV1Y9vDYk9zS3yBmtJxzM7rJ9xkzTzKb7rX0L2pXyZ"
SERVER = Server.model_validate({"host": "203.0.113.7", "port": 2222, "user": "admin", "hostKey": KEY})
RUN = "/usr/local/lib/codesensei/shop/run"
ANSWER: dict[str, Any] = {
    "server": True,
    "identity": "an-identity",
    "steps": {
        "claim": {"mend": 9, "applied": "c" * 64, "history": ["c" * 64], "drift": []},
        "switch": {
            "mend": 0,
            "applied": "a" * 64,
            "history": ["b" * 64, "a" * 64],
            "drift": ["/etc/x was changed by hand", "shop.service is inactive"],
        },
    },
}


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An `ssh` that keeps what it was given, and says what a test wants it to say."""
    programs = tmp_path / "bin"
    programs.mkdir()

    def says(out: str = "", err: str = "", code: int = 0, seconds: float = 0) -> Path:
        (tmp_path / "out").write_text(out)
        (tmp_path / "err").write_text(err)
        script = programs / "ssh"
        script.write_text(
            f'#!/bin/sh\ncd {tmp_path}\nprintf "%s\\n" "$@" >arguments\n'
            'cp "$2" config\ncp "$(dirname "$2")/known_hosts" known\n'
            f'printf "%s" "$SSH_AUTH_SOCK" >agent\nsleep {seconds}\ncat out\ncat err >&2\nexit {code}\n'
        )
        script.chmod(0o755)
        return tmp_path

    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return says


def test_the_server_s_answer_becomes_numbers_and_warnings(ssh: Any) -> None:
    ssh(out="a banner\n" + json.dumps(ANSWER) + "\n")
    look = look_at(SERVER, "agent.sock", "", RUN)
    assert (look.reachable, look.blank, look.generation) == (True, False, 9)
    assert look.mend("switch", "a" * 64) == 1
    assert look.warnings == (
        "203.0.113.7: /etc/x was changed by hand (step switch); pulumi up mends it",
        "203.0.113.7: shop.service is inactive (step switch); pulumi up mends it",
    )


def test_a_server_without_a_toolkit_is_blank(ssh: Any) -> None:
    ssh(out="{}\n")
    before = int(time.time())
    look = look_at(SERVER, "agent.sock", "", RUN)
    assert look.blank
    assert look.mend("build", "a" * 64) == look.generation == look.fresh
    assert before <= look.fresh <= time.time()


@pytest.mark.parametrize("answer", ["", "Traceback\n", '{"steps": {"build": {}}}', "[1]", '{"steps": 3}'])
def test_an_answer_that_means_nothing_runs_every_step_again(answer: str, ssh: Any) -> None:
    """A fault in what is installed must not keep its mended version from being brought."""
    ssh(out=answer, err="Traceback (most recent call last):", code=1)
    look = look_at(SERVER, "agent.sock", "", RUN)
    assert look.reachable
    assert look.mend("build", "a" * 64) == look.fresh > 0
    assert "every step runs again" in look.warnings[0]


@pytest.mark.proves("preflight.reachable")
@pytest.mark.parametrize(
    ("said", "cause", "cure"),
    [
        ("Host key verification failed.", "its host key is not the one", "if the machine is a new one"),
        ("No ED25519 host key is known for server and you have requested strict checking.", "its host key", "compare"),
        ("admin@203.0.113.7: Permission denied (publickey).", "does not accept the key for admin", "~admin/.ssh"),
        ("ssh: Could not resolve hostname x: Name or service not known", "cannot be resolved", "server.host"),
        ("ssh: connect to host x port 2222: Connection refused", "nothing listens on port 2222", "start sshd"),
        ("ssh: connect to host x port 2222: Connection timed out", "does not answer on port 2222", "firewall"),
        ("something new", "it cannot be reached: something new", "ssh -p 2222 admin@203.0.113.7"),
        ("", "it cannot be reached: ssh said nothing", "by hand"),
    ],
)
def test_why_a_server_cannot_be_reached(said: str, cause: str, cure: str, ssh: Any) -> None:
    ssh(err=said, code=255)
    with pytest.raises(RemoteError) as caught:
        look_at(SERVER, "agent.sock", "", RUN)
    assert caught.value.thing == "server 203.0.113.7"
    assert cause in caught.value.cause
    assert cure in caught.value.cure


@pytest.mark.proves("config.server.user")
def test_a_user_without_sudo_is_told_so(ssh: Any) -> None:
    ssh(err="sudo: a password is required\n", code=1)
    with pytest.raises(RemoteError, match="admin may not use sudo without a password"):
        look_at(SERVER, "agent.sock", "sudo -n ", RUN)


def test_a_look_is_bounded(ssh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.3)
    ssh(seconds=30)
    started = time.monotonic()
    with pytest.raises(RemoteError, match="did not answer within"):
        look_at(SERVER, "agent.sock", "", RUN)
    assert time.monotonic() - started < 5


def test_a_look_only_asks(ssh: Any) -> None:
    folder = ssh(out="{}")
    look_at(SERVER, "agent.sock", "sudo -n ", RUN)
    command = (folder / "arguments").read_text().splitlines()[-1]
    assert command == f"sudo -n sh -c 'if [ -x {RUN} ]; then exec {RUN} look; else echo \"{{}}\"; fi'"
    assert (folder / "agent").read_text() == "agent.sock"


@pytest.mark.proves("config.server.proxy", "config.server.host-key")
def test_openssh_reads_the_settings_as_they_are_meant(ssh: Any) -> None:
    jump = Jump.model_validate({"host": "203.0.113.1", "user": "jump", "hostKey": JUMP_KEY})
    folder = ssh(out="{}")
    look_at(SERVER.model_copy(update={"proxy": jump}), "agent.sock", "", RUN)
    assert (folder / "known").read_text() == f"server {KEY}\njump {JUMP_KEY}\n"
    read = {name: _openssh(folder / "config", name) for name in ("server", "jump")}
    expected = {
        "server": {"hostname": "203.0.113.7", "port": "2222", "user": "admin", "proxyjump": "jump"},
        "jump": {"hostname": "203.0.113.1", "port": "22", "user": "jump"},
    }
    for name, settings in read.items():
        assert settings == {
            **settings,
            **expected[name],
            "hostkeyalias": name,
            "hostkeyalgorithms": "ssh-ed25519",
            "stricthostkeychecking": "true",
            "globalknownhostsfile": "none",
            "batchmode": "yes",
            "connecttimeout": "5",
            "identityfile": "none",
            "preferredauthentications": "publickey",
            "clearallforwardings": "yes",
        }
    assert "proxyjump" not in read["jump"]


def _openssh(config: Path, name: str) -> dict[str, str]:
    # The real one: the stand-in comes first on this test's PATH.
    done = subprocess.run(["/usr/bin/ssh", "-F", str(config), "-G", name], capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the program tells the engine, and whether this is a preview."""
    told: dict[str, Any] = {"warnings": [], "preview": True}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    monkeypatch.setattr(pulumi, "get_stack", lambda: "prod")
    monkeypatch.setattr(pulumi, "warn", told["warnings"].append)
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: told["preview"])
    return told


def test_a_preview_goes_on_without_the_server_and_an_update_does_not(ssh: Any, engine: dict[str, Any]) -> None:
    ssh(err="ssh: connect to host x port 2222: Connection refused", code=255)
    access = reach(SERVER, slug="shop", drift=True, private_key=None)
    assert access.look == Look.unreachable()
    (warning,) = engine["warnings"]
    assert "nothing listens on port 2222" in warning
    engine["preview"] = False
    with pytest.raises(RemoteError, match="nothing listens on port 2222"):
        reach(SERVER, slug="shop", drift=True, private_key=None)


def test_without_a_key_and_an_agent_it_is_the_same(
    ssh: Any, engine: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK")
    assert reach(SERVER, slug="shop", drift=False, private_key=None).look == Look.unreachable()
    assert "no SSH agent is running" in engine["warnings"][0]
    engine["preview"] = False
    with pytest.raises(RemoteError, match="no SSH agent is running"):
        reach(SERVER, slug="shop", drift=False, private_key=None)


@pytest.mark.proves("config.drift")
def test_without_drift_nobody_connects(ssh: Any, engine: dict[str, Any]) -> None:
    folder = ssh(out=json.dumps(ANSWER))
    assert reach(SERVER, slug="shop", drift=False, private_key=None).look == Look.off()
    assert not (folder / "arguments").exists()
    assert reach(SERVER, slug="shop", drift=True, private_key=None).look.mend("switch", "a" * 64) == 1
    assert len(engine["warnings"]) == 2
