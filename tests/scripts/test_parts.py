"""What the first page is made of, as far as visitors do not get it."""

from __future__ import annotations

from typing import Any

import pytest

from codesensei.scripts.base import host, probe
from codesensei.scripts.base.visits import Answer, Door
from codesensei.scripts.serving import parts
from tests.scripts.machine.processes import App
from tests.scripts.machine.scenarios import NEW_COMMIT, switch
from tests.scripts.manifests import manifest

pytestmark = pytest.mark.proves("visitors.parts")

HOSTS = ("shop.example.com", "*.tenants.example")
PAGE = """<!doctype html><html><head>
<link rel="stylesheet" href="/static/a.css?v=1#x"><link href=b.css rel="preload Stylesheet">
<link rel="icon" href="/favicon.ico"><link rel=stylesheet><script>inline()</script>
<script src="//shop.example.com/static/c.js"></script><script async src='http://cdn.example/d.js'></script>
<!-- <script src="/static/old.js"></script> --><script src="http://[x/"></script><script src="data:,x"></script>
<script src="http://a.tenants.example/e.js"></script><script src="/static/a.css?v=1"></script>
"""


def test_which_parts_are_the_site_s_own() -> None:
    page = Answer(200, body=PAGE, url="http://shop.example.com/home/")
    assert parts.named(page, HOSTS) == [
        "http://shop.example.com/static/a.css?v=1",
        "http://shop.example.com/home/b.css",
        "http://shop.example.com/static/c.js",
        "http://a.tenants.example/e.js",
    ]


def test_what_no_parser_takes_is_no_fault_of_a_deploy() -> None:
    page = Answer(
        200, body='<script src="/a.js"></script><![x[ y ]]><script src="/b.js">', url="http://shop.example.com/"
    )
    assert parts.named(page, HOSTS) == ["http://shop.example.com/a.js"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(404), "/static/a.css (HTTP status 404)"),
        (Answer(403), "/static/a.css (HTTP status 403)"),
        (Answer(error="no answer (ConnectionResetError: )"), "/static/a.css (no answer (ConnectionResetError: ))"),
        (Answer(200), ""),
        (Answer(304), ""),
    ],
)
def test_what_visitors_do_not_get_is_told(monkeypatch: pytest.MonkeyPatch, answer: Answer, told: str) -> None:
    asked: list[tuple[str, str]] = []

    def ask(door: Door, url: str, *_: Any) -> Answer:
        asked.append((door.address, url))
        page = Answer(200, body='<link rel="stylesheet" href="/static/a.css">', url=url)
        return page if url.endswith(".com/") else Answer(answer.status, error=answer.error, url=url)

    monkeypatch.setattr(probe, "ask", ask)
    monkeypatch.setattr(host, "own_addresses", lambda: ["192.0.2.7"])
    found = [*parts.warnings(manifest().health)]
    assert [told in sentence for sentence in found] == ([True] if told else [])
    assert not told or "the page / names styles or scripts that visitors do not get" in found[0]
    assert {address for address, _ in asked} == {"192.0.2.7"}
    assert asked[-1][1].endswith("/static/a.css")


def test_a_page_that_is_none_has_no_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(_: Door, url: str, *__: Any) -> Answer:
        return Answer(404, body='<script src="/static/a.js"></script>', url=url)

    monkeypatch.setattr(probe, "ask", ask)
    monkeypatch.setattr(host, "own_addresses", lambda: ["192.0.2.7"])
    assert [*parts.warnings(manifest().health)] == []


def test_only_the_first_parts_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    body = "".join(f'<script src="/static/{number}.js"></script>' for number in range(40))
    asked: list[str] = []

    def ask(_: Door, url: str, *__: Any) -> Answer:
        asked.append(url)
        return Answer(200 if url.endswith(".com/") else 404, body=body, url=url)

    monkeypatch.setattr(probe, "ask", ask)
    monkeypatch.setattr(host, "own_addresses", lambda: ["192.0.2.7"])
    (told,) = parts.warnings(manifest().health)
    assert len(asked) == 1 + parts.MOST
    assert f"/static/2.js (HTTP status 404) and {parts.MOST - parts.SHOWN} more;" in told


def test_a_switch_tells_of_them_and_succeeds() -> None:
    body = '<link rel="stylesheet" href="/static/gone.css"><script src="/static/there.js"></script>'
    with NEW_COMMIT.machine() as machine:
        machine.apps[NEW_COMMIT.after.release] = App(body=body, pages={"/static/gone.css": 404})
        ended = switch(machine, NEW_COMMIT.after)
        assert ended.ok
        (told,) = [text for text in ended.result["warnings"] if "names styles or scripts" in text]
        assert "/static/gone.css (HTTP status 404)" in told
        assert "there.js" not in told
