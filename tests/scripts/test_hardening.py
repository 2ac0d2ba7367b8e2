"""What a blank server is, what is closed there, and what is left as somebody has set it up."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import commands, files, register
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import Failure
from codesensei.scripts.hardening import firewall, harden, listening, updates
from codesensei.scripts.steps import packages
from codesensei.wire import paths
from codesensei.wire.steps import Hardening
from tests.scripts.examples import PACKAGES

SSHD = 'LISTEN 0 128 0.0.0.0:2222 0.0.0.0:* users:(("sshd",pid=7,fd=3))\n'
LOOPBACK = 'LISTEN 0 128 127.0.0.1:6010 0.0.0.0:* users:(("sshd",pid=9,fd=3))\n'
OTHER = 'LISTEN 0 128 *:8080 *:* users:(("java",pid=8,fd=3))\n'


class Machine:
    """ss, nft, sshd, ufw, apt-config and systemctl of a server as it is bought."""

    def __init__(self) -> None:
        self.there = {"nft", "sshd"}
        self.says = {"ss": SSHD + LOOPBACK, "nft list": "", "ufw": "", "apt-config": "", "systemctl show": ""}
        self.sshd = {"passwordauthentication": "yes", "kbdinteractiveauthentication": "yes"}
        self.sshd |= {"pubkeyauthentication": "yes", "authenticationmethods": "any"}
        self.includes, self.nftables, self.sshd_refuses = True, True, False
        self.active: set[str] = set()
        self.calls: list[str] = []

    def run(self, argv: Sequence[str], *, input: str | None = None, check: bool = True, **_: Any) -> Result:
        words = [word for word in argv if not word.startswith("--no-")]
        self.calls.append(" ".join(words))
        if words[0] == "systemctl" and words[1] in ("start", "reload"):
            self.active.add(words[2])
        if words[:2] == ["systemctl", "is-active"]:
            return Result("", "", 0 if words[-1] in self.active else 3)
        if words[:2] == ["nft", "--check"] and not self.nftables:
            return Result("", "Error: Could not process rule: Operation not supported", 1)
        if words[:2] == ["sshd", "-t"]:
            return Result("", "line 1: bad", int(self.sshd_refuses))
        if words[:2] == ["sshd", "-T"]:
            given = dict(self.sshd)
            if self.includes and paths.SERVER.sshd_config.is_file():
                given |= {"passwordauthentication": "no", "kbdinteractiveauthentication": "no"}
            return Result("".join(f"{name} {value}\n" for name, value in given.items()), "", 0)
        return Result(self.says.get(" ".join(words[:2]), self.says.get(words[0], "")), "", 0)


@pytest.fixture
def machine(server: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(commands, "run", made.run)
    monkeypatch.setattr(shutil, "which", lambda name, path: name if name in made.there else None)
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.setattr(listening, "_of_this_connection", set)
    monkeypatch.setattr(register, "entries", dict)
    return made


def run(make_step: Any, hardening: Hardening = "auto") -> Any:
    """The step `packages` without its packages."""
    step = make_step("packages", data=replace(PACKAGES, hardening=hardening))
    step.warnings = harden.apply(step, harden.plan(step, hardening))
    return step


def said(step: Any) -> str:
    return "\n".join(getattr(step, "said", []))


def written() -> set[str]:
    places = (paths.SERVER.firewall, paths.SERVER.sshd_config, paths.SERVER.apt_updates)
    return {path.name for path in places if path.is_file()}


ALL = {"firewall.nft", "00-codesensei.conf", "52updates"}


@pytest.mark.proves("hardening.blank", "hardening.firewall", "hardening.ssh", "hardening.updates")
def test_a_blank_server_is_closed_once(machine: Machine, make_step: Any) -> None:
    step = run(make_step)
    assert written() == ALL
    assert "closed for all but TCP ports 80, 443, 2222" in said(step)
    assert "tcp dport { 80, 443, 2222 } accept" in paths.SERVER.firewall.read_text()
    assert "systemctl start codesensei-firewall.service" in machine.calls
    assert "systemctl try-reload-or-restart ssh.service" in machine.calls
    assert step.changes == 3
    # Later, nginx and others listen, and the server is still the one that was found blank.
    machine.says["ss"] += OTHER
    again = run(make_step)
    assert (again.changes, again.warnings) == (0, ())


@pytest.mark.proves("hardening.blank")
@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("ss", SSHD + OTHER),
        ("nft list", "table ip filter\n"),
        ("ufw", "Status: active\n"),
        ("firewall-cmd", "running\n"),
    ],
)
def test_a_server_that_somebody_uses_is_left_alone(machine: Machine, make_step: Any, program: str, says: str) -> None:
    machine.there.add(program.split(maxsplit=1)[0])
    machine.says[program] = says
    assert (run(make_step).changes, written()) == (0, set())
    # Also once that is gone: what counts is what the first deploy found.
    machine.says[program] = SSHD if program == "ss" else ""
    assert (run(make_step).changes, written()) == (0, set())


@pytest.mark.proves("hardening.blank")
def test_a_server_with_a_project_of_an_earlier_version_is_left_alone(machine: Machine, make_step: Any) -> None:
    files.make_directory(paths.SERVER.nginx_base.parent, 0o755)
    files.write_file(paths.SERVER.nginx_base, "")
    assert (run(make_step).changes, written()) == (0, set())
    assert run(make_step, "on").changes == 3


@pytest.mark.proves("hardening.off")
def test_off_closes_nothing(machine: Machine, make_step: Any) -> None:
    step = run(make_step, "off")
    assert (step.changes, said(step), written()) == (0, "", set())
    # Nor does a second stack that says nothing.
    assert (run(make_step).changes, written()) == (0, set())
    assert run(make_step, "on").changes == 3


@pytest.mark.proves("hardening.by-hand")
def test_what_somebody_has_set_up_is_left_as_it_is(machine: Machine, make_step: Any) -> None:
    machine.there |= {"ufw", "unattended-upgrade"}
    machine.says["ufw"] = "Status: active\n"
    machine.says["apt-config"] = 'APT::Periodic::Unattended-Upgrade "1";\n'
    machine.sshd["passwordauthentication"] = "no"
    step = run(make_step, "on")
    assert (step.changes, written()) == (0, set())
    for words in ("ufw is active", "takes no passwords already", "apt installs them already"):
        assert words in said(step)


@pytest.mark.proves("hardening.firewall")
def test_without_nftables_auto_warns_and_on_fails(machine: Machine, make_step: Any) -> None:
    machine.nftables = False
    step = run(make_step)
    (warning,) = step.warnings
    assert "firewall: not set up: Error: Could not process rule" in warning
    assert "fix: boot a kernel with nftables" in warning
    assert written() == ALL - {"firewall.nft"}
    with pytest.raises(Failure, match="Operation not supported"):
        run(make_step, "on")


@pytest.mark.proves("hardening.ssh")
def test_a_configuration_that_sshd_does_not_follow_is_removed(machine: Machine, make_step: Any) -> None:
    machine.includes = False
    (warning,) = run(make_step).warnings
    assert "sshd does not follow" in warning
    assert "Include /etc/ssh/sshd_config.d/*.conf" in warning
    assert written() == ALL - {"00-codesensei.conf"}
    machine.includes, machine.sshd_refuses = True, True
    (warning,) = run(make_step).warnings
    assert "sshd -t says: line 1: bad" in warning
    assert "systemctl try-reload-or-restart ssh.service" not in machine.calls
    with pytest.raises(Failure, match="line 1: bad"):
        run(make_step, "on")


@pytest.mark.proves("hardening.ssh")
@pytest.mark.parametrize(
    ("setting", "value"),
    [("pubkeyauthentication", "no"), ("authenticationmethods", "publickey,keyboard-interactive")],
)
def test_nobody_is_locked_out_who_needs_more_than_a_key(
    machine: Machine, make_step: Any, setting: str, value: str
) -> None:
    machine.sshd[setting] = value
    assert len(run(make_step).warnings) == 1
    assert written() == ALL - {"00-codesensei.conf"}


@pytest.mark.proves("hardening.firewall")
def test_no_firewall_where_the_port_of_ssh_is_unknown(machine: Machine, make_step: Any) -> None:
    machine.says["ss"] = ""
    (warning,) = run(make_step).warnings
    assert "no port of sshd can be found" in warning
    assert not paths.SERVER.firewall.exists()


@pytest.mark.proves("hardening.firewall")
def test_every_port_of_ssh_stays_open(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.says["systemctl show"] = "Listen=[::]:2200 (Stream)\nListen=0.0.0.0:2201 (Stream)\nListen=22 (Stream)\n"
    monkeypatch.setattr(listening, "_of_this_connection", lambda: {2203})
    assert listening.ssh_ports() == {22, 2200, 2201, 2203, 2222}


@pytest.mark.proves("hardening.firewall")
def test_the_port_of_this_connection_is_read_from_an_ancestor(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processes = server / "proc"
    monkeypatch.setattr(paths, "SERVER", replace(paths.SERVER, processes=processes))
    for pid, parent, environ in ((os.getpid(), 50, b"A=1\0"), (50, 1, b"B=2\0SSH_CONNECTION=9.9.9.9 5 1.1.1.1 2022\0")):
        (processes / str(pid)).mkdir(parents=True)
        (processes / str(pid) / "environ").write_bytes(environ)
        (processes / str(pid) / "status").write_text(f"Name:\tx\nPPid:\t{parent}\n")
    assert listening._of_this_connection() == {2022}


@pytest.mark.proves("hardening.updates")
def test_only_security_updates_and_no_reboot() -> None:
    assert updates.TEXT.count("-security") == 2
    assert 'Automatic-Reboot "false";' in updates.TEXT
    assert "#clear Unattended-Upgrade::Origins-Pattern;" in updates.TEXT


def test_the_packages_come_in_the_same_installation(
    machine: Machine, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(packages.Apt, "ensure", lambda self, names, key: asked.extend(names))
    monkeypatch.setattr(packages.Apt, "one_of", lambda self, names: [])
    step = make_step("packages", data=replace(PACKAGES, postgresql=False))
    packages.run(step)
    assert {"nftables", "unattended-upgrades", *packages.BASE} <= set(asked)
    assert step.result is None


@pytest.mark.proves("hardening.stays")
def test_the_last_project_says_what_stays(machine: Machine, make_step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run(make_step)
    step = make_step("destroy")
    monkeypatch.setattr(register, "entries", lambda: {"other": None})
    harden.say_what_stays(step)
    assert said(step) == ""
    monkeypatch.setattr(register, "entries", dict)
    harden.say_what_stays(step)
    assert str(paths.SERVER.firewall) in said(step)
    assert f"systemctl disable --now {firewall.UNIT}" in said(step)
    assert written() == ALL
