"""The network of a checkout's servers: one bridge, one nftables table."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Any

from tools.sandbox.errors import SandboxError
from tools.sandbox.names import Names, choose_subnet
from tools.sandbox.process import execute

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


def taken_networks() -> list[ipaddress.IPv4Network]:
    """All IPv4 networks that this machine has a route to."""
    found = []
    for line in execute(["ip", "-4", "-o", "route", "show", "table", "all"]).stdout.splitlines():
        for word in line.split()[:2]:
            try:
                found.append(ipaddress.IPv4Network(word, strict=False))
            except ValueError:
                continue
    return found


def bridge_exists(names: Names) -> bool:
    """Whether the checkout's bridge is there."""
    return Path(f"/sys/class/net/{names.bridge}").exists()


def ruleset(names: Names, subnet: ipaddress.IPv4Network) -> str:
    """The checkout's nftables table; loading it again replaces it."""
    return f"""\
table inet {names.table}
delete table inet {names.table}
table inet {names.table} {{
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        ip saddr {subnet} ip daddr != {subnet} masquerade
    }}
}}
"""


def dropping_chains(listing: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The chains that drop what is forwarded unless a rule accepts it, as (family, table, chain).

    `listing` is the parsed output of `nft -j list ruleset`.
    """
    found = []
    for entry in listing["nftables"]:
        chain = entry.get("chain", {})
        drops = chain.get("hook") == "forward" and chain.get("policy") == "drop"
        if drops and chain["family"] in {"ip", "inet"}:
            found.append((chain["family"], chain["table"], chain["name"]))
    return found


def own_rules(listing: dict[str, Any], names: Names) -> list[tuple[str, str, str, int]]:
    """Rules that this checkout put into other tables, as (family, table, chain, handle)."""
    found = []
    for entry in listing["nftables"]:
        rule = entry.get("rule", {})
        if rule.get("comment") == names.table:
            found.append((rule["family"], rule["table"], rule["chain"], rule["handle"]))
    return found


def firewall() -> dict[str, Any]:
    """This machine's firewall as data; empty when nft cannot show it."""
    done = execute(["nft", "-j", "list", "ruleset"], check=False)
    if done.returncode != 0 or not done.stdout.strip():
        return {"nftables": []}
    parsed: dict[str, Any] = json.loads(done.stdout)
    return parsed


def open_network(names: Names, subnet: ipaddress.IPv4Network) -> None:
    """Make bridge, addresses, forwarding and masquerading; does nothing that is already there."""
    if bridge_exists(names):
        return
    bridge = names.bridge
    gateway, gateway6 = subnet[1], names.ipv6_network[1]
    execute(["ip", "link", "add", bridge, "type", "bridge"])
    execute(["ip", "address", "add", f"{gateway}/{subnet.prefixlen}", "dev", bridge])
    # A machine may have IPv6 switched off; servers still reach each other by it.
    execute(["ip", "address", "add", f"{gateway6}/64", "dev", bridge, "nodad"], check=False)
    execute(["ip", "link", "set", bridge, "up"])
    if FORWARDING.read_text().strip() != "1":
        try:
            FORWARDING.write_text("1")
        except OSError:
            raise SandboxError("IPv4 forwarding (net.ipv4.ip_forward) cannot be switched on here.") from None
    execute(["nft", "-f", "-"], stdin=ruleset(names, subnet))
    accept_forwarding(names)


def accept_forwarding(names: Names) -> None:
    """Let the servers' packets pass a firewall that forwards nothing by default (Docker's, ufw's)."""
    listing = firewall()
    if own_rules(listing, names):
        return
    for family, table, chain in dropping_chains(listing):
        for direction in ("iifname", "oifname"):
            match = f'{direction} "{names.bridge}" accept comment "{names.table}"'
            execute(["nft", "-f", "-"], stdin=f"insert rule {family} {table} {chain} {match}\n")


def close_network(names: Names) -> None:
    """Remove bridge, table and accepted forwarding; forwarding itself stays on, others may need it."""
    for family, table, chain, handle in own_rules(firewall(), names):
        execute(["nft", "delete", "rule", family, table, chain, "handle", str(handle)], check=False)
    execute(["nft", "delete", "table", "inet", names.table], check=False)
    if bridge_exists(names):
        execute(["ip", "link", "delete", names.bridge], check=False)


def pick_subnet(names: Names) -> ipaddress.IPv4Network:
    """A subnet that nobody on this machine uses; to be called under the machine-wide lock."""
    return choose_subnet(names.checkout, taken_networks())
