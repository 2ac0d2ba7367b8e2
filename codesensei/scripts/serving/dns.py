"""Whether a name leads to this server: checked before an authority is asked, since those limit failed attempts."""

from __future__ import annotations

import http.client
import secrets
import socket

from codesensei.scripts.base import files
from codesensei.wire import paths

SECONDS = 5.0
# What the resolver says where it works and knows no address.
NOTHING = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}

Reason = tuple[str, str]


def why_not(name: str) -> Reason | None:
    """Cause and fix where `name` certainly does not lead here; None where it does, or where this server cannot tell."""
    try:
        found = socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        fix = "make a DNS record (A, AAAA) that leads to this server, then run pulumi up again"
        return (f"DNS knows no address of {name}", fix) if error.errno in NOTHING else None
    token = f"codesensei-{secrets.token_hex(16)}"
    place = paths.SERVER.challenges / ".well-known" / "acme-challenge"
    for folder in (place.parent, place):
        files.make_directory(folder, 0o755)
    files.write_file(place / token, token, 0o644)
    try:
        for address in sorted({str(item[4][0]) for item in found}):
            answer = _ask(name, address, token)
            if answer is not None and answer != token:
                fix = "make each of its DNS records (A, AAAA) lead to this server, then run pulumi up again"
                return f"it leads to {address}, where something else answers ({answer})", fix
    finally:
        (place / token).unlink(missing_ok=True)
    return None


def _ask(name: str, address: str, token: str) -> str | None:
    """What the challenge's URL answers: the token, its status, or None for no answer or a redirect."""
    connection = http.client.HTTPConnection(address, 80, timeout=SECONDS)
    try:
        connection.request("GET", f"/.well-known/acme-challenge/{token}", headers={"Host": name})
        response = connection.getresponse()
        body = response.read(200).decode("ascii", "replace")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    if response.status == 200 and body == token:
        return token
    return None if 300 <= response.status < 400 else f"HTTP status {response.status}"
