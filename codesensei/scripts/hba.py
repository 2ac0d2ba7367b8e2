"""Who may log in how: PostgreSQL's pg_hba.conf, seen from a project's own URL."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

from codesensei.scripts import postgresql
from codesensei.scripts.step import Failure


def check_access(port: int, name: str, role: str) -> None:
    """Refuse a cluster in which the project's password cannot work over 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=10).close()
    except OSError as error:
        raise Failure(
            "PostgreSQL",
            f"it does not listen on 127.0.0.1:{port} ({error})",
            "set listen_addresses = 'localhost' in postgresql.conf and restart it",
        ) from None
    rule = access_rule(postgresql.rows(port, "SELECT * FROM pg_hba_file_rules ORDER BY line_number"), name, role)
    if rule is None or rule["auth_method"] not in ("scram-sha-256", "md5", "password", "trust"):
        cause = f"line {rule['line_number']} says {rule['auth_method']}" if rule else "no line allows it"
        raise Failure(
            "PostgreSQL's pg_hba.conf",
            f"a password over 127.0.0.1 does not work for {role}: {cause}",
            f"add above it: host {name} {role} 127.0.0.1/32 scram-sha-256; then: systemctl reload postgresql",
        )


def access_rule(rules: Iterable[dict[str, Any]], database: str, role: str) -> dict[str, Any] | None:
    """The first pg_hba rule for `role` from 127.0.0.1; None when there is none."""
    for rule in rules:
        databases, users = rule["database"] or [], rule["user_name"] or []
        if (
            rule.get("error") is None
            and rule["type"] in ("host", "hostssl", "hostnossl")
            and ({"all", database} & set(databases) or ("sameuser" in databases and database == role))
            and {"all", role} & set(users)
            and _covers_loopback(rule["address"], rule["netmask"])
        ):
            return rule
    return None


def _covers_loopback(address: str | None, netmask: str | None) -> bool:
    if address in ("all", "samehost", "samenet", "localhost"):
        return True
    try:
        network = ipaddress.ip_network(f"{address}/{netmask}" if netmask else f"{address}", strict=False)
    except ValueError:
        return False
    return ipaddress.ip_address("127.0.0.1") in network
