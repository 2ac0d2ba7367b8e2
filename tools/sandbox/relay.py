"""A small TCP relay between a client and a server, with a hand to drop, stall, delay and slow what passes."""

from __future__ import annotations

import contextlib
import queue
import select
import socket
import struct
import threading
import time
from types import TracebackType

CHUNK = 65536
# How soon a waiting thread notices that its connection was cut.
WAKE_SECONDS = 0.2
# How many pieces may be under way in one direction, about 4 MB.
QUEUE_LENGTH = 64
CONNECT_TIMEOUT = 10.0
# Linger switched on with 0 seconds: closing sends a reset instead of an orderly end.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Relay:
    """Forwards TCP connections from a port of its own to `target_host`:`target_port`.

    It starts forwarding at once and ends with `close` or with the `with` block that holds it.
    """

    def __init__(self, target_host: str, target_port: int, *, host: str = "127.0.0.1") -> None:
        """`host` is this machine's address on which the relay listens."""
        self._target = (target_host, target_port)
        self._lock = threading.Condition()
        self._pairs: set[_Pair] = set()
        self._stalled = False
        self._closed = False
        self._delay = 0.0
        self._rate = 0.0
        self._accepted = 0
        self._forwarded = 0
        self._listener: socket.socket | None = None
        self.host = host
        self.port = 0
        self._listen()

    def __enter__(self) -> Relay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def accepted(self) -> int:
        """How many connections were taken so far."""
        with self._lock:
            return self._accepted

    @property
    def active(self) -> int:
        """How many connections are open now."""
        with self._lock:
            return len(self._pairs)

    @property
    def rate(self) -> float:
        """The bytes a second that pass in each direction of a connection; 0 for as many as can."""
        with self._lock:
            return self._rate

    @property
    def forwarded(self) -> int:
        """How many bytes were forwarded so far, both directions together."""
        with self._lock:
            return self._forwarded

    def drop(self) -> None:
        """Reset all connections and refuse new ones until `resume`."""
        with self._lock:
            listener, self._listener = self._listener, None
            pairs = list(self._pairs)
            self._lock.notify_all()
        if listener is not None:
            _end(listener)
        for pair in pairs:
            pair.reset()

    def stall(self) -> None:
        """Keep connections and take new ones, yet forward nothing: a black hole, until `resume`."""
        with self._lock:
            self._stalled = True

    def resume(self) -> None:
        """Work normally again: what was held back by `stall` flows, new connections are taken."""
        with self._lock:
            self._stalled = False
            self._lock.notify_all()
            listening = self._listener is not None
        if not listening:
            self._listen()

    def delay(self, seconds: float) -> None:
        """Hold every piece of data back by this many seconds in each direction; 0 ends it."""
        with self._lock:
            self._delay = seconds

    def slow(self, rate: float) -> None:
        """Pass on at most this many bytes a second in each direction of a connection; 0 ends it."""
        with self._lock:
            self._rate = rate

    def close(self) -> None:
        """End the relay and reset what is still open."""
        with self._lock:
            self._closed = True
        self.drop()

    def _listen(self) -> None:
        with self._lock:
            if self._closed:
                raise RuntimeError("this relay is closed")
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self.host, self.port))
            listener.listen(64)
            self.port = listener.getsockname()[1]
            self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), name="relay-accept", daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._accepted += 1
            threading.Thread(target=self._serve, args=(client,), name="relay-connection", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        pair = _Pair(client)
        with self._lock:
            dropped = self._listener is None
            if not dropped:
                self._pairs.add(pair)
        try:
            # A stalled link answers nothing, so the target is not even asked.
            if dropped or not self._passable(pair):
                return
            try:
                pair.upstream = socket.create_connection(self._target, timeout=CONNECT_TIMEOUT)
                pair.upstream.settimeout(None)
                for side in (client, pair.upstream):
                    # Else a small piece waits for the answer to the one before it, up to 40 ms each time.
                    side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:
                return
            ways = [self._forward(pair, client, pair.upstream), self._forward(pair, pair.upstream, client)]
            for thread in ways:
                thread.join()
        finally:
            pair.reset()
            with self._lock:
                self._pairs.discard(pair)

    def _passable(self, pair: _Pair) -> bool:
        """Wait while the relay is stalled; False when the connection was cut meanwhile."""
        with self._lock:
            while self._stalled and not pair.cut:
                self._lock.wait(WAKE_SECONDS)
            return not pair.cut

    def _forward(self, pair: _Pair, source: socket.socket, sink: socket.socket) -> threading.Thread:
        """Start to carry one direction; the returned thread ends with it."""
        pieces: queue.Queue[tuple[float, bytes]] = queue.Queue(QUEUE_LENGTH)
        threading.Thread(target=self._read, args=(pair, source, pieces), name="relay-read", daemon=True).start()
        writer = threading.Thread(target=self._write, args=(pair, sink, pieces), name="relay-write", daemon=True)
        writer.start()
        return writer

    def _read(self, pair: _Pair, source: socket.socket, pieces: queue.Queue[tuple[float, bytes]]) -> None:
        """Take data with the moment at which it arrived; an empty piece is the end."""
        data = b"more"
        while data:
            try:
                data = source.recv(CHUNK)
            except OSError:
                pair.reset()
                data = b""
            pieces.put((time.monotonic(), data))

    def _write(self, pair: _Pair, sink: socket.socket, pieces: queue.Queue[tuple[float, bytes]]) -> None:
        """Pass data on, each piece `delay` after it arrived, so that delay costs time and not bandwidth."""
        open_ended = True
        while open_ended:
            arrived, data = pieces.get()
            open_ended = bool(data)
            with self._lock:
                delay, rate = self._delay, self._rate
            # Even when nothing can be delivered, the queue is emptied to let the reader end.
            if not pair.cut:
                time.sleep(max(0.0, arrived + delay - time.monotonic()))
            if not self._passable(pair):
                continue
            try:
                if data:
                    time.sleep(len(data) / rate if rate else 0.0)
                    _send(pair, sink, data)
                else:
                    sink.shutdown(socket.SHUT_WR)
            except (OSError, ValueError):
                pair.reset()
                continue
            with self._lock:
                self._forwarded += len(data)


class _Pair:
    """The two sockets of one connection."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.upstream: socket.socket | None = None
        self.cut = False

    def reset(self) -> None:
        """Cut both sides with a reset; harmless when that has happened."""
        self.cut = True
        for side in (self.client, self.upstream):
            if side is not None:
                with contextlib.suppress(OSError):
                    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                _end(side)


def _send(pair: _Pair, sink: socket.socket, data: bytes) -> None:
    """Send all of `data`, and give up when the connection is cut while the other side does not read."""
    rest = memoryview(data)
    while rest and not pair.cut:
        _, writable, _ = select.select([], [sink], [], WAKE_SECONDS)
        if writable:
            with contextlib.suppress(BlockingIOError):
                rest = rest[sink.send(rest, socket.MSG_DONTWAIT) :]


def _end(sock: socket.socket) -> None:
    """Close a socket, waking a thread that waits in it."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RD)
    with contextlib.suppress(OSError):
        sock.close()
