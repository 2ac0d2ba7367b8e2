"""Visitors who look closely: at the certificate, the protocol, and whether any request fails meanwhile."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urlencode

SECONDS = 15.0


@dataclass(frozen=True)
class Reply:
    """An answer; `issuer` is the common name of who signed the certificate."""

    status: int
    headers: Mapping[str, str]
    body: str
    issuer: str = ""


class _Connection(http.client.HTTPSConnection):
    """TLS to an address, asking for `name` (None: for no host)."""

    def __init__(self, address: str, name: str | None, context: ssl.SSLContext, port: int = 443) -> None:
        super().__init__(address, port, timeout=SECONDS, context=context)
        self._name, self._tls = name, context

    def connect(self) -> None:
        plain = socket.create_connection((self.host, self.port), self.timeout)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self._name)


def context_of(roots: str | None, *, check: bool = True) -> ssl.SSLContext:
    """A client that trusts these roots (PEM) alone; None: whatever it is shown."""
    context = ssl.create_default_context(cadata=roots) if roots else ssl.create_default_context()
    context.check_hostname = bool(roots) and check
    context.verify_mode = ssl.CERT_REQUIRED if roots else ssl.CERT_NONE
    return context


def ask(
    address: str,
    host: str | None,
    path: str = "/",
    *,
    https: bool = False,
    roots: str | None = None,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    sni: str | None = None,
) -> Reply:
    """One request. `host` None: without a Host header; `sni` "": TLS names no host."""
    connection: http.client.HTTPConnection
    if https:
        name = (host if sni is None else sni) or None
        connection = _Connection(address, name, context_of(roots, check=name is not None))
    else:
        connection = http.client.HTTPConnection(address, 80, timeout=SECONDS)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        sent = {**({"Host": host} if host is not None else {}), **(headers or {})}
        if body is not None:
            sent.setdefault("Content-Length", str(len(body)))
        for key, value in sent.items():
            connection.putheader(key, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        found = {key.lower(): value for key, value in answer.getheaders()}
        return Reply(answer.status, found, text, _issuer(connection))
    finally:
        connection.close()


def sign_guestbook(address: str, name: str, text: str) -> Reply:
    """Sign the example project's guestbook over HTTPS as a browser does."""
    page = ask(address, name, https=True)
    cookie = SimpleCookie(page.headers["set-cookie"])["csrftoken"]
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.body)
    assert token is not None
    fields = {"csrfmiddlewaretoken": token[1], "name": "Ada", "message": text}
    headers = {
        "Cookie": f"csrftoken={cookie.value}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": f"https://{name}",
        "Referer": f"https://{name}/",
    }
    return ask(address, name, https=True, method="POST", body=urlencode(fields).encode(), headers=headers)


def _issuer(connection: http.client.HTTPConnection) -> str:
    if not isinstance(connection.sock, ssl.SSLSocket):
        return ""
    parts = connection.sock.getpeercert() or {}
    fields = dict(pair for entry in parts.get("issuer", ()) for pair in entry)  # type: ignore[misc]
    return str(fields.get("commonName", ""))


def certificate(address: str, name: str | None) -> str:
    """The certificate that a visitor is shown, PEM."""
    with (
        socket.create_connection((address, 443), SECONDS) as plain,
        context_of(None).wrap_socket(plain, server_hostname=name) as secure,
    ):
        return ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True) or b"")


def protocol(address: str, name: str) -> str | None:
    """What the server chooses of HTTP/2 and HTTP/1.1."""
    context = context_of(None)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection((address, 443), SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        return secure.selected_alpn_protocol()


# Between two visits: what is tested needs the processor, too.
PAUSE = 0.05


@dataclass
class Traffic:
    """What visitors met meanwhile."""

    asked: int = 0
    failed: list[str] = field(default_factory=list)


@contextmanager
def traffic(address: str, host: str, *, https: bool) -> Iterator[Traffic]:
    """Ask again and again for the length of the block, each time over a new connection."""
    seen, end = Traffic(), threading.Event()

    def visit() -> None:
        while not end.wait(PAUSE):
            began = time.monotonic()
            try:
                reply = ask(address, host, https=https)
                if reply.status != 200:
                    seen.failed.append(f"status {reply.status}")
            except (OSError, http.client.HTTPException) as error:
                seen.failed.append(f"{error} after {time.monotonic() - began:.2f} s")
            seen.asked += 1

    thread = threading.Thread(target=visit, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        end.set()
        thread.join(2 * SECONDS)
