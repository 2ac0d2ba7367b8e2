"""Who may log in how: PostgreSQL's pg_hba.conf, seen from the project's own URL."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from codesensei.scripts.base import files
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.postgres import postgresql
from codesensei.wire.quick import dataclass

SOCKETS = "/var/run/postgresql"
MARK = "# codesensei: "
PASSWORD_METHODS = ("scram-sha-256", "md5", "password")
# PostgreSQL 16 and later read a name that begins with a slash as a regular expression, quoted or not.
PATTERN = "/"
Rule = dict[str, Any]


@dataclass(frozen=True)
class Way:
    """How a project logs in: `host` is a name, an address or a socket's directory, `user` who its processes are."""

    port: int
    database: str
    role: str
    host: str
    user: str
    has_password: bool

    @property
    def over_socket(self) -> bool:
        return not self.host or self.host.startswith("/")


def check_access(step: Step[object], way: Way) -> None:
    """Raise Failure where the project could not log in; allow a password over the socket where nothing does yet."""
    if way.over_socket:
        _check_socket(step, way)
    else:
        _check_tcp(way)


def refusal(way: Way) -> str:
    """Why the project may not log in; empty where it may. Raises Failure where PostgreSQL cannot be asked."""
    if way.over_socket:
        rule = _of_socket(way)
        return "" if rule is not None and _lets_in(rule, way) else _says(rule)
    rule = _of_address(way, _listening(way))
    return "" if _takes_password(rule) else _says(rule)


def _of_address(way: Way, address: str) -> Rule | None:
    return first_rule(_rules(way.port), way, lambda rule: over_tcp(rule, address))


def _of_socket(way: Way) -> Rule | None:
    return first_rule(_rules(way.port), way, lambda rule: rule["type"] == "local")


def _takes_password(rule: Rule | None) -> bool:
    return rule is not None and rule["auth_method"] in (*PASSWORD_METHODS, "trust")


def _check_tcp(way: Way) -> None:
    address = _listening(way)
    rule = _of_address(way, address)
    if not _takes_password(rule):
        cause = f"a password over {address} does not work for {way.role}: {_says(rule)}"
        line = f"host {quoted(way.database)} {quoted(way.role)} {ipaddress.ip_network(address)} scram-sha-256"
        raise Failure("PostgreSQL's pg_hba.conf", cause, f"add above it: {line}; then: systemctl reload postgresql")


def _listening(way: Way) -> str:
    """The first address of the host that takes a connection, as libpq would find it."""
    errors = []
    for family, kind, protocol, _, address in socket.getaddrinfo(way.host, way.port, type=socket.SOCK_STREAM):
        try:
            with socket.socket(family, kind, protocol) as connection:
                connection.settimeout(10)
                connection.connect(address)
                return str(address[0])
        except OSError as error:
            errors.append(f"{address[0]}: {error}")
    fix = "set listen_addresses = 'localhost' in postgresql.conf and restart it"
    raise Failure("PostgreSQL", f"it does not listen on {way.host}:{way.port} ({'; '.join(errors)})", fix)


def _check_socket(step: Step[object], way: Way) -> None:
    place = f"{way.host or SOCKETS}/.s.PGSQL.{way.port}"
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(place)
    except OSError as error:
        fix = f"point DATABASE_URL at its own: {SOCKETS}"
        raise Failure("PostgreSQL", f"it has no socket {place} ({error.strerror})", fix) from None
    rule = _of_socket(way)
    if rule is not None and _lets_in(rule, way):
        return
    line = f"local {quoted(way.database)} {quoted(way.role)} {'scram-sha-256' if way.has_password else 'peer'}"
    if not way.has_password or PATTERN in (way.database[:1], way.role[:1]):
        cause = f"the user {way.user} cannot log in as {way.role} over the socket: {_says(rule)}"
        raise Failure("PostgreSQL's pg_hba.conf", cause, f"add above it: {line}; then: systemctl reload postgresql")
    # For this role and database alone: it says nothing about anybody else's logins.
    _write(step, way.port, [f"{line} {MARK}{step.slug}"], f"{way.role} may log in with its password over the socket")


def _says(rule: Rule | None) -> str:
    return f"line {rule['line_number']} says {rule['auth_method']}" if rule else "no line allows it"


def _lets_in(rule: Rule, way: Way) -> bool:
    method = rule["auth_method"]
    if method == "peer":
        # What a map says is up to the administrator.
        return way.role == way.user or any(str(option).startswith("map=") for option in rule["options"] or [])
    return method == "trust" or (method in PASSWORD_METHODS and way.has_password)


def withdraw(step: Step[object], port: int) -> None:
    """Remove the project's line."""
    _write(step, port, [], "its line in pg_hba.conf removed")


def _write(step: Step[object], port: int, lines: list[str], text: str) -> None:
    path = Path(postgresql.sql(port, "SHOW hba_file;").strip())
    before = files.text_of(path)
    others = [line for line in before.splitlines() if not line.endswith(f" {MARK}{step.slug}")]
    after = "\n".join([*lines, *others]) + "\n"
    if after == before:
        return
    found = path.stat()
    files.write_file(path, after, found.st_mode & 0o7777, path.owner(), path.group())
    postgresql.sql(port, "SELECT pg_reload_conf();")
    step.changed(text)


def quoted(name: str) -> str:
    """A name as pg_hba.conf takes it: in quotes, no word is special."""
    return '"' + name.replace('"', '""') + '"'


def _rules(port: int) -> list[Rule]:
    return postgresql.rows(port, "SELECT * FROM pg_hba_file_rules ORDER BY line_number")


def first_rule(rules: Iterable[Rule], way: Way, matches: Callable[[Rule], bool]) -> Rule | None:
    """The rule that decides this login; None when there is none."""
    own = {"all", way.database} | ({"sameuser", "samerole", "samegroup"} if way.database == way.role else set())
    for rule in rules:
        databases, users = rule["database"] or [], rule["user_name"] or []
        if rule.get("error") is None and own & set(databases) and {"all", way.role} & set(users) and matches(rule):
            return rule
    return None


def over_tcp(rule: Rule, address: str) -> bool:
    # Debian's clusters speak TLS, and clients take it where it is offered.
    return rule["type"] in ("host", "hostssl", "hostnossl") and _covers(rule["address"], rule["netmask"], address)


def _covers(address: str | None, netmask: str | None, client: str) -> bool:
    if address in ("all", "samehost", "samenet", "localhost"):
        return True
    try:
        if ":" in str(address):
            bits = bin(int(ipaddress.ip_address(netmask or "::"))).count("1") if netmask else 128
            network: Any = ipaddress.ip_network(f"{address}/{bits}", strict=False)
        else:
            network = ipaddress.ip_network(f"{address}/{netmask}" if netmask else f"{address}", strict=False)
    except ValueError:
        return False
    return ipaddress.ip_address(client) in network
