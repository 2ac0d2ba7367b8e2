"""What every plugin shares: the launch, the engine's log, and ending when the engine ends."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc

from .wire import load_protocol_only

load_protocol_only()

from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc  # noqa: E402

MESSAGE_LIMIT = 400 * 1024 * 1024
CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
]
WORKERS = 256  # one per operation in flight; the engine decides how many that are
PARENT_CHECK_SECONDS = 0.5


class EngineLog:
    """The engine's log, where the user sees it."""

    def __init__(self, address: str) -> None:
        channel = grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
        self._engine = engine_pb2_grpc.EngineStub(channel)

    def __call__(self, severity: str, message: str, urn: str, *, ephemeral: bool = False) -> None:
        """Write one message about the resource `urn`; an ephemeral one shows in the status column only."""
        request = engine_pb2.LogRequest(
            severity=engine_pb2.LogSeverity.Value(severity), message=message, urn=urn, ephemeral=ephemeral
        )
        try:
            self._engine.Log(request)
        except grpc.RpcError:
            return  # the engine is going away: nobody is left to read this


def engine_address() -> str:
    """The engine's address: the last argument of a plugin."""
    return sys.argv[-1]


def serve(register: Callable[[Any], None], on_end: Callable[[], None] = lambda: None) -> NoReturn:
    """Serve until the engine says so or is gone, then run `on_end` and leave.

    register: adds the plugin's servicer to the gRPC server it is given.
    """
    engine = os.getppid()

    def end(*_: object) -> NoReturn:
        on_end()
        os._exit(0)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    server = grpc.server(ThreadPoolExecutor(max_workers=WORKERS), options=CHANNEL_OPTIONS)
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    while os.getppid() == engine:
        time.sleep(PARENT_CHECK_SECONDS)
    end()
