"""A crowd writes down every bad answer, whatever the site does to it."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from tools.trials.crowd import Crowd


class Visits(Crowd):
    """One visitor with a habit that a test gives."""

    habit: Callable[[], None] = staticmethod(lambda: None)

    def habits(self) -> Iterator[Callable[[], None]]:
        """Its only one."""
        yield self.habit


@contextmanager
def site(status: int, text: str = "well") -> Iterator[int]:
    """A site that has one answer; its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def visitor(port: int) -> Visits:
    return Visits(SimpleNamespace(host=f"127.0.0.1:{port}"), "shop.example")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "text", "expected", "problem"),
    [
        (200, "well", "", ""),
        (200, "well", "well", ""),
        (200, "half", "whole", "status 200: half"),
        (502, "bad gateway", "", "status 502: bad gateway"),
    ],
)
@pytest.mark.slow
def test_an_answer_is_judged_by_status_and_text(status: int, text: str, expected: str, problem: str) -> None:
    with site(status, text) as port:
        found = visitor(port)
        assert found.ask("read", "POST", "/", b"body", expected=expected).problem == problem
    assert [answer.problem for answer in found.answers] == [problem]
    assert bool(found.failed) is bool(problem)


@pytest.mark.slow
def test_no_answer_at_all_is_a_failed_request() -> None:
    with site(200) as port:
        pass
    found = visitor(port)
    assert "refused" in found.get("read", "/").problem
    assert len(found.failed) == 1


@pytest.mark.slow
def test_what_a_page_takes_itself_is_no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter((100.0, 113.0))
    with site(200) as port:
        found = visitor(port)
        monkeypatch.setattr(time, "monotonic", lambda: next(times))
        found.get("long", "/slow", own=10.0)
    assert found.answers[0].seconds == 3.0


def test_a_visitor_that_gives_up_is_told() -> None:
    found = visitor(1)

    def give_up() -> None:
        raise ValueError("what is this page")

    found.habit = give_up
    with found:
        pass
    assert [answer.problem for answer in found.failed] == ["a visitor gave up: ValueError('what is this page')"]
