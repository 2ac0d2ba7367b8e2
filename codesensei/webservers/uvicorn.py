"""Uvicorn: serves ASGI where the stack config names it."""

from __future__ import annotations

from codesensei.webservers.base import START_LOGGED, Lines, Process, WebServer
from codesensei.wire.steps import Companion, WebServerPackage


def _command(process: Process) -> Lines:
    # The first socket that systemd passes is file descriptor 3.
    listen = ["--fd", "3"] if process.error_log else ["--uds", process.socket]
    workers = ["--workers", process.workers] if process.workers else []
    return [
        *([["/bin/bash", "-c", START_LOGGED, process.error_log]] if process.error_log else []),
        [f"{process.programs}/python", process.program, process.access_log, *workers, *listen],
        ["--timeout-graceful-shutdown", str(process.drain)],
        [process.application],
    ]


SERVER = WebServer(
    interfaces=("asgi",),
    package=WebServerPackage(
        name="uvicorn",
        version="0.54.0",
        # Without one of them it refuses every WebSocket, and says so only in its log.
        companions=(Companion(modules=("websockets", "wsproto"), name="websockets", version="16.0"),),
    ),
    command=_command,
    program="serve_uvicorn.py",
    candidate_program="uvicorn_candidate.py",
    workers_variable="WEB_CONCURRENCY",
    close_code=1012,
    noise=r"\[INFO\]",
)
