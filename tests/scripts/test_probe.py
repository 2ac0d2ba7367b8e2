"""What counts as an answer of the project, and where a redirect may lead."""

from __future__ import annotations

import contextlib
import http.server
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from codesensei.scripts.base.probe import visit
from codesensei.scripts.base.visits import Answer, Door, Visit, accepted, is_nginx_own, url_of

ACCEPT = ["2xx", "3xx", "401", "403", "404"]


@pytest.mark.proves("config.health-check")
@pytest.mark.parametrize(
    ("status", "good"),
    [
        (200, True),
        (204, True),
        (302, True),
        (401, True),
        (404, True),
        (400, False),
        (405, False),
        (500, False),
        (0, False),
    ],
)
def test_accepted_statuses(status: int, good: bool) -> None:
    assert accepted(Answer(status), ACCEPT) is good


def test_nginx_page_is_not_the_projects() -> None:
    assert is_nginx_own(Answer(404, body="<center><h1>404 Not Found</h1></center>\r\n<hr><center>nginx</center>"))
    assert not is_nginx_own(Answer(404, body="<h1>Not Found</h1>"))
    assert not is_nginx_own(Answer(200, body="<hr><center>nginx</center>"))


class _Pages(http.server.BaseHTTPRequestHandler):
    """Pages that lead to one another, the last of each way telling what it was sent."""

    def do_GET(self) -> None:
        host, path = self.headers["Host"], self.path
        leads = {
            "/": "/en/",
            "/en/": "//www.example.com/login?next=/en/#top",
            "/circle": "/circle",
            "/round": "/about",
            "/about": "/round",
            "/spaces": "/a b/\u00fc",
            "/elsewhere": "http://other.example.org/",
            "/port": f"http://{host}:8000/",
            "/https": f"https://{host}/https",
            "/nowhere": "http://[/",
        }
        if path == "/cookie" and "seen=1" not in self.headers.get("Cookie", ""):
            leads[path] = path
        if path.startswith("/longer"):
            leads[path] = f"{path}r"
        if path.startswith("/drips"):
            self.drip(b"HTTP/1.0 200 OK\r\n" + (b"" if path == "/drips-before" else b"Content-Length: 1000\r\n\r\n"))
            return
        body = "\n".join(f"{name}: {value}" for name, value in sorted(self.headers.items())).encode()
        self.send_response(302 if path in leads else 200)
        if path in leads:
            self.send_header("Location", leads[path].encode().decode("latin-1"))
        if path in ("/cookie", "/"):
            self.send_header("Set-Cookie", "seen=1; Path=/")
            self.send_header("Set-Cookie", "safe=1; Path=/; Secure")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def drip(self, start: bytes) -> None:
        """A byte now and then, for ever, until the visitor goes."""
        pause = threading.Event()
        with contextlib.suppress(ConnectionError):
            self.connection.sendall(start)
            while not pause.wait(0.05):
                self.connection.sendall(b"x")

    def log_message(self, *_: object) -> None:
        pass

    def address_string(self) -> str:
        return "socket"


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    path = str(tmp_path / "web.sock")
    with socketserver.UnixStreamServer(path, _Pages) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Door(socket=path)
        server.shutdown()
        thread.join()


HOSTS = ["shop.example.com", "www.example.com"]


def come(door: Door, page: str, scheme: str = "http") -> Visit:
    return visit(door, url_of(scheme, HOSTS[0], page), HOSTS, 5)


@pytest.mark.proves("tls.probe")
def test_the_candidate_is_asked_as_the_proxy_would_ask(door: Door) -> None:
    (answer,) = come(door, "/health?x=1", "https").answers
    assert answer.status == 200
    assert "Host: shop.example.com\n" in answer.body
    assert "X-Forwarded-Proto: https\n" in answer.body
    assert "X-Forwarded-Host: shop.example.com\n" in answer.body
    assert answer.url == "https://shop.example.com/health?x=1"


@pytest.mark.proves("switch.redirects")
def test_a_visit_ends_where_its_redirects_end(door: Door) -> None:
    """To another page, then to another host of the stack's; each host gets the cookies that it has set."""
    found = come(door, "/")
    assert [answer.url for answer in found.answers] == [
        "http://shop.example.com/",
        "http://shop.example.com/en/",
        "http://www.example.com/login?next=/en/",
    ]
    assert (found.end.status, found.problem) == (200, "")
    assert "Host: www.example.com\n" in found.end.body
    assert "Cookie" not in found.end.body


@pytest.mark.proves("switch.redirects")
@pytest.mark.parametrize(("scheme", "cookies"), [("http", "seen=1"), ("https", "seen=1; safe=1")])
def test_cookies_are_kept(door: Door, scheme: str, cookies: str) -> None:
    found = come(door, "/cookie", scheme)
    assert [answer.status for answer in found.answers] == [302, 200]
    assert f"Cookie: {cookies}\n" in found.end.body


@pytest.mark.proves("proxy.patterns")
@pytest.mark.parametrize(("hosts", "problem"), [("*.example.org", False), ("*.example.com", True)])
def test_a_redirect_to_what_a_pattern_is_for(door: Door, hosts: str, problem: bool) -> None:
    found = visit(door, "http://shop.example.com/elsewhere", [hosts], 5)
    assert found.problem.startswith("it redirects to the host other.example.org") is problem


@pytest.mark.proves("switch.drips")
@pytest.mark.parametrize("page", ["/drips", "/drips-before"])
def test_an_answer_in_drips_is_none(door: Door, page: str) -> None:
    began = time.monotonic()
    (answer,) = visit(door, url_of("http", HOSTS[0], page), HOSTS, 0.3).answers
    assert answer.error == "it did not answer in time"
    assert time.monotonic() - began < 5


def test_an_address_is_encoded_as_browsers_do(door: Door) -> None:
    assert come(door, "/spaces").end.url == "http://shop.example.com/a%20b/%C3%BC"


@pytest.mark.proves("tls.redirect")
@pytest.mark.parametrize(
    ("page", "scheme", "problem"),
    [
        ("/elsewhere", "http", "it redirects to the host other.example.org, which is none of this stack's"),
        ("/https", "http", "it redirects to https, and this stack is served over http"),
        ("/port", "http", "it redirects to port 8000, and this stack is served on port 80"),
        ("/port", "https", "it redirects to http, and this stack is served over https"),
        ("/nowhere", "http", "it redirects to what is no address"),
    ],
)
def test_a_redirect_away_from_what_the_stack_serves(door: Door, page: str, scheme: str, problem: str) -> None:
    found = come(door, page, scheme)
    assert found.problem.startswith(problem)
    assert len(found.answers) == 1


@pytest.mark.proves("switch.redirects")
@pytest.mark.parametrize("page", ["/circle", "/round", "/longer"])
def test_redirects_without_an_end(door: Door, page: str) -> None:
    assert come(door, page).problem == "it redirects in a circle"


@pytest.mark.proves("switch.redirects")
def test_https_that_is_not_believed_redirects_in_a_circle(door: Door) -> None:
    assert come(door, "/https", "https").problem == "it redirects in a circle"


def test_no_process_is_told_in_words(tmp_path: Path) -> None:
    found = come(Door(socket=str(tmp_path / "none")), "/")
    assert found.end.status == 0
    assert "FileNotFoundError" in found.end.words()


@pytest.mark.parametrize(
    ("host", "url"), [("shop.example.com", "http://shop.example.com/a"), ("::1", "http://[::1]/a")]
)
def test_the_address_of_a_page(host: str, url: str) -> None:
    assert url_of("http", host, "/a") == url
