"""The ways to a server: by name, by IPv6, on another port, over a jump host, with a key or with an agent."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.host.debians import each_debian
from tools.sandbox import Relay, Sandbox, Server
from tools.trials.stack import Run, Stack

pytestmark = pytest.mark.host

STEPS = 12
ANOTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeg8v5YoCtgoPJ83jBCs53tPoFqv/okNt4s5bQHsXEI"


def peers(stack: Stack) -> set[str]:
    """From which addresses somebody has logged in since the boot."""
    command = "journalctl --sync; journalctl -q -b -o cat -t sshd -t sshd-session | grep 'Accepted publickey'"
    return {line.split()[5] for line in stack.server.console(command).stdout.splitlines()}


def reach_by(stack: Stack, **values: object) -> Run:
    """Change how the server is reached, and deploy: every step runs once and finds all done, nothing restarts."""
    with stack.editing() as config:
        config["codesensei:server"] |= values
    before = stack.processes()
    done = stack.up()
    assert stack.processes() == before
    assert "started" not in done.output
    assert sum(" unchanged" in line for line in done.output.splitlines()) >= STEPS - 2
    stack.up_without_changes()
    return done


@pytest.mark.full
@each_debian(13)
def test_a_name_another_port_and_ipv6(stack: Stack) -> None:
    with Relay(stack.server.host, stack.server.port) as relay:
        reach_by(stack, host="localhost", port=relay.port)
    reach_by(stack, host=stack.server.host6, port=22)
    assert any(":" in peer for peer in peers(stack))
    stack.set("env.GREETING", "Good evening")
    stack.up()
    assert stack.site.greets("Good evening")
    stack.destroy()


@pytest.fixture
def jump(sandbox: Sandbox) -> Iterator[Server]:
    """A second server, over which the first one is reached."""
    server = sandbox.up("jump", 13)
    yield server
    server.down()


@contextmanager
def agent(key: Path) -> Iterator[str]:
    """An agent of the operator's own, with this key in it."""
    said = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
    socket, pid = (part.split("=")[1] for part in said.split(";") if "=" in part)
    try:
        subprocess.run(["ssh-add", "-q", str(key)], env={**os.environ, "SSH_AUTH_SOCK": socket}, check=True)
        yield socket
    finally:
        os.kill(int(pid), 15)


@pytest.mark.proves("config.server.proxy", "config.server.host-key", "config.ssh-key")
@each_debian(12)
def test_a_jump_host_with_a_key_and_with_an_agent(stack: Stack, jump: Server) -> None:
    reach_by(stack, proxy={"host": jump.host, "hostKey": jump.host_key})
    assert jump.host in peers(stack)
    logins = stack.logins()
    with agent(stack.server.private_key_path) as socket:
        stack.pulumi("config", "rm", "codesensei:sshPrivateKey")
        stack.agent = socket
        stack.set("env.GREETING", "Good evening")
        changes = stack.up().changes
        assert "Command guestbook-packages" not in changes
        assert stack.site.greets("Good evening")
        assert stack.logins() > logins
        for name, thing in (("proxy.hostKey", "jump host"), ("hostKey", "server")):
            kept = stack.config["codesensei:server"]
            stack.set(f"server.{name}", ANOTHER_KEY)
            done = stack.up(succeed=False, seconds=120)
            assert f"its host key is not the one in codesensei:server.{name}" in done.said("error"), thing
            assert "Traceback" not in done.output
            stack.set("server", kept)
        jump.container.kill()
        done = stack.up(succeed=False, seconds=120)
        assert f"jump host {jump.host}" in done.said("error")
        error = stack.destroy(succeed=False, seconds=120).said("error")
        assert f"server {stack.server.host} (over the jump host {jump.host}): nothing is removed" in error
        jump.boot()
        assert "the register forgets guestbook" in stack.destroy().output
    stack.agent = ""


@pytest.mark.full
@each_debian(12)
def test_a_second_operator_with_state_and_passphrase_alone(stack: Stack, tmp_path: Path) -> None:
    """Another checkout, another home; and two who deploy at the same time."""
    home = tmp_path / "home"
    theirs = replace(stack, home=home, elsewhere=tmp_path / "somewhere else" / "checkout")
    shutil.copytree(stack.program, theirs.program, ignore=shutil.ignore_patterns(".codesensei"))
    home.mkdir()
    logins = stack.logins()
    shown = theirs.preview("--diff")
    assert shown.changes == set(), shown.output
    theirs.up_without_changes()
    assert stack.logins() == logins + 2
    stack.set("project.hooks", {"beforeMigrate": ["sleep 15"]})
    started = stack.start("up", "--yes", "--skip-preview")
    try:
        stack.await_step("build")
        refused = theirs.up(succeed=False)
        assert "the stack is currently locked by 1 lock(s)" in refused.output
        assert "Traceback" not in refused.output
    finally:
        done = stack.finish(*started)
    assert done.code == 0, done.output
    shutil.copy(stack.file, theirs.file)
    theirs.up_without_changes()
