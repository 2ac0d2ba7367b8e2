"""What a blank server is, what is closed there, and what is left as somebody has set it up."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import commands, files, proofs, register, shared
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import Failure
from codesensei.scripts.hardening import VERSION, firewall, harden, listening, ssh, updates
from codesensei.scripts.steps import look, packages
from codesensei.wire import paths
from codesensei.wire.steps import Hardening
from tests.scripts.examples import PACKAGES

SSHD = 'LISTEN 0 128 0.0.0.0:2222 0.0.0.0:* users:(("sshd",pid=7,fd=3))\n'
LOOPBACK = 'LISTEN 0 128 127.0.0.1:6010 0.0.0.0:* users:(("sshd",pid=9,fd=3))\n'
DHCP = 'UNCONN 0 0 198.18.0.9%eth0:68 0.0.0.0:* users:(("systemd-network",pid=5,fd=3))\n'
WIREGUARD = "UNCONN 0 0 0.0.0.0:51820 0.0.0.0:*\n"
OTHER = 'LISTEN 0 128 *:8080 *:* users:(("java",pid=8,fd=3))\n'


class Machine:
    """ss, nft, sshd, ufw, apt-config and systemctl of a server as it is bought."""

    def __init__(self) -> None:
        self.there = {"nft", "sshd"}
        self.says = {"ss": SSHD + LOOPBACK, "nft list": "", "ufw": "", "apt-config": "", "udp": DHCP}
        self.sshd = {"passwordauthentication": "yes", "kbdinteractiveauthentication": "yes"}
        self.sshd |= {"pubkeyauthentication": "yes", "authenticationmethods": "any"}
        self.includes, self.nftables, self.sshd_refuses, self.reloads = True, True, False, True
        # What the firewall's files mean, and what the kernel has.
        self.meant = self.live = "table inet codesensei"
        self.active: set[str] = set()
        self.calls: list[str] = []

    def run(self, argv: Sequence[str], *, input: str | None = None, check: bool = True, **_: Any) -> Result:
        words = [word for word in argv if not word.startswith(("--no-", "--stateless"))]
        self.calls.append(" ".join(words))
        if words[0] == "systemctl" and words[1] in ("start", "reload"):
            self.active.add(words[2])
            self.live = self.meant
        refused = "Error: Could not process rule: Operation not supported"
        known = {
            "systemctl is-active": ("", words[-1] in self.active),
            "systemctl try-reload-or-restart": ("", self.reloads),
            "nft --check": (refused, self.nftables),
            "nft list table": (self.live, bool(self.live)),
            "unshare": (self.meant, bool(self.meant)),
            "ss --listening --udp": (self.says["udp"], True),
            "sshd -t": ("line 1: bad", not self.sshd_refuses),
            "sshd -T": (self._sshd(), True),
        }
        for count in (3, 2, 1):
            if found := known.get(" ".join(words[:count])):
                text, is_good = found
                return Result(text, text, 0 if is_good else 1)
        return Result(self.says.get(" ".join(words[:2]), self.says.get(words[0], "")), "", 0)

    def _sshd(self) -> str:
        given = dict(self.sshd)
        if self.includes and paths.SERVER.sshd_config.is_file():
            given |= {"passwordauthentication": "no", "kbdinteractiveauthentication": "no"}
        return "".join(f"{name} {value}\n" for name, value in given.items())


@pytest.fixture
def machine(server: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(commands, "run", made.run)
    monkeypatch.setattr(shutil, "which", lambda name, path: name if name in made.there else None)
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.setattr(listening, "of_this_connection", lambda: {2222})
    monkeypatch.setattr(listening, "greets", lambda listener: listener.port == 2222)
    monkeypatch.setattr(ssh, "_BACK_SECONDS", 0.0)
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
        ("udp", WIREGUARD),
        ("nft list", "table ip filter {\n\tchain FORWARD {\n\t\tjump DOCKER\n\t}\n}\n"),
        ("nft list", "table inet f {\n\tchain c {\n\t\ttype filter hook input priority 0; policy drop;\n\t}\n}\n"),
        ("ufw", "Status: active\n"),
        ("firewall-cmd", "running\n"),
    ],
)
def test_a_server_that_somebody_uses_is_left_alone(machine: Machine, make_step: Any, program: str, says: str) -> None:
    machine.there.add(program.split(maxsplit=1)[0])
    machine.says[program] = says
    step = run(make_step)
    assert (step.changes, written()) == (0, set())
    assert "hardening: the server was in use before, because " in said(step)
    # Also once that is gone: what counts is what the first deploy found.
    machine.says[program] = SSHD if program == "ss" else ""
    step = run(make_step)
    assert (step.changes, written(), said(step)) == (0, set(), "")


@pytest.mark.proves("hardening.blank")
def test_tables_without_rules_are_no_firewall(machine: Machine, make_step: Any) -> None:
    """As Debian's own nftables.conf has one, and as `iptables -L` leaves one."""
    chain = "\tchain input {\n\t\ttype filter hook input priority filter; policy accept;\n\t}\n"
    managed = "# Warning: table ip filter is managed by iptables-nft, do not touch!\n"
    machine.says["nft list"] = f"table inet filter {{\n{chain}}}\n{managed}table ip filter {{\n{chain}}}\n"
    assert run(make_step).changes == 3


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
    # It opens nothing either, and says so.
    step = run(make_step, "off")
    assert (step.changes, written()) == (0, ALL)
    assert f"systemctl disable --now {firewall.UNIT}" in said(step)


@pytest.mark.proves("hardening.by-hand")
def test_what_somebody_has_set_up_is_left_as_it_is(machine: Machine, make_step: Any) -> None:
    machine.there |= {"ufw", "unattended-upgrade"}
    machine.says["ufw"] = "Status: active\n"
    machine.says["apt-config"] = 'APT::Periodic::Unattended-Upgrade "1";\n'
    machine.sshd |= {"passwordauthentication": "no", "kbdinteractiveauthentication": "no"}
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


@pytest.mark.proves("hardening.ssh")
def test_an_sshd_that_asks_by_pam_takes_passwords(machine: Machine, make_step: Any) -> None:
    machine.sshd["passwordauthentication"] = "no"
    assert "SSH: takes keys only" in said(run(make_step))


@pytest.mark.proves("hardening.ssh")
def test_an_sshd_that_does_not_come_back_gets_its_old_configuration(
    machine: Machine, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for reloads, greets in ((False, True), (True, False)):
        machine.reloads = reloads
        monkeypatch.setattr(listening, "greets", lambda listener, greets=greets: greets)
        (warning,) = run(make_step).warnings
        assert "sshd does not reload with" in warning
        assert written() == ALL - {"00-codesensei.conf"}
        assert "systemctl restart ssh.service" in machine.calls


@pytest.mark.proves("hardening.match")
@pytest.mark.parametrize("place", ["sshd_config", "sshd_config.d/60-ftp.conf"])
def test_a_match_block_that_takes_passwords_is_told(server: Path, machine: Machine, make_step: Any, place: str) -> None:
    (server / "sshd_config").write_text("Include sshd_config.d/*.conf\n")
    with (server / place).open("a") as file:
        file.write("match User ftp, Address 10.0.0.0/8\n  passwordauthentication = Yes\nMatch all\nX11Forwarding no\n")
    for hardening in ("auto", "on"):
        (warning,) = run(make_step, hardening).warnings
        assert f"still takes passwords: Match User ftp, Address 10.0.0.0/8 in {server / place}" in warning
    assert written() == ALL


@pytest.mark.proves("hardening.ssh")
def test_a_match_block_that_needs_a_password_and_a_key_locks_nobody_out(
    server: Path, machine: Machine, make_step: Any
) -> None:
    block = "Match Group admins\nAuthenticationMethods publickey,password\n"
    (server / "sshd_config").write_text(block)
    (warning,) = run(make_step).warnings
    assert f"Match Group admins in {server / 'sshd_config'} asks for more than a key" in warning
    assert written() == ALL - {"00-codesensei.conf"}
    (server / "sshd_config").write_text(block.replace(",", " publickey,"))
    machine.includes = True
    assert run(make_step).warnings == ()


@pytest.mark.proves("hardening.firewall")
def test_no_firewall_where_the_port_of_this_connection_is_unknown(
    machine: Machine, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "of_this_connection", set)
    (warning,) = run(make_step).warnings
    assert "the port by which this deploy has logged in cannot be found" in warning
    assert not paths.SERVER.firewall.exists()


@pytest.mark.proves("hardening.firewall")
def test_no_firewall_where_people_may_come_through_a_tunnel(server: Path, machine: Machine, make_step: Any) -> None:
    machine.says["udp"] += WIREGUARD
    machine.says["ip"] = (
        "1: lo: <LOOPBACK> mtu 65536\\    link/loopback 00:00\n5: wg0: <NOARP,UP> mtu 1420\\    link/none \n"
    )
    with pytest.raises(Failure, match="people may log in through wg0"):
        run(make_step, "on")
    assert not paths.SERVER.firewall.exists()
    (server / "etc/firewall.d/wg0.nft").write_text("udp dport 51820 accept\n")
    assert "firewall: closed" in said(run(make_step, "on"))


@pytest.mark.proves("hardening.firewall")
def test_who_is_no_longer_reached_is_named(machine: Machine, make_step: Any) -> None:
    machine.says["ss"] += OTHER
    assert "strangers may no longer reach java on port 8080" in said(run(make_step, "on"))


@pytest.mark.proves("hardening.drift", "story.drift")
def test_rules_that_are_gone_from_the_kernel_are_drift(machine: Machine, make_step: Any) -> None:
    step = run(make_step)
    step.project.proofs.mkdir(parents=True)
    proofs.finish(step)
    assert look._seen(step.project, "packages").drift == ()
    # Another table beside ours is none.
    machine.says["nft list"] = "table inet f2b {\n\tset addr {\n\t}\n}\n"
    for live in ("", "table inet codesensei { chain input { accept } }"):
        machine.live = live
        assert look._seen(step.project, "packages").drift == ("the firewall in force is not the one of its files",)
        again = run(make_step)
        assert (again.changes, machine.live) == (1, machine.meant)
    text = paths.SERVER.sshd_config.read_text()
    paths.SERVER.sshd_config.write_text(text.replace("PasswordAuthentication no", "PasswordAuthentication yes"))
    (lines,) = look._seen(step.project, "packages").changes.values()
    assert lines == ("@@ -2 +2 @@", "-PasswordAuthentication yes", "+PasswordAuthentication no")
    paths.SERVER.sshd_config.unlink()
    assert look._seen(step.project, "packages").drift == (f"{paths.SERVER.sshd_config} is gone",)
    assert run(make_step).changes == 1
    # Nobody knows what a file that nft refuses means.
    machine.meant = ""
    assert firewall.in_force()


@pytest.mark.proves("hardening.versions")
def test_an_older_version_of_the_product_keeps_the_newer_texts(machine: Machine, make_step: Any) -> None:
    newer = {
        paths.SERVER.firewall: firewall.RULES + "# newer\n",
        paths.SERVER.units / firewall.UNIT: firewall.SERVICE + "# newer\n",
        paths.SERVER.sshd_config: ssh.TEXT + "# newer\n",
        paths.SERVER.apt_updates: updates.TEXT + "// newer\n",
    }
    for path, text in newer.items():
        shared.remember(path, text, VERSION + 1)
    run(make_step)
    for path in newer:
        assert path.read_text().endswith(" newer\n")
    # The port of SSH is this server's, as it is now.
    assert "tcp dport { 80, 443, 2222 } accept" in paths.SERVER.firewall.read_text()


@pytest.mark.proves("hardening.stays")
def test_after_the_last_project_the_next_one_finds_a_closed_server(
    server: Path, machine: Machine, make_step: Any
) -> None:
    run(make_step)
    machine.says["ss"] += OTHER
    harden.say_what_stays(make_step("destroy"))
    assert not list(paths.SERVER.memory.glob("hardening*"))
    step = run(make_step)
    assert (step.changes, len(step.shared)) == (0, 4)


@pytest.mark.proves("hardening.firewall")
def test_every_port_of_ssh_stays_open(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.says["systemctl show"] = "Listen=[::]:2200 (Stream)\nListen=0.0.0.0:2201 (Stream)\nListen=22 (Stream)\n"
    monkeypatch.setattr(listening, "of_this_connection", lambda: {2203})
    assert listening.ssh_ports() == {22, 2200, 2201, 2203, 2222}


@pytest.mark.proves("hardening.firewall")
def test_the_port_of_this_connection_is_read_from_an_ancestor(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processes = server / "proc"
    monkeypatch.setattr(paths, "SERVER", replace(paths.SERVER, processes=processes))
    for pid, parent, environ in ((os.getpid(), 50, b"A=1\0"), (50, 1, b"B=2\0SSH_CONNECTION=9.9.9.9 5 1.1.1.1 2022\0")):
        (processes / str(pid)).mkdir(parents=True)
        (processes / str(pid) / "environ").write_bytes(environ)
        (processes / str(pid) / "status").write_text(f"Name:\tx\nPPid:\t{parent}\n")
    assert listening.of_this_connection() == {2022}


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
