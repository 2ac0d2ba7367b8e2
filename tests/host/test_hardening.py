"""A server that the stack finds blank is closed, stays reachable, and stays closed after a boot."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.host.debians import RELEASES
from tools.sandbox import Server
from tools.trials.stack import Stack

pytestmark = [pytest.mark.host, pytest.mark.full]


def opens(host: str, port: int) -> bool:
    """Whether a connection from another machine gets an answer; what is dropped gets none."""
    try:
        socket.create_connection((host, port), timeout=3).close()
    except TimeoutError:
        return False
    return True


@pytest.mark.proves("hardening.blank", "hardening.firewall", "hardening.ssh", "hardening.updates", "hardening.stays")
@pytest.mark.parametrize("debian", RELEASES)
def test_a_blank_server_is_closed(debian: int, fresh: Callable[[int], Server], place: Path) -> None:
    server = fresh(debian)
    stack = Stack(server, place / f"hardened-{debian}").create()
    stack.set("server.hardening", "auto")
    assert "if nothing but SSH runs there yet, a firewall lets in SSH, 80 and 443 only" in stack.preview().output
    done = stack.up()
    assert "firewall: closed for all but TCP ports 22, 80, 443" in done.output
    assert "not set up" not in done.output
    listen = "systemd-run --quiet --unit=stranger python3 -m http.server 8081"
    server.console(f"{listen}; timeout 30 bash -c 'until ss -Hltn sport = 8081 | grep -q .; do sleep 0.05; done'")
    assert (opens(server.host, 80), opens(server.host, 8081)) == (True, False)
    assert (opens(server.host6, 80), opens(server.host6, 8081)) == (True, False)
    assert stack.site.greets("Hello")
    assert "passwordauthentication no" in server.console("sshd -T").stdout
    said = server.console("unattended-upgrade --dry-run --debug 2>&1", check=False).stdout
    assert "Debian-Security" in said.partition("Allowed origins are:")[2].splitlines()[0]
    stack.up_without_changes()
    server.reboot()
    server.console("systemctl reset-failed stranger", check=False)
    server.console(f"{listen}; timeout 30 bash -c 'until ss -Hltn sport = 8081 | grep -q .; do sleep 0.05; done'")
    assert (opens(server.host, 80), opens(server.host, 8081)) == (True, False)
    output = stack.destroy().output
    assert "kept, because it protects the server: /etc/codesensei/firewall.nft" in output
    assert server.run("true").returncode == 0
