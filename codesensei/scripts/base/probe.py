"""Ask a web process over its socket, or the edge proxy over TCP, as a visitor would: also where a redirect leads."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Collection, Iterator
from http.cookiejar import CookieJar
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import Request

from codesensei.scripts.base.visits import CIRCLE, ELSEWHERE, SLOW, Answer, Door, Visit
from codesensei.wire.names import is_served

# Pages in DEBUG begin with their style sheet.
BODY_READ = 20_000
AGENT = "codesensei-probe"
# More redirects in a row than any sound page has: a login page that needs a login, for example, never ends.
FOLLOWED = 10
PORTS = {"http": 80, "https": 443}
# What may stand in an address as it is; browsers percent-encode the rest.
_PLAIN = "%!#$&'()*+,/:;=?@[]~"


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _SniConnection(http.client.HTTPSConnection):
    """TLS under the site's own name; who signed the certificate does not matter here."""

    def __init__(self, address: str, name: str, timeout: float) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        super().__init__(address, PORTS["https"], timeout=timeout, context=context)
        self._name, self._tls = name, context

    def connect(self) -> None:
        plain = socket.create_connection((self.host, self.port), self.timeout)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self._name)


def visit(door: Door, url: str, hosts: Collection[str], timeout: float) -> Visit:
    """GET `url`, keep cookies, and follow redirects within `hosts`; `timeout` in seconds for each answer."""
    cookies, answers, asked = CookieJar(), list[Answer](), set[tuple[str, str]]()
    while True:
        asked.add((url, _kept(cookies)))
        answers.append(answer := ask(door, url, cookies, timeout))
        if not answer.redirects:
            return Visit(tuple(answers))
        try:
            url, problem = _target(answer, hosts)
        except ValueError:
            problem = "it redirects to what is no address"
        if not problem and ((url, _kept(cookies)) in asked or len(answers) > FOLLOWED):
            problem = CIRCLE
        if problem:
            return Visit(tuple(answers), problem)


def _target(answer: Answer, hosts: Collection[str]) -> tuple[str, str]:
    """Where a redirect leads, and why that is not what the stack serves; ValueError for no address at all."""
    scheme = urlsplit(answer.url).scheme
    url = quote(urljoin(answer.url, answer.location).encode("latin-1", "replace"), safe=_PLAIN).partition("#")[0]
    target = urlsplit(url)
    if not is_served(target.hostname or "", hosts):
        return url, f"{ELSEWHERE} {target.hostname}, which is none of this stack's ({', '.join(hosts)})"
    if target.scheme != scheme:
        return url, f"it redirects to {target.scheme}, and this stack is served over {scheme}"
    if target.port not in (None, PORTS[scheme]):
        return url, f"it redirects to port {target.port}, and this stack is served on port {PORTS[scheme]}"
    return url, ""


def _kept(cookies: CookieJar) -> str:
    return repr(sorted((cookie.domain, cookie.path, cookie.name, cookie.value) for cookie in cookies))


def ask(door: Door, url: str, cookies: CookieJar, timeout: float) -> Answer:
    """One GET: to the process itself with the headers that the proxy would send."""
    parts = urlsplit(url)
    request = Request(url)
    cookies.add_cookie_header(request)
    headers = {"Host": parts.netloc, "User-Agent": f"{AGENT} {door.word}".rstrip(), **dict(request.header_items())}
    if door.socket:
        headers |= {"X-Forwarded-Proto": parts.scheme, "X-Forwarded-Host": parts.netloc}
        headers |= {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"}
    connection = _connection(door, parts.scheme, parts.hostname or "", timeout)
    path = parts._replace(scheme="", netloc="", path=parts.path or "/").geturl()
    late = threading.Event()
    try:
        connection.connect()
        with _cut_off(connection.sock, timeout, late):
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            cookies.extract_cookies(response, request)
            body = response.read(BODY_READ).decode("utf-8", "replace")
        error = SLOW if late.is_set() else ""
        return Answer(response.status, response.getheader("Location") or "", body, error, url=url)
    except (OSError, http.client.HTTPException) as error:
        slow = late.is_set() or isinstance(error, TimeoutError)
        return Answer(error=SLOW if slow else f"no answer ({error.__class__.__name__}: {error})", url=url)
    finally:
        connection.close()


@contextlib.contextmanager
def _cut_off(connection: socket.socket, seconds: float, late: threading.Event) -> Iterator[None]:
    """End an answer that comes in drips: the socket's own timeout begins again with each of them."""

    def cut() -> None:
        late.set()
        with contextlib.suppress(OSError):
            # Not TLS's own, which takes the connection away from who still reads.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _connection(door: Door, scheme: str, host: str, timeout: float) -> http.client.HTTPConnection:
    if door.socket:
        return _SocketConnection(door.socket, timeout)
    if scheme == "https" and not door.plain:
        return _SniConnection(door.address, host, timeout)
    return http.client.HTTPConnection(door.address, PORTS["http"], timeout=timeout)
