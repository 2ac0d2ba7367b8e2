"""Daphne: serves ASGI by default."""

from __future__ import annotations

from codesensei.webservers.base import START_LOGGED, Lines, Process, WebServer
from codesensei.wire.steps import WebServerPackage


def _command(process: Process) -> Lines:
    # Not --fd, which takes a passed socket for an Internet socket.
    listen = ["-e", "systemd:domain=UNIX:index=0"] if process.error_log else ["-u", process.socket]
    return [
        *([["/bin/bash", "-c", START_LOGGED, process.error_log]] if process.error_log else []),
        [f"{process.programs}/python", process.program, str(process.drain), *listen],
        ["--proxy-headers", "--proxy-headers-host", "X-Real-IP"],
        ["--access-log", process.access_log],
        [process.application],
    ]


SERVER = WebServer(
    interfaces=("asgi",),
    is_default=True,
    package=WebServerPackage(name="daphne", version="4.1.2"),
    command=_command,
    program="serve_asgi.py",
    candidate_program="daphne_candidate.py",
    close_code=1012,
)
