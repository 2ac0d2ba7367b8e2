"""The TCP relay against an echo server on the loopback interface."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tools.sandbox.relay import Relay


def echo(listener: socket.socket) -> None:
    def answer(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            while data := connection.recv(65536):
                connection.sendall(data)

    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()


@pytest.fixture
def relay() -> Iterator[Relay]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=echo, args=(listener,), daemon=True).start()
        with Relay("127.0.0.1", listener.getsockname()[1]) as made:
            yield made
        listener.shutdown(socket.SHUT_RD)


def connect(relay: Relay) -> socket.socket:
    return socket.create_connection((relay.host, relay.port), timeout=5)


def ask(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    answer = b""
    while len(answer) < len(data):
        piece = connection.recv(65536)
        assert piece, "the connection ended early"
        answer += piece
    return answer


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within 5 s"
        time.sleep(0.01)


def test_it_forwards_and_counts(relay: Relay) -> None:
    with connect(relay) as first, connect(relay) as second:
        assert ask(first, b"one") == b"one"
        assert ask(second, b"x" * 1_000_000) == b"x" * 1_000_000
        assert (relay.accepted, relay.active) == (2, 2)
    eventually(lambda: relay.active == 0)
    assert relay.forwarded == 2 * 1_000_003


def test_an_orderly_end_reaches_the_other_side(relay: Relay) -> None:
    with connect(relay) as connection:
        connection.sendall(b"last")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(10) == b"last"
        assert connection.recv(10) == b""


def test_drop_resets_and_refuses_until_resume(relay: Relay) -> None:
    with connect(relay) as connection:
        assert ask(connection, b"x") == b"x"
        relay.drop()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect(relay)
    port = relay.port
    relay.resume()
    assert relay.port == port
    with connect(relay) as connection:
        assert ask(connection, b"y") == b"y"


def test_drop_reaches_a_client_that_does_not_read(relay: Relay) -> None:
    with connect(relay) as connection:
        connection.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                connection.send(b"x" * 65536)
        relay.drop()
        eventually(lambda: relay.active == 0)


@pytest.mark.slow
def test_stall_holds_back_old_and_new_connections(relay: Relay) -> None:
    with connect(relay) as old:
        assert ask(old, b"x") == b"x"
        relay.stall()
        old.sendall(b"held")
        with connect(relay) as new:
            new.sendall(b"new")
            for connection in (old, new):
                connection.settimeout(0.3)
                with pytest.raises(TimeoutError):
                    connection.recv(10)
                connection.settimeout(5)
            relay.resume()
            assert old.recv(10) == b"held"
            assert new.recv(10) == b"new"


def test_a_stalled_connection_can_be_dropped(relay: Relay) -> None:
    with connect(relay) as connection:
        assert ask(connection, b"x") == b"x"
        relay.stall()
        connection.sendall(b"held")
        relay.drop()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


@pytest.mark.slow
def test_delay_costs_time_in_each_direction_and_not_bandwidth(relay: Relay) -> None:
    with connect(relay) as connection:
        relay.delay(0.2)
        started = time.monotonic()
        assert ask(connection, b"x") == b"x"
        assert time.monotonic() - started >= 0.4
        started = time.monotonic()
        assert len(ask(connection, b"x" * 1_000_000)) == 1_000_000
        # One pause per piece of 64 KiB would be 16 x 0.2 s, in each direction.
        assert time.monotonic() - started < 2.5
        relay.delay(0)
        started = time.monotonic()
        assert ask(connection, b"y") == b"y"
        assert time.monotonic() - started < 0.2


def test_a_closed_relay_stays_closed(relay: Relay) -> None:
    relay.close()
    with pytest.raises(ConnectionRefusedError):
        connect(relay)
    with pytest.raises(RuntimeError, match="closed"):
        relay.resume()


@pytest.mark.slow
def test_a_slow_way_takes_time_for_each_byte(relay: Relay) -> None:
    with connect(relay) as connection:
        relay.slow(1_000_000)
        started = time.monotonic()
        assert len(ask(connection, b"x" * 500_000)) == 500_000
        assert 0.5 <= time.monotonic() - started < 2.5
        relay.slow(0)
        started = time.monotonic()
        assert len(ask(connection, b"y" * 500_000)) == 500_000
        assert time.monotonic() - started < 0.4
