"""The read-back through a real nginx: only an answer by way of the project's own site counts."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from codesensei.render import site
from codesensei.scripts.base import host, probe, sites, units
from codesensei.scripts.base.sites import Configuration
from codesensei.scripts.base.step import Failure
from codesensei.scripts.base.units import UnitState
from codesensei.scripts.base.visits import Visit
from codesensei.scripts.release.release import Release
from codesensei.scripts.serving import edge
from codesensei.wire import paths
from tests.render.nginx_program import configuration, nginx
from tests.scripts.examples import each
from tests.scripts.manifests import PROJECT, manifest

pytestmark = pytest.mark.slow

NAME = "4f2a9c1-8be01d7"
HOSTS = manifest().health.hosts
OTHER = "127.0.0.2"
RIVAL = """
server {{
    listen {0}; server_name {1}; access_log {2}/rival.log; location / {{ return 200 "the old site"; }}
    ssl_certificate {2}/certificate.pem; ssl_certificate_key {2}/key.pem;
}}
"""


class _Page(BaseHTTPRequestHandler):
    """The project: its front page leads to another one."""

    def do_GET(self) -> None:
        self.send_response(302 if self.path == "/" else 200)
        self.send_header("Location", "/home/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def address_string(self) -> str:
        return "proxy"

    def log_message(self, *_: object) -> None:
        pass


def free_port() -> int:
    """One that no connection of others is given meanwhile."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with socket.socket() as found, contextlib.suppress(OSError):
            found.bind(("", port))
            return port


@pytest.fixture
def served(server: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """A function that starts nginx with the project's site and, before it, a rival that listens there."""
    monkeypatch.setattr(paths, "SERVER", replace(paths.SERVER, processes=server / "proc"))
    monkeypatch.setattr(probe, "PORTS", {"http": free_port(), "https": free_port()})
    monkeypatch.setattr(edge, "NOTED_SECONDS", 0.5)
    monkeypatch.setattr(units, "show_all", each(lambda name: UnitState(active="active", main_pid="77")))
    monkeypatch.setattr(sites, "configuration", Configuration)
    monkeypatch.setattr(units, "ensure_running", lambda step, unit, name: None)
    PROJECT.release(NAME).mkdir(parents=True)
    (server / "proc/77").mkdir(parents=True)
    (server / "proc/77/cwd").symlink_to(PROJECT.release(NAME))
    PROJECT.hand_over.mkdir()
    server.chmod(0o755)
    backend = socketserver.ThreadingUnixStreamServer(str(PROJECT.door), _Page)
    threading.Thread(target=backend.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    started: list[subprocess.Popen[bytes]] = []

    def start(rival: str = "", *, external: bool = False) -> None:
        tls: dict[str, Any] = {"certificate": f"{server}/certificate.pem", "key": f"{server}/key.pem"}
        if external:
            tls = {"trusted_proxies": ["240.0.0.1"], "external_tls": True}
        text = site.site(PROJECT, hostnames=HOSTS, static_url=None, **tls)
        ports, before = probe.PORTS, RIVAL.format(rival, HOSTS[1], server) if rival else ""
        owner = "user root;" if os.getuid() == 0 else ""
        file = configuration(server, before + text, f"{owner} daemon off; error_log {server}/error.log;")
        text = file.read_text().replace("listen 80", f"listen {ports['http']}")
        text = text.replace("listen 443 ssl", f"listen {ports['https']} ssl")
        file.write_text("\n".join(line for line in text.splitlines() if "listen [::]" not in line))
        started.append(subprocess.Popen([nginx(), "-c", str(file), "-p", str(server)]))
        deadline = time.monotonic() + 10
        while socket.socket().connect_ex(("127.0.0.1", ports["https"])):
            assert started[0].poll() is None, (server / "error.log").read_text()
            assert time.monotonic() < deadline

    yield start
    for process in started:
        process.terminate()
        process.wait(timeout=10)
    backend.shutdown()
    backend.server_close()


def read_back(make_step: Any, *, external: bool = False) -> None:
    health = replace(manifest().health, accept=("2xx", "3xx"), external_tls=external)
    step = make_step("switch", data=manifest(health=health))
    edge.read_back(step, Release(PROJECT, NAME, "deploy", ".", "shop.settings"), time.time())


@pytest.mark.proves("switch.edge", "switch.read-back")
def test_the_project_s_own_site_leaves_its_proof(served: Any, make_step: Any) -> None:
    served()
    read_back(make_step)
    lines = PROJECT.site_log.read_text().splitlines()
    # Of each name: the page, where it leads, and the way there from HTTP; each visit with a word of its own.
    assert [line.split('"')[1].split()[1] for line in lines] == ["/", "/home/", "/"] * len(HOSTS)
    agents = {line.split('"')[5] for line in lines}
    assert len(agents) == 2 * len(HOSTS)
    assert {agent.split()[0] for agent in agents} == {probe.AGENT}


@pytest.mark.proves("switch.edge")
@pytest.mark.parametrize("place", ["http", "https"])
def test_another_site_that_has_the_name_does_not_pass(served: Any, make_step: Any, place: str) -> None:
    """Nor one that only visitors without TLS meet."""
    served({"http": str(probe.PORTS["http"]), "https": f"{probe.PORTS['https']} ssl"}[place])
    with pytest.raises(
        Failure, match=f"hostname {HOSTS[1]}: not this project's site has answered, with HTTP status 200"
    ):
        read_back(make_step)


@pytest.mark.proves("switch.edge", "tls.external")
def test_where_tls_ends_before_the_server(served: Any, make_step: Any) -> None:
    """The page as the load balancer gets it, and the way there that strangers are shown."""
    own = next(iter(host.own_addresses()), None) or pytest.skip("this machine has no address but the loopback")
    served(external=True)
    read_back(make_step, external=True)
    lines = [line.split('"') for line in PROJECT.site_log.read_text().splitlines()]
    seen = [(line[0].split()[0], line[1].split()[1], line[2].split()[0]) for line in lines]
    here = edge.LOOPBACK
    assert seen == [(here, "/", "302"), (here, "/home/", "200"), (own, "/", "301")] * len(HOSTS)


@pytest.mark.proves("switch.edge", "tls.external")
def test_another_site_is_seen_where_tls_ends_before_the_server(
    served: Any, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    served(f"{OTHER}:{probe.PORTS['http']}", external=True)
    monkeypatch.setattr(host, "own_addresses", lambda: [OTHER])
    with pytest.raises(Failure, match="not this project's site has answered"):
        read_back(make_step, external=True)


@pytest.mark.proves("switch.edge")
def test_it_is_asked_where_strangers_come(served: Any, make_step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A site that has the server's own address for itself is met there alone."""
    served(f"{OTHER}:{probe.PORTS['http']}")
    monkeypatch.setattr(host, "own_addresses", lambda: ["127.0.0.1"])
    read_back(make_step)
    monkeypatch.setattr(host, "own_addresses", lambda: [OTHER])
    with pytest.raises(Failure, match="not this project's site has answered"):
        read_back(make_step)
    # Nobody needs to listen at another address than the first one.
    monkeypatch.setattr(host, "own_addresses", lambda: ["127.0.0.1", "2001:db8::1"])
    read_back(make_step)


@pytest.mark.proves("switch.edge")
def test_a_log_that_is_rotated_in_between_is_no_matter(
    served: Any, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    served()
    real = probe.visit
    monkeypatch.setattr(host, "own_addresses", lambda: ["127.0.0.1"])
    visits = 0

    def visit(*arguments: Any) -> Visit:
        nonlocal visits
        visits += 1
        found = real(*arguments)
        if visits == 1:
            PROJECT.site_log.write_text("")
        return found

    monkeypatch.setattr(probe, "visit", visit)
    read_back(make_step)
    assert visits == 2 * len(HOSTS) + 1
