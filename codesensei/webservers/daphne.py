"""Daphne: what serves ASGI, unless the stack config names another."""

from __future__ import annotations

from codesensei.webservers.base import Lines, Process, WebServer


def _words(process: Process) -> Lines:
    # Not --fd, which takes a passed socket for one of the Internet.
    listen = ["-e", "systemd:domain=UNIX:index=0"] if process.is_live else ["-u", process.socket]
    return [
        [f"{process.programs}/python", process.program, str(process.graceful), *listen],
        ["--proxy-headers", "--proxy-headers-host", "X-Real-IP"],
        ["--access-log", process.access_log],
        [process.application],
    ]


SERVER = WebServer(
    name="daphne",
    version="4.1.2",
    interfaces=("asgi",),
    is_default=True,
    program="serve_asgi.py",
    words=_words,
    logs_to_stderr=True,
)
