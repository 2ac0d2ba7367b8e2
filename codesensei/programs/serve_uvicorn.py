"""Uvicorn, ending as a web process should, and told who asks by the edge proxy: its own command, patched.

Runs inside the project's own Python: `serve_uvicorn.py <access log> <Uvicorn's own arguments>`. Where there are several
processes, each imports it again.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import traceback
from ipaddress import ip_address
from typing import Any

import uvicorn.config
import uvicorn.server
from uvicorn.main import main as uvicorn_command

# Socket, processes, TLS, logs and what the proxy says are the unit's; with the rest nothing would be served.
UNIT_DECIDES = frozenset(
    {
        *("HOST", "PORT", "UDS", "FD", "BACKLOG", "WORKERS", "APP", "APP_DIR", "ENV_FILE", "INTERFACE", "HTTP2"),
        *("LOG_CONFIG", "ACCESS_LOG", "PROXY_HEADERS", "FORWARDED_ALLOW_IPS", "TIMEOUT_GRACEFUL_SHUTDOWN", "VERSION"),
    }
)
UNIT_DECIDES_ALL = ("RELOAD", "SSL_")
PREFIX = "UVICORN_"
# A connection that has asked for nothing so long is an idle one; the proxy asks as soon as it is connected.
IDLE_SECONDS = 1.0
PAUSE = 0.05

uvicorn_load = uvicorn.config.Config.load
uvicorn_startup = uvicorn.server.Server.startup
uvicorn_shutdown = uvicorn.server.Server.shutdown


class ToldByProxy:
    """Gives a request its client, scheme and server as the edge proxy knows them; nobody else reaches the socket.

    Uvicorn's own goes by X-Forwarded-For, of which behind a trusted proxy a visitor may have written the beginning, and
    has the socket's path for the server, of which Django makes the port `None`.
    """

    def __init__(self, app: Any, **_: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            headers = dict(scope["headers"])
            if address := _address(headers.get(b"x-real-ip", b"")):
                scope["client"] = (address, 0)
            secure = headers.get(b"x-forwarded-proto") == b"https"
            scope["scheme"] = ("ws" if scope["type"] == "websocket" else "http") + "s" * secure
            scope["server"] = (headers.get(b"host", b"").decode("latin1").partition(":")[0], 443 if secure else 80)
        await self.app(scope, receive, send)


def _address(said: bytes) -> str:
    text = said.decode("latin1")
    try:
        ip_address(text)
    except ValueError:
        return ""
    return text


def load(self: Any) -> None:
    """Uvicorn's own, with the status that its supervisor takes as final: after any other it starts a process again."""
    try:
        uvicorn_load(self)
    except Exception as error:
        traceback.print_exc()
        raise SystemExit(uvicorn.config.STARTUP_FAILURE) from error


async def startup(self: Any, *arguments: Any, **named: Any) -> None:
    """Uvicorn's own, heard: Django's LOGGING silences all that it does not name, unless it says otherwise."""
    for name in ("uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).disabled = False
    await uvicorn_startup(self, *arguments, **named)


async def shutdown(self: Any, *arguments: Any, **named: Any) -> None:
    """Uvicorn's own, when all that has come has asked: it closes a connection that has not, with its request in it."""
    # Who waits in the queue of a socket that ends with this process is taken in.
    await asyncio.sleep(PAUSE)
    for server in self.servers:
        server.close()
    for _ in range(round(IDLE_SECONDS / PAUSE)):
        await asyncio.sleep(PAUSE)
        if all(map(_has_begun, self.server_state.connections)):
            break
    await uvicorn_shutdown(self, *arguments, **named)


def _has_begun(connection: Any) -> bool:
    """Whether a connection has a request, or is an open WebSocket."""
    if hasattr(connection, "cycle"):
        return connection.cycle is not None
    event = getattr(connection, "handshake_completed_event", None)
    return bool(event.is_set() if event else getattr(connection, "handshake_complete", True))


def log_into(access_log: str) -> None:
    """Requests into that file, all else to the standard error, with the time."""
    settings = uvicorn.config.LOGGING_CONFIG
    settings["formatters"] = {
        "default": {
            "format": "[%(asctime)s] [%(process)d] [%(levelname)s] %(message)s",
            "datefmt": "%Y-%m-%d %H:%M:%S %z",
        },
        "access": {"format": "[%(asctime)s] %(message)s", "datefmt": "%d/%b/%Y:%H:%M:%S %z"},
    }
    settings["handlers"]["access"] = {"class": "logging.FileHandler", "filename": access_log, "formatter": "access"}


def main() -> None:
    """Run Uvicorn's command."""
    log_into(sys.argv.pop(1))
    for name in list(os.environ):
        option = name[len(PREFIX) :]
        if name.startswith(PREFIX) and (option in UNIT_DECIDES or option.startswith(UNIT_DECIDES_ALL)):
            del os.environ[name]
    # The folder of this file is not the project's.
    sys.path.pop(0)
    sys.argv[0] = "uvicorn"
    uvicorn_command()


uvicorn.config.ProxyHeadersMiddleware = ToldByProxy  # type: ignore[attr-defined,assignment]
uvicorn.config.Config.load = load  # type: ignore[method-assign]
uvicorn.server.Server.startup = startup  # type: ignore[method-assign]
uvicorn.server.Server.shutdown = shutdown  # type: ignore[method-assign]
if __name__ == "__main__":
    main()
