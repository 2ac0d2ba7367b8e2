"""Whether the stack found this server blank: asked once, before the first deploy installs anything, and remembered."""

from __future__ import annotations

import shutil
from pathlib import Path

from codesensei.scripts.base import commands, register
from codesensei.scripts.base.step import read_json, write_json
from codesensei.scripts.hardening import listening
from codesensei.wire import paths
from codesensei.wire.processes import SYSTEM_PATH


def found_blank(slug: str, *, off: bool) -> bool:
    """What was found before the first deploy; one with `off` counts as use. The caller holds the server's lock."""
    known = read_json(_note(), None)
    if known is None:
        known = {"used": "the first stack has hardening off" if off else used(slug)}
        write_json(_note(), known)
    return not known["used"]


def used(slug: str) -> str:
    """What shows that somebody uses this server already; empty where nothing does."""
    if others := sorted(set(register.entries()) - {slug}):
        return f"the project {others[0]} is deployed here"
    if paths.SERVER.nginx_base.exists() or (paths.SERVER.projects / slug / "current").is_symlink():
        return "an earlier version of codesensei has deployed here"
    ssh = listening.ssh_ports()
    for found in listening.tcp():
        if found.port not in ssh:
            return f"{found.process} listens on port {found.port}"
    if any((paths.SERVER.nginx / "sites-enabled").glob("*")):
        return "nginx has a site"
    return firewall()


def firewall() -> str:
    """Whose firewall there is; empty where there is none but ours."""
    if _says("ufw", "status").startswith("Status: active"):
        return "ufw is active"
    if _says("firewall-cmd", "--state").strip() == "running":
        return "firewalld is active"
    tables = [line for line in _says("nft", "list", "tables").splitlines() if line.split()[1:] != listening.TABLE]
    if tables:
        return f"nftables has rules: {tables[0]}"
    for family in ("ip", "ip6"):
        # Written by the kernel once a table of the old iptables is in use.
        names = paths.SERVER.processes / "net" / f"{family}_tables_names"
        if names.is_file() and names.read_text().strip() and _rules(f"{family}tables-legacy-save"):
            return "iptables has rules"
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
