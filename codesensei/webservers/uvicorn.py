"""Uvicorn: serves ASGI where the stack config names it, with as many processes as it is told."""

from __future__ import annotations

from codesensei.webservers.base import Lines, Process, WebServer
from codesensei.wire.steps import ExtraPackage


def _words(process: Process) -> Lines:
    # The first socket that systemd passes is 3.
    listen = ["--fd", "3"] if process.is_live else ["--uds", process.socket]
    workers = ["--workers", process.workers] if process.workers else []
    return [
        [f"{process.programs}/python", process.program, process.access_log],
        [*workers, *listen, "--timeout-graceful-shutdown", str(process.graceful)],
        [process.application],
    ]


SERVER = WebServer(
    name="uvicorn",
    version="0.54.0",
    interfaces=("asgi",),
    program="serve_uvicorn.py",
    words=_words,
    # Without any of them it refuses every WebSocket.
    beside=(ExtraPackage(name="websockets", version="16.0", unless=("websockets", "wsproto")),),
    workers_variable="WEB_CONCURRENCY",
    logs_to_stderr=True,
    noise=(r"\[INFO\]",),
)
