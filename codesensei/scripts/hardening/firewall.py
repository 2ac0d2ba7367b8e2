"""A firewall of our own for the web and SSH, in one nftables table beside whatever else there is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from codesensei.scripts.base import commands, files
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.hardening import blank, listening
from codesensei.wire import paths

UNIT = "codesensei-firewall.service"
WEB = (80, 443)
_RULES = """\
# Written by codesensei; shared by all its projects on this server. Open more ports in {own}/<name>.nft:
# udp dport 51820 accept
table inet codesensei
delete table inet codesensei
table inet codesensei {{
    chain input {{
        type filter hook input priority filter; policy drop;
        ct state established,related accept
        iifname "lo" accept
        tcp dport {{ {ports} }} accept
        meta l4proto {{ icmp, ipv6-icmp }} accept
        udp sport 67 udp dport 68 accept
        ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept
        include "{own}/*.nft"
    }}
}}
"""
_UNIT = """\
# Written by codesensei; shared by all its projects on this server.
[Unit]
Description=Firewall (codesensei)
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
After=nftables.service local-fs.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f {rules}
ExecReload=/usr/sbin/nft -f {rules}
ExecStop=/usr/sbin/nft delete table inet codesensei

[Install]
WantedBy=sysinit.target
"""


def rules(ports: Iterable[int], own: Path) -> str:
    """The table as one transaction: it replaces the one before, or nothing changes."""
    return _RULES.format(ports=", ".join(map(str, sorted({*ports, *WEB}))), own=own)


def close(step: Step[object], *, required: bool) -> str:
    """Let in SSH, the web and answers only. Returns why it could not; Failure instead where it is `required`."""
    if other := blank.firewall():
        step.say(f"firewall: {other}, so it is left as it is")
        return ""
    ssh = listening.ssh_ports()
    if not ssh:
        return _not("no port of sshd can be found", "start sshd on the server", required)
    rules_file, unit = paths.SERVER.firewall, paths.SERVER.units / UNIT
    wanted, own = rules(ssh, paths.SERVER.config / "firewall.d"), paths.SERVER.config / "firewall.d"
    files.make_directory(own.parent, 0o755)
    files.make_directory(own, 0o755)
    tried = commands.run(["nft", "--check", "--file", "-"], input=wanted, check=False)
    if not tried.ok:
        cause = (tried.stderr.strip().splitlines() or ["nft --check fails"])[0]
        fix = f"boot a kernel with nftables, correct {own}, or set codesensei:server.hardening to off"
        return _not(cause, fix, required)
    changed = files.write_file(rules_file, wanted)
    if files.write_file(unit, _UNIT.format(rules=rules_file)):
        systemctl("daemon-reload")
        changed = True
    systemctl("enable", "--quiet", UNIT)
    active = systemctl("is-active", "--quiet", UNIT, check=False).ok
    if changed or not active:
        if not systemctl("reload" if active else "start", UNIT, check=False).ok:
            return _not(f"{UNIT} does not start", f"on the server: systemctl status {UNIT}", required)
        allowed = ", ".join(map(str, sorted({*ssh, *WEB})))
        step.changed(f"firewall: closed for all but TCP ports {allowed}; open more in {own}")
    step.manage_shared(rules_file)
    step.manage_shared(unit)
    return ""


def _not(cause: str, fix: str, required: bool) -> str:
    if required:
        raise Failure("firewall", cause, fix)
    return f"firewall: not set up: {cause}\nfix: {fix}"
