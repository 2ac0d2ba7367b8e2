"""Under which names the project answers, and the address that opens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei import remote
from codesensei.webservers import SERVERS
from codesensei.wire import codec
from tests.components import recorder, stacks

APPS = "  codesensei:appsDomain: apps.example.com\n"
TLS = "  codesensei:tls: selfSigned\n"
GENERATED = f"{recorder.UUID}.apps.example.com"
NAMES = {
    "an address": ([(APPS, "")], ["203.0.113.7"], "https://203.0.113.7/"),
    "an address without TLS": ([(APPS, ""), (TLS, "")], ["203.0.113.7"], "http://203.0.113.7/"),
    "an IPv6 address": ([(APPS, ""), ("203.0.113.7", '"2001:db8::1"')], ["2001:db8::1"], "https://[2001:db8::1]/"),
    "a generated name": ([], [GENERATED], f"https://{GENERATED}/"),
    "names of one's own first": (
        [(TLS, "  codesensei:domains: [shop.example.com, www.example.com]\n")],
        ["shop.example.com", "www.example.com", GENERATED],
        "http://shop.example.com/",
    ),
}


@pytest.mark.proves("proxy.events")
@pytest.mark.parametrize(("interface", "server"), [("wsgi", "gunicorn"), ("asgi", "daphne"), ("asgi", "uvicorn")])
def test_events_are_passed_on_where_a_slow_visitor_holds_no_process(
    interface: Any, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(recorder.code().settings, interface=interface)
    changes: dict[str, Any] = {"settings": settings, "server": SERVERS[server]}
    declared = recorder.run(stacks.loaded(tmp_path, stacks.GIVEN), remote.Look(), monkeypatch, **changes)
    manifest = codec.plain(declared.find("shop-switch").inputs["stdin"])
    site = str(next(file["content"] for file in manifest["files"] if file["path"].startswith("/etc/nginx")))
    assert ("proxy_buffering off" in site) is (interface == "asgi")


@pytest.mark.proves("static.within-media")
@pytest.mark.parametrize("static", ["serve", "none"])
def test_who_serves_static_files_below_the_uploads(
    static: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = stacks.GIVEN.replace("mediaServing: proxy", f"mediaServing: proxy\n    static: {static}")
    settings = replace(recorder.code().settings, static_url="/media/static/")
    declared = recorder.run(stacks.loaded(tmp_path, text), remote.Look(), monkeypatch, settings=settings)
    manifest = codec.plain(declared.find("shop-switch").inputs["stdin"])
    site = str(next(file["content"] for file in manifest["files"] if file["path"].startswith("/etc/nginx")))
    assert ('location ^~ "/media/static/" {' in site) == (static == "none")
    assert ("location @codesensei_shop_previous {" in site) == (static == "serve")


@pytest.mark.proves("media.internal")
@pytest.mark.parametrize(
    ("serving", "prefix"), [("internal", "/media/"), ("{internal: /protected/}", "/protected/"), ("none", None)]
)
def test_where_views_name_uploads(
    serving: str, prefix: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = stacks.GIVEN.replace("mediaServing: proxy", f"mediaServing: {serving}")
    declared = recorder.run(stacks.loaded(tmp_path, text), remote.Look(), monkeypatch)
    manifest = codec.plain(declared.find("shop-switch").inputs["stdin"])
    site = str(next(file["content"] for file in manifest["files"] if file["path"].startswith("/etc/nginx")))
    assert (manifest.get("mediaUrl"), manifest.get("mediaInternal", False)) == (prefix, prefix is not None)
    assert (f'location ^~ "{prefix}" {{' in site) == (prefix is not None)
    assert ("internal;" in site) == (prefix is not None)
    assert (
        codec.plain(declared.find("shop-account").inputs["stdin"])["mediaServing"] == serving.strip("{").split(":")[0]
    )


@pytest.mark.proves("proxy.hostnames", "proxy.url")
@pytest.mark.parametrize("name", NAMES)
def test_host_names_and_url(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes, hostnames, url = NAMES[name]
    text = stacks.GENERATED
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    monkeypatch.setattr(stacks, "GENERATED", text)
    declared = recorder.run(stacks.generated(tmp_path), remote.Look(), monkeypatch)
    manifest = codec.plain(declared.find("shop-switch").inputs["stdin"])
    assert declared.outputs["hostnames"] == manifest["health"]["hosts"] == hostnames
    assert manifest["url"] == url
    assert f"{manifest['health']['scheme']}:" == url.partition("//")[0]
