"""A firewall of our own for the web and SSH, in one nftables table beside whatever else there is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from codesensei.scripts.base import commands, files, shared
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.hardening import VERSION, blank, listening
from codesensei.wire import paths

UNIT = "codesensei-firewall.service"
WEB = (80, 443)
# What opens no connection goes through: connections from before the rules are not known as established.
RULES = """\
# Written by codesensei; shared by all its projects on this server. Open more ports in {own}/<name>.nft:
# udp dport 51820 accept
table inet codesensei
delete table inet codesensei
table inet codesensei {{
    chain input {{
        type filter hook input priority filter; policy drop;
        ct state established,related accept
        tcp flags & syn == 0x0 accept
        iifname "lo" accept
        tcp dport {{ {ports} }} accept
        meta l4proto {{ icmp, ipv6-icmp }} accept
        udp sport 67 udp dport 68 accept
        ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept
        include "{own}/*.nft"
    }}
}}
"""
# Part of nftables.service, because that flushes all rules when it starts, and when it reloads.
SERVICE = """\
# Written by codesensei; shared by all its projects on this server.
[Unit]
Description=Firewall (codesensei)
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
After=nftables.service local-fs.target
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f {rules}
ExecReload=/usr/sbin/nft -f {rules}
ExecStop=-/usr/sbin/nft delete table inet codesensei

[Install]
WantedBy=sysinit.target
"""
_LIST = "nft --stateless list table inet codesensei"
# In a network of its own, nft says what the files mean.
_MEANT = f'nft --file "$1" && {_LIST}'


def rules(ports: Iterable[int], own: Path, text: str = RULES) -> str:
    """The table as one transaction: it replaces the one before, or nothing changes."""
    return text.format(ports=", ".join(map(str, sorted({*ports, *WEB}))), own=own)


def close(step: Step[object], *, required: bool) -> str:
    """Let in SSH, the web and answers only. Returns why it could not; Failure instead where it is `required`."""
    if not paths.SERVER.firewall.is_file() and (other := blank.firewall()):
        step.say(f"firewall: {other}, so it is left as it is")
        return ""
    own, ports = paths.SERVER.config / "firewall.d", {*listening.ssh_ports(), *WEB}
    files.make_directory(own.parent, 0o755)
    files.make_directory(own, 0o755)
    wanted = rules(ports, own, shared.newest(paths.SERVER.firewall, RULES, VERSION))
    if problem := _unfit(wanted, own) or _use(step, wanted, ports):
        cause, fix = problem
        if required:
            raise Failure("firewall", cause, fix)
        return f"firewall: not set up: {cause}\nfix: {fix}"
    for path, text in ((paths.SERVER.firewall, RULES), (_unit(), SERVICE)):
        step.manage_shared(path)
        shared.remember(path, text, VERSION)
    return ""


def _unfit(wanted: str, own: Path) -> tuple[str, str] | None:
    """What would lock people out, or what the kernel refuses, and its fix."""
    if not listening.of_this_connection():
        return "the port by which this deploy has logged in cannot be found", "log in by the server's own sshd"
    if not paths.SERVER.firewall.is_file() and not any(own.glob("*.nft")) and (tunnel := listening.tunnel()):
        fix = f"let it in, for WireGuard by {own}/{tunnel}.nft with: udp dport 51820 accept"
        return f"people may log in through {tunnel}, and its port is not known", fix
    tried = commands.run(["nft", "--check", "--file", "-"], input=wanted, check=False)
    cause = (tried.stderr.strip().splitlines() or ["nft --check fails"])[0]
    fix = f"boot a kernel with nftables, correct {own}, or set codesensei:server.hardening to off"
    return None if tried.ok else (cause, fix)


def _use(step: Step[object], wanted: str, ports: set[int]) -> tuple[str, str] | None:
    """Bring the rules into force, now and at each boot; why that failed, and the fix."""
    changed = files.write_file(paths.SERVER.firewall, wanted)
    service = shared.newest(_unit(), SERVICE, VERSION).format(rules=paths.SERVER.firewall)
    if files.write_file(_unit(), service):
        systemctl("daemon-reload")
        changed = True
    systemctl("enable", "--quiet", UNIT)
    active = systemctl("is-active", "--quiet", UNIT, check=False).ok
    if not changed and active and in_force():
        return None
    if not systemctl("reload" if active else "start", UNIT, check=False).ok:
        return f"{UNIT} does not start", f"on the server: systemctl status {UNIT}"
    allowed = ", ".join(map(str, sorted(ports)))
    step.changed(f"firewall: closed for all but TCP ports {allowed}; open more in {paths.SERVER.config}/firewall.d")
    for found in listening.tcp():
        if found.port not in ports:
            step.say(f"firewall: strangers may no longer reach {found.process} on port {found.port}")
    return None


def in_force() -> bool:
    """Whether the kernel has the rules that the files say."""
    live = commands.run(_LIST.split(), check=False)
    meant = commands.run(["unshare", "--net", "sh", "-c", _MEANT, "sh", str(paths.SERVER.firewall)], check=False)
    return live.ok and (not meant.ok or live.stdout == meant.stdout)


def amiss() -> Iterator[str]:
    """What no file shows: rules that were removed from the kernel, or added there."""
    if not in_force():
        yield "the firewall in force is not the one of its files"


def _unit() -> Path:
    return paths.SERVER.units / UNIT
