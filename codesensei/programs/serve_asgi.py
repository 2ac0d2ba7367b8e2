"""Daphne on a socket that systemd passed, ending as a web process should: what has begun is answered first.

Runs inside the project's own Python: `serve_asgi.py <seconds to drain> <Daphne's own arguments>`.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import daphne.server  # before anything of Twisted: it chooses the reactor
from daphne.cli import CommandLineInterface
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import defer, reactor, unix

SERVICE_RESTART = 1012
# A connection this old that has asked for nothing is an idle one; the proxy asks as soon as it is connected.
IDLE_SECONDS = 1.0
PAUSE = 0.05
DRAIN_SECONDS = float(sys.argv.pop(1))

open_connections: dict[Any, float] = {}


class Connection(unix.Server):  # type: ignore[misc]
    """A connection that is known from its start to its end."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        open_connections[self] = time.monotonic()

    def connectionLost(self, reason: Any) -> None:
        open_connections.pop(self, None)
        super().connectionLost(reason)


class Server(daphne.server.Server):  # type: ignore[misc]
    """At the end of its life it takes nothing new, answers what has begun and tells WebSockets to come again."""

    connections: dict[Any, dict[str, Any]]

    def listen_success(self, port: Any) -> None:
        self.port = port
        super().listen_success(port)

    def kill_all_applications(self) -> Any:
        ended = defer.Deferred()
        self.port.stopListening()
        self._drain(time.monotonic() + DRAIN_SECONDS, ended)
        return ended.addCallback(lambda _: self._kill())

    def _drain(self, deadline: float, ended: Any) -> None:
        for protocol in list(self.connections):
            if isinstance(protocol, WebSocketProtocol) and protocol.state == protocol.STATE_OPEN:
                protocol.sendCloseFrame(code=SERVICE_RESTART, reasonUtf8=b"restarting", isReply=False)
        if self._is_idle() or time.monotonic() > deadline:
            ended.callback(None)
        else:
            reactor.callLater(PAUSE, self._drain, deadline, ended)

    def _is_idle(self) -> bool:
        now = time.monotonic()
        if any(now - began < IDLE_SECONDS for began in open_connections.values()):
            return False
        return not any(_is_busy(details) for details in self.connections.values())

    def _kill(self) -> Any:
        # Daphne's own method trips over those whose application has ended already.
        self.connections = {
            protocol: details for protocol, details in self.connections.items() if "application_instance" in details
        }
        return super().kill_all_applications()


def _is_busy(details: dict[str, Any]) -> bool:
    application = details.get("application_instance")
    return "disconnected" not in details or (application is not None and not application.done())


# Twisted takes the socket for its own: it would open it to everybody at the start, and remove and shut it down at the
# end, when the next process needs it.
unix._inFilesystemNamespace = lambda path: False
unix.Port._shouldShutdown = False
unix.Port.transport = Connection
CommandLineInterface.server_class = Server
# The folder of this file is not the project's.
sys.path.pop(0)
sys.argv[0] = "daphne"
CommandLineInterface.entrypoint()
