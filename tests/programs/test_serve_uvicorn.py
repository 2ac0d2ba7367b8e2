"""Uvicorn as the unit runs it: on a passed socket or its own, told by the proxy, ending when all is answered."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import unix_connect
from websockets.sync.connection import Connection

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).parents[2] / "codesensei/programs/serve_uvicorn.py"
SECONDS = 30.0
# Answers with what it knows of the request, after the time that the query names, as late as a WebSocket is accepted.
APPLICATION = """
import asyncio, json, logging.config, os
logging.config.dictConfig({"version": 1})
async def application(scope, receive, send):
    assert scope["type"] in ("http", "websocket")
    known = {name: scope[name] for name in ("client", "scheme", "server")}
    text = json.dumps({**known, "process": os.getpid()})
    await asyncio.sleep(float(scope["query_string"] or 0))
    if scope["type"] == "http":
        headers = [(b"content-length", str(len(text)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text.encode()})
    else:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": text})
        while (await receive())["type"] != "websocket.disconnect":
            pass
"""
TOLD = {"X-Real-IP": "198.51.100.7", "X-Forwarded-For": "6.6.6.6, 198.51.100.7", "X-Forwarded-Proto": "https"}
# What would serve another thing elsewhere, or nothing.
HOSTILE = {
    **{"UVICORN_UDS": "own.sock", "UVICORN_FD": "0", "UVICORN_RELOAD": "1", "UVICORN_WORKERS": "3"},
    **{"UVICORN_SSL_CERTFILE": "no.pem", "UVICORN_LOG_CONFIG": "no.ini", "UVICORN_ENV_FILE": "no.env"},
    **{"UVICORN_ACCESS_LOG": "0", "UVICORN_PROXY_HEADERS": "0", "UVICORN_APP_DIR": "/", "UVICORN_INTERFACE": "wsgi"},
    **{"UVICORN_HTTP2": "1", "UVICORN_VERSION": "1", "UVICORN_FORWARDED_ALLOW_IPS": "192.0.2.1"},
}
Process = subprocess.Popen[bytes]
Start = Callable[..., Process]


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket such as systemd passes."""
    with socket.socket(socket.AF_UNIX) as passed:
        passed.bind(str(tmp_path / "web.sock"))
        os.chmod(tmp_path / "web.sock", 0o660)
        passed.listen(64)
        yield passed


@pytest.fixture
def start(tmp_path: Path, listening: socket.socket) -> Iterator[Start]:
    """A function that starts the program; without `--uds` on the passed socket."""
    (tmp_path / "shop.py").write_text(APPLICATION)
    (tmp_path / "broken.py").write_text("import no_such_module\n")
    started: list[Process] = []

    def run(*arguments: str, application: str = "shop:application", **variables: str) -> Process:
        listen = [] if "--uds" in arguments else ["--fd", str(listening.fileno())]
        words = ["access.log", *listen, "--timeout-graceful-shutdown", "20", *arguments, application]
        with (tmp_path / "error.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, str(PROGRAM), *words],
                pass_fds=[listening.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=tmp_path,
                env={"PATH": os.environ["PATH"], **variables},
                start_new_session=True,
            )
        started.append(process)
        return process

    yield run
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(SECONDS)
    connection.connect(str(path))
    return connection


def ask(connection: socket.socket, url: str = "/", headers: dict[str, str] | None = None) -> dict[str, object]:
    """What the application says; nothing where the connection ends without an answer."""
    given = {"Host": "shop.example.com", **(headers or {})}
    lines = [f"GET {url} HTTP/1.1", *(f"{name}: {text}" for name, text in given.items()), "", ""]
    received = b""
    try:
        connection.sendall("\r\n".join(lines).encode())
        while not received.endswith(b"}"):
            received += (some := connection.recv(65536))
            if not some:
                return {}
    except ConnectionError:
        return {}
    return dict(json.loads(received.partition(b"\r\n\r\n")[2]))


def talk(path: Path, query: str = "") -> Connection:
    return unix_connect(str(path), f"ws://shop.example.com/{query}", additional_headers=TOLD)


def close_code(opened: Connection) -> int:
    try:
        while True:
            opened.recv(SECONDS)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 0


@pytest.mark.proves("asgi.uvicorn")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_at_its_end_all_that_has_come_is_answered(start: Start, tmp_path: Path, workers: str) -> None:
    path = tmp_path / "web.sock"
    before = path.stat()
    process = start("--workers", workers)
    with connect(path) as idle, connect(path) as late, talk(path) as opened, ThreadPoolExecutor(24) as others:
        assert ask(idle)["server"] == ["shop.example.com", 80]
        assert json.loads(opened.recv(SECONDS))["client"] == ["198.51.100.7", 0]
        slow = [others.submit(ask, connect(path), "/?2") for _ in range(20)]
        # Accepted while the process ends.
        greeting = others.submit(talk, path, "?0.5")
        time.sleep(0.2)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        if workers != "1":
            wait_for(tmp_path / "error.log", "Terminated child process")
        time.sleep(0.2)
        assert ask(late)
        assert all(answer.result() for answer in slow)
        assert [close_code(opened), close_code(greeting.result())] == [1012, 1012]
        assert process.wait(SECONDS) in (0, -signal.SIGTERM)
        # An idle connection does not hold it up.
        assert time.monotonic() - began < 10
    # What comes in between waits for the next one, on the same socket.
    with connect(path) as waiting:
        start()
        assert ask(waiting)
    after = path.stat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)


def wait_for(log: Path, text: str) -> None:
    deadline = time.monotonic() + SECONDS
    while text not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_its_own_socket_may_have_another_name(start: Start, tmp_path: Path) -> None:
    process = start("--uds", "candidate.sock")
    path, public = tmp_path / "candidate.sock", tmp_path / "public.sock"
    wait_for(tmp_path / "error.log", "running on unix socket")
    os.link(path, public)
    os.chmod(public, 0o600)
    with connect(public) as late:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        assert ask(late)
        process.wait(SECONDS)
    assert stat.S_IMODE(public.stat().st_mode) == 0o600


@pytest.mark.proves("asgi.uvicorn")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_request_has_what_the_proxy_says(start: Start, tmp_path: Path, workers: str) -> None:
    start("--workers", workers)
    path = tmp_path / "web.sock"
    with connect(path) as connection, talk(path) as opened:
        known = ask(connection, headers=TOLD)
        assert (known["client"], known["scheme"]) == (["198.51.100.7", 0], "https")
        assert known["server"] == ["shop.example.com", 443]
        known = json.loads(opened.recv(SECONDS))
        assert (known["client"], known["scheme"]) == (["198.51.100.7", 0], "wss")


@pytest.mark.parametrize("address", ["", "unix:", "a, b", "198.51.100.7, 6.6.6.6"])
def test_no_address_is_invented(start: Start, tmp_path: Path, address: str) -> None:
    start()
    with connect(tmp_path / "web.sock") as connection:
        assert ask(connection, headers={**TOLD, "X-Real-IP": address})["client"] is None


@pytest.mark.parametrize("workers", ["1", "2"])
def test_variables_do_not_decide_what_the_unit_does(start: Start, tmp_path: Path, workers: str) -> None:
    process = start("--workers", workers, **HOSTILE)
    with connect(tmp_path / "web.sock") as connection:
        known = ask(connection, headers=TOLD)
    assert known["client"] == ["198.51.100.7", 0]
    assert (known["process"] == process.pid) is (workers == "1")
    assert not (tmp_path / "own.sock").exists()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_its_logs(start: Start, tmp_path: Path, workers: str) -> None:
    """Written although the application's logging silences all others, and emptied while they are open."""
    log = tmp_path / "access.log"
    log.write_text("of before\n")
    start("--workers", workers)
    for kept in ("of before", "["):
        with connect(tmp_path / "web.sock") as connection:
            ask(connection, "/?0", TOLD)
        wait_for(log, '198.51.100.7:0 - "GET /?0 HTTP/1.1" 200\n')
        assert log.read_text().startswith(kept)
        os.truncate(log, 0)
    wait_for(tmp_path / "error.log", "] [INFO] Application startup complete.")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_cannot_be_loaded_ends(start: Start, tmp_path: Path, workers: str) -> None:
    start("--workers", workers, application="broken:application").wait(SECONDS)
    assert "No module named 'no_such_module'" in (tmp_path / "error.log").read_text()
