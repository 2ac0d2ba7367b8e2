"""What counts as an answer of the project, and where a redirect may lead."""

from __future__ import annotations

import http.server
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from codesensei.scripts.base.probe import Answer, accepted, ask_socket, is_nginx_own, wrong_redirect

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


@pytest.mark.proves("tls.redirect")
@pytest.mark.parametrize(
    ("location", "scheme", "wrong"),
    [
        ("/login/", "http", ""),
        ("login/", "http", ""),
        ("http://shop.example.com/login/", "http", ""),
        ("//www.example.com/", "http", ""),
        ("https://shop.example.com/", "http", "redirects to https"),
        ("http://shop.example.com/", "https", "redirects to http"),
        ("http://other.example.org/", "http", "other.example.org"),
    ],
)
def test_redirects(location: str, scheme: str, wrong: str) -> None:
    answer = Answer(302, location)
    hosts = ["shop.example.com", "www.example.com"]
    said = wrong_redirect(answer, host=hosts[0], scheme=scheme, url_path="/", hosts=hosts)
    assert (wrong in said) if wrong else said == ""


def test_an_answer_that_is_no_redirect_leads_nowhere_wrong() -> None:
    assert wrong_redirect(Answer(200, "http://x.org/"), host="a", scheme="http", url_path="/", hosts=["a"]) == ""


def test_nginx_page_is_not_the_projects() -> None:
    assert is_nginx_own(Answer(404, body="<center><h1>404 Not Found</h1></center>\r\n<hr><center>nginx</center>"))
    assert not is_nginx_own(Answer(404, body="<h1>Not Found</h1>"))
    assert not is_nginx_own(Answer(200, body="<hr><center>nginx</center>"))


class _Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = "\n".join(f"{name}: {value}" for name, value in sorted(self.headers.items())).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass

    def address_string(self) -> str:
        return "socket"


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[str]:
    path = str(tmp_path / "web.sock")
    with socketserver.UnixStreamServer(path, _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield path
        server.shutdown()
        thread.join()


@pytest.mark.proves("tls.probe")
def test_the_candidate_is_asked_as_the_proxy_would_ask(echo: str) -> None:
    answer = ask_socket(echo, host="shop.example.com", scheme="https", url_path="/health", timeout=5)
    assert answer.status == 200
    assert "Host: shop.example.com" in answer.body
    assert "X-Forwarded-Proto: https" in answer.body


def test_no_process_is_told_in_words(tmp_path: Path) -> None:
    answer = ask_socket(str(tmp_path / "none"), host="a", scheme="http", url_path="/", timeout=1)
    assert answer.status == 0
    assert "FileNotFoundError" in answer.words()
