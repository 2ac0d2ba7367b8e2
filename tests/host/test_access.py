"""How the server is logged in to: another key, and a server as it is bought."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.host.debians import each_debian
from tests.host.stack import Stack
from tools.sandbox import Sandbox

pytestmark = pytest.mark.host


def fingerprint_of(key: Path) -> str:
    shown = subprocess.run(["ssh-keygen", "-lf", str(key)], capture_output=True, text=True, check=True)
    return shown.stdout.split()[1]


@each_debian(13)
def test_a_rotated_key_runs_nothing_and_is_used_from_then_on(stack: Stack, tmp_path: Path) -> None:
    key = tmp_path / "new"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    stack.set("drift", False)
    stack.up()
    public = key.with_suffix(".pub").read_bytes()
    stack.server.console("cat > /root/.ssh/authorized_keys", input=public)
    logins = stack.logins()
    stack.set_secret("codesensei:sshPrivateKey", key.read_text())
    assert stack.up().changes == {"Command server-teardown", "Command server-destroy-check"}
    assert stack.logins() == logins
    stack.set("env.GREETING", "Good evening")
    stack.up()
    assert stack.site.greets("Good evening")
    assert stack.logins() > logins
    # What a destroy runs carries a key: it is the new one.
    stack.destroy()
    accepted = stack.server.console("journalctl -q -b -o cat -t sshd -t sshd-session | grep Accepted").stdout
    assert all(fingerprint_of(key) in line for line in accepted.splitlines()[logins:])
    assert len(accepted.splitlines()) > logins + 2


@pytest.mark.proves("config.server.user", "os.dpkg-lock", "os.cloud-init")
def test_a_server_as_it_is_bought(sandbox: Sandbox, place: Path) -> None:
    """A login user with sudo, a firewall that lets only ssh in, timers that hold apt's lock after the boot."""
    server = sandbox.up("bought", 13, "cloud")
    server.reboot()
    try:
        stack = Stack(server, place / "stack-bought").create()
        stack.up()
        # From this machine, which is another host to the server's firewall.
        assert stack.site.greets("Hello")
        stack.site.await_job(stack.site.write())
        assert "Status: active" in server.console("ufw status").stdout
        assert server.console("stat -c %U /var/lib/codesensei/incoming/guestbook").stdout == "debian\n"
        stack.use("main~1")
        stack.up()
        assert stack.outputs()["revision"] == stack.revision("main~1")
        stack.up_without_changes()
        stack.destroy()
        assert server.console("systemctl list-units --all --no-legend 'guestbook*'").stdout == ""
    finally:
        server.down()
