"""The demo's checks pass on a site that is as it should be and fail on each that is not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from tools.demo import checks
from tools.demo.browser import Browser
from tools.demo.errors import DemoError

GREETING = "Fish & chips"


class Site:
    """A guestbook of one page; each fault is one thing that a broken deploy shows."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.entries: list[str] = []
        self.views = 0

    def page(self) -> str:
        self.views += 1
        greeting = "Something else" if self.fault == "greeting" else "Fish &amp; chips"
        name = "a.css" if self.fault == "name" else "a.0123456789ab.css"
        done = '<span class="job done">4 words</span>'
        if self.fault == "words":
            done = '<span class="job done">5 words</span>'
        articles = "".join(
            f'<article id="entry-{number}">{text} {"" if self.fault == "job" else done}</article>'
            for number, text in enumerate(self.entries, 1)
        )
        return (
            f'<link rel="stylesheet" href="/static/{name}"><p>{greeting}</p>'
            f'<input type="hidden" name="csrfmiddlewaretoken" value="token">{articles}'
        )


class Handler(BaseHTTPRequestHandler):
    """Answers as nginx and the guestbook do."""

    site: Site

    def do_GET(self) -> None:
        site = self.site
        if self.headers["Host"] == "unknown.example":
            self.answer(200 if site.fault == "hosts" else 404, site.page() if site.fault == "hosts" else "")
        elif self.path == "/":
            self.answer(500 if site.fault == "page" else 200, site.page(), {"Set-Cookie": "csrftoken=c; Path=/"})
        else:
            age = "60" if site.fault == "age" else "31536000"
            kind = "text/plain" if site.fault == "type" else "text/css"
            self.answer(200, "body {}", {"Content-Type": kind, "Cache-Control": f"max-age={age}"})

    def do_POST(self) -> None:
        fields = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        good = fields["csrfmiddlewaretoken"] == ["token"] and "csrftoken=c" in self.headers["Cookie"]
        if not good and self.site.fault != "csrf":
            self.answer(403, "")
            return
        if self.site.fault != "row":
            self.site.entries.append(fields["message"][0])
        self.answer(302, "", {"Location": "/"})

    def answer(self, status: int, body: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def served(site: Site) -> Iterator[str]:
    """The site's URL on a port of its own."""
    handler = type("SiteHandler", (Handler,), {"site": site})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_address[1]}/"
        finally:
            http.shutdown()
            thread.join()


def all_checks(url: str) -> list[str]:
    """Every check in the demo's order."""
    browser = Browser(url)
    results = [checks.check_page(browser, GREETING)]
    seen, entry = checks.check_entry(browser)
    results += [seen, checks.check_job(browser, entry), checks.check_static(browser)]
    return [*results, checks.check_unknown_host(url, GREETING)]


def test_a_good_site_passes_all_checks() -> None:
    with served(Site()) as url:
        results = all_checks(url)
    assert len(results) == 5
    assert "4 words" in results[2]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("page", "answers 200"),
        ("greeting", "shows GREETING"),
        ("csrf", "wrong CSRF token is refused"),
        ("row", "just written"),
        ("job", "within 0.2 s"),
        ("words", "counts 4 words"),
        ("name", "hashed name"),
        ("age", "for a year"),
        ("type", "text/css"),
        ("hosts", "no project"),
    ],
)
def test_each_fault_is_found(fault: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "JOB_SECONDS", 0.2)
    monkeypatch.setattr(checks, "POLL_SECONDS", 0.05)
    with served(Site(fault)) as url, pytest.raises(DemoError, match=words):
        all_checks(url)


def test_a_site_that_does_not_answer_is_named() -> None:
    with served(Site()) as url:
        pass
    with pytest.raises(DemoError, match=url):
        Browser(url).get("/")
