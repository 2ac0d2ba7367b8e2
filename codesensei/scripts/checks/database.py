"""Whether the database exists, or may be created."""

from __future__ import annotations

import socket

from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.postgres import ownership, postgresql
from codesensei.wire.steps import DatabasePlace, Preflight

DATABASE_WAIT = 5.0
USUAL_PORTS = {"post": 5432, "mysql": 3306, "mssql": 1433}


def check_local(step: Step[Preflight], place: DatabasePlace) -> dict[str, list[str]]:
    """Check the names of role and database; return those that can be claimed now."""
    name, role, port, adopt = place.name, place.role, place.port or postgresql.PORT, step.data.adopt
    ownership.refuse_reserved(name, role)
    if not adopt:
        ownership.refuse_moved(step, port, name, role)
    there = postgresql.clusters()
    if any(cluster.online and cluster.port == port for cluster in there):
        ownership.refuse_foreign(step, port, name, role, adopt)
    elif there:
        # A cluster that is down cannot be searched: the step that starts it does that, and claims what is free.
        return {}
    return {"databases": [name], "roles": [role]}


def check_external(step: Step[Preflight], place: DatabasePlace) -> None:
    """Raise Failure if the database cannot be reached from this server."""
    if place.port:
        check_reachable(place.host, place.port)
    else:
        step.say(f"database host {place.host}: not tried, because its URL names no port")


def check_entry(alias: str, engine: str, host: str, port: str) -> None:
    """Raise Failure if an entry of DATABASES leads to a port that cannot be reached; sockets are not tried."""
    usual = next((str(usual) for word, usual in USUAL_PORTS.items() if word in engine), "")
    number = port or usual
    # MySQL's client takes localhost for its socket.
    socket_alone = host == "localhost" and usual == "3306"
    if not host or "/" in host or "," in host or socket_alone or not number.isdigit():
        return
    try:
        check_reachable(host, int(number), f"HOST and PORT of DATABASES[{alias!r}]")
    except Failure as failure:
        raise Failure(f"DATABASES[{alias!r}], {failure.thing}", failure.cause, failure.fix) from None


def check_reachable(name: str, port: int, written: str = "host and port in DATABASE_URL") -> None:
    """Raise Failure unless one of the host's addresses, IPv4 or IPv6, accepts a connection from this server."""
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        fix = f"name its real host, and check {written}; the service names of docker compose do not exist on a server"
        raise Failure(f"database host {name}", f"its name cannot be resolved on this server ({error})", fix) from None
    fix = f"let this server's address through the database's firewall, and check {written}"
    errors = []
    for family, kind, protocol, _, address in found[:6]:
        try:
            with socket.socket(family, kind, protocol) as connection:
                connection.settimeout(DATABASE_WAIT)
                connection.connect(address)
                return
        except OSError as error:
            errors.append(f"{address[0]}: {error}")
    raise Failure(f"database {name}:{port}", f"it cannot be reached from this server ({'; '.join(errors)})", fix)
