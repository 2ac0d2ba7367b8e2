"""Whether the stack found this server blank: asked once, before the first deploy installs anything, and remembered."""

from __future__ import annotations

import shutil
from pathlib import Path

from codesensei.scripts.base import commands, files, register
from codesensei.scripts.base.step import Step, copy_of, read_json, write_json
from codesensei.scripts.hardening import listening
from codesensei.wire import paths
from codesensei.wire.processes import SYSTEM_PATH

# Where the clients of DHCP and NTP, and those that look for neighbors, wait for answers.
_CLIENTS = {68, 123, 323, 546, 5353, 5355}
# What begins a line of a table without rules.
_EMPTY = ("chain", "}", "#")


def found_blank(step: Step[object], *, off: bool) -> bool:
    """What was found before the first deploy; one with `off` counts as use. The caller holds the server's lock."""
    known = read_json(_note(), None)
    if known is None:
        known = {"used": "the first stack has hardening off" if off else used(step.slug)}
        write_json(_note(), known)
        if known["used"] and not off:
            step.say(f"hardening: the server was in use before, because {known['used']}")
    return not known["used"]


def forget() -> None:
    """Ask again at the next first deploy."""
    for path in (_note(), copy_of(_note())):
        files.remove_path(path)


def ours() -> list[Path]:
    """What hardening has written here."""
    places = (paths.SERVER.firewall, paths.SERVER.sshd_config, paths.SERVER.apt_updates)
    return [path for path in places if path.is_file()]


def used(slug: str) -> str:
    """What shows that somebody uses this server already; empty too where the last project has left our firewall."""
    if others := sorted(set(register.entries()) - {slug}):
        return f"the project {others[0]} is deployed here"
    if paths.SERVER.firewall.is_file():
        return ""
    if paths.SERVER.nginx_base.exists() or (paths.SERVER.projects / slug / "current").is_symlink():
        return "an earlier version of codesensei has deployed here"
    site = "nginx has a site" if any((paths.SERVER.nginx / "sites-enabled").glob("*")) else ""
    return _listener() or site or firewall()


def _listener() -> str:
    """Who waits for others, apart from sshd and from clients of the network."""
    ssh = listening.ssh_ports()
    found = [f"{other.process} listens on port {other.port}" for other in listening.tcp() if other.port not in ssh]
    # A VPN in the kernel is no process.
    found += [
        f"{'the kernel' if other.process == '?' else other.process} listens on UDP port {other.port}"
        for other in listening.udp()
        if other.port not in _CLIENTS
    ]
    return found[0] if found else ""


def firewall() -> str:
    """Whose firewall there is; empty where there is none but ours."""
    if _says("ufw", "status").startswith("Status: active"):
        return "ufw is active"
    if _says("firewall-cmd", "--state").strip() == "running":
        return "firewalld is active"
    if table := _table_with_rules(_says("nft", "--stateless", "list", "ruleset")):
        return f"nftables has rules: {table}"
    for family in ("ip", "ip6"):
        # Written by the kernel once a table of the old iptables is in use.
        names = paths.SERVER.processes / "net" / f"{family}_tables_names"
        if names.is_file() and names.read_text().strip() and _rules(f"{family}tables-legacy-save"):
            return "iptables has rules"
    return ""


def _table_with_rules(ruleset: str) -> str:
    """The first table of others that does anything: Debian's own example, and `iptables -L`, leave empty ones."""
    table = ""
    for line in ruleset.splitlines():
        words = line.split()
        if words[:1] == ["table"]:
            table = "" if words[1:3] == listening.TABLE else " ".join(words[:3])
        elif table and words and words[0] not in _EMPTY and (words[0] != "type" or "policy drop" in line):
            return table
    return ""


def _rules(program: str) -> bool:
    said = _says(program)
    return any(line.startswith("-A") or (line[:1] == ":" and " ACCEPT " not in line) for line in said.splitlines())


def _says(program: str, *arguments: str) -> str:
    if shutil.which(program, path=SYSTEM_PATH) is None:
        return ""
    return commands.run([program, *arguments], check=False).stdout


def _note() -> Path:
    return paths.SERVER.memory / "hardening.json"
