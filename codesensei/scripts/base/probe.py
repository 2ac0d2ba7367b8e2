"""Ask a web process over its socket, or the proxy over TCP, as a visitor would."""

from __future__ import annotations

import html
import http.client
import re
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

# Pages in DEBUG begin with their style sheet.
BODY_READ = 20_000
BODY_HEAD = 300
SLOW = "it did not answer in time"


@dataclass(frozen=True)
class Answer:
    """A response; `error` instead of a status when there was none."""

    status: int = 0
    location: str = ""
    body: str = ""
    error: str = ""

    def words(self) -> str:
        return self.error or f"HTTP status {self.status}" + (f", Location: {self.location}" if self.location else "")


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _SniConnection(http.client.HTTPSConnection):
    """TLS to loopback under the site's own name; who signed the certificate does not matter here."""

    def __init__(self, name: str, timeout: float) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        super().__init__("127.0.0.1", 443, timeout=timeout, context=context)
        self._name, self._tls = name, context

    def connect(self) -> None:
        plain = socket.create_connection(("127.0.0.1", 443), self.timeout)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self._name)


def ask_socket(path: str, *, host: str, scheme: str, url_path: str, timeout: float) -> Answer:
    """GET `url_path` from the process behind a unix socket, with the headers that the proxy would send."""
    visitor = {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"}
    headers = {"X-Forwarded-Proto": scheme, "X-Forwarded-Host": host, **visitor}
    return _ask(_SocketConnection(path, timeout), host, url_path, headers)


def ask_proxy(*, host: str, scheme: str, url_path: str, timeout: float) -> Answer:
    """GET `url_path` through the proxy on this server."""
    plain = http.client.HTTPConnection("127.0.0.1", 80, timeout=timeout)
    return _ask(_SniConnection(host, timeout) if scheme == "https" else plain, host, url_path, {})


def _ask(connection: http.client.HTTPConnection, host: str, url_path: str, headers: dict[str, str]) -> Answer:
    try:
        connection.request("GET", url_path, headers={"Host": host, "User-Agent": "codesensei-probe", **headers})
        response = connection.getresponse()
        body = response.read(BODY_READ).decode("utf-8", "replace")
        return Answer(response.status, response.getheader("Location") or "", body)
    except TimeoutError:
        return Answer(error=SLOW)
    except (OSError, http.client.HTTPException) as error:
        return Answer(error=f"no answer ({error.__class__.__name__}: {error})")
    finally:
        connection.close()


def head_of(body: str) -> str:
    """The first words of a page, without its markup."""
    plain = re.sub(r"(?is)<(head|style|script|svg)\b.*?(</\1>|$)|<!--.*?-->|<[^>]*>", " ", body)
    words = " ".join(html.unescape(plain).split())
    return words if len(words) <= BODY_HEAD else words[:BODY_HEAD] + "..."


def is_nginx_own(answer: Answer) -> bool:
    """Whether the answer is nginx's own error page: an unknown host, or no process behind the socket."""
    return answer.status >= 400 and "<hr><center>nginx" in answer.body


def accepted(answer: Answer, patterns: Sequence[str]) -> bool:
    """Whether the status is one of `patterns` ("2xx", "404")."""
    return any(f"{answer.status:03d}" == pattern or pattern == f"{answer.status // 100}xx" for pattern in patterns)


def wrong_redirect(answer: Answer, *, host: str, scheme: str, url_path: str, hosts: Sequence[str]) -> str:
    """Why a redirect leads away from what the stack serves; empty when it does not."""
    if not 300 <= answer.status < 400 or not answer.location:
        return ""
    target = urlsplit(urljoin(f"{scheme}://{host}{url_path}", answer.location))
    if target.hostname not in hosts:
        return f"it redirects to the host {target.hostname}, which is none of this stack's ({', '.join(hosts)})"
    if target.scheme != scheme:
        return f"it redirects to {target.scheme}, and this stack is served over {scheme}"
    return ""
