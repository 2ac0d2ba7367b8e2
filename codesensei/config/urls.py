"""Reading database and broker URLs. No error here repeats any part of the URL: it holds a password."""

from __future__ import annotations

import re
from dataclasses import field
from typing import Literal
from urllib.parse import parse_qsl, unquote

from codesensei.config.types import reject
from codesensei.wire.quick import dataclass

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):(//)?", re.IGNORECASE)
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_POSTGRES = re.compile(r"(postgres|postgresql|pgsql|psql|postgis)(\+\w+)?")
_SQLITE = frozenset({"sqlite", "sqlite3", "spatialite"})
LOCAL = frozenset({"127.0.0.1", "localhost", "::1", ""})
# Where a database listens whose URL names no port.
_PORTS = {"mysql": 3306, "mariadb": 3306, "mysql2": 3306, "mssql": 1433, "oracle": 1521, "redshift": 5439}
POSTGRES_PORT = 5432


@dataclass(frozen=True)
class Url:
    """A URL in parts, percent-decoded. `socket` is True where it points to a Unix socket."""

    kind: Literal["postgres", "sqlite", "other"]
    scheme: str
    host: str
    port: int | None
    name: str
    user: str
    socket: bool
    password: str = field(repr=False)

    @property
    def local(self) -> bool:
        """True where it points to the server itself."""
        return self.socket or self.host.lower() in LOCAL

    @property
    def usual_port(self) -> int | None:
        """The port where none is given; None for a scheme that is not known."""
        return POSTGRES_PORT if self.kind == "postgres" else _PORTS.get(self.scheme.partition("+")[0])


def read_url(text: str) -> Url:
    """A URL in parts. Raises what `reject` makes."""
    scheme, rest = _scheme(text)
    kind: Literal["postgres", "sqlite", "other"] = "postgres" if _POSTGRES.fullmatch(scheme) else "other"
    if scheme in _SQLITE:
        path = rest.partition("?")[0]
        return Url("sqlite", scheme, "", None, unquote(path[1:]) if path.startswith("/") else path, "", False, "")
    _refuse_raw(rest)
    before, _, query = rest.partition("?")
    authority, _, path = before.partition("/")
    login, _, place = authority.rpartition("@")
    user, _, password = login.partition(":")
    options = dict(parse_qsl(query))
    host, port = _place(place)
    host = unquote(host) or options.get("host", "")
    port = port if port is not None else _port(options.get("port", ""))
    name = unquote(path) or options.get("dbname", "")
    user = unquote(user) or options.get("user", "")
    password = unquote(password) or options.get("password", "")
    socket = host.startswith("/") or (kind == "postgres" and not host)
    return Url(kind, scheme, host, port, name, user, socket, password)


def _scheme(text: str) -> tuple[str, str]:
    found = _SCHEME.match(text)
    if not found or not found.group(2) or re.search(r"[\s\x00-\x1f\x7f]", text):
        raise reject("url", "is not a URL", "write it like postgres://user:password@host:5432/name, without spaces")
    return found.group(1).lower(), text[found.end() :]


def _refuse_raw(rest: str) -> None:
    """Characters that end the password early, where a program would read another host or name."""
    authority, _, path = rest.partition("/")
    raw = "#" in rest or "@" in path or "@" in authority.rpartition("@")[0] or _BAD_PERCENT.search(rest)
    if raw or "?" in authority.rpartition("@")[0]:
        fix = "percent-encode user and password: # is %23, / %2F, ? %3F, @ %40, % %25"
        raise reject("url-encoding", "has an unescaped character that ends a part of the URL early", fix)


def _place(text: str) -> tuple[str, int | None]:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, _port(rest.removeprefix(":"))
    host, _, port = text.partition(":")
    return host, _port(port)


def _port(text: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"\d{1,5}", text) or not 1 <= int(text) <= 65535:
        raise reject("url-port", "has no valid port", "use a number from 1 to 65535, or leave the port out")
    return int(text)
