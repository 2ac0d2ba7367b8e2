"""The socket that leads to one database alone; PostgreSQL is played."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codesensei.scripts.release.rehearsal import RELAY

PROTOCOL, CANCEL, SECURE = 3 << 16, 80877102, 80877103
Connect = Callable[[], socket.socket]


def opening(words: dict[str, str], code: int = PROTOCOL) -> bytes:
    rest = b"".join(f"{key}\0{value}\0".encode() for key, value in words.items()) + b"\0" if words else b""
    return struct.pack("!ii", 8 + len(rest), code) + rest


def received(source: socket.socket) -> bytes:
    """All that comes until the other side ends."""
    found = b""
    while part := source.recv(1000):
        found += part
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """A socket's path has at most 107 characters."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture
def cluster(folder: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "cluster"))
        listening.listen()
        listening.settimeout(20)
        yield listening


@pytest.fixture
def connect(folder: Path, cluster: socket.socket) -> Iterator[Connect]:
    def connect() -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(20)
        client.connect(str(folder / "door"))
        return client

    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(folder / "door"))
        door.listen()
        words = ["-I", "-B", "-c", RELAY.read_text(), str(door.fileno()), "copy", str(folder / "cluster")]
        with subprocess.Popen([sys.executable, *words], stdin=subprocess.PIPE, pass_fds=(door.fileno(),)) as relay:
            yield connect
    assert relay.returncode == 0


@pytest.mark.proves("migrations.rehearsal.kept-away")
@pytest.mark.parametrize("first", [b"", opening({}, SECURE)], ids=["plain", "asks for TLS"])
def test_what_is_for_the_copy_passes_both_ways(connect: Connect, cluster: socket.socket, first: bytes) -> None:
    message = opening({"user": "shop", "database": "copy"})
    with connect() as client:
        if first:
            client.sendall(first)
            assert client.recv(1) == b"N"
        client.sendall(message)
        server, _ = cluster.accept()
        with server:
            server.settimeout(20)
            assert server.recv(1000) == message
            server.sendall(b"welcome")
            assert client.recv(1000) == b"welcome"
            client.close()
            assert server.recv(1000) == b""


@pytest.mark.proves("migrations.rehearsal.kept-away")
def test_a_request_to_cancel_passes(connect: Connect, cluster: socket.socket) -> None:
    """It has the number and the secret of a session, and no name of a database."""
    message = struct.pack("!iiii", 16, CANCEL, 77, 12345)
    with connect() as client:
        client.sendall(message)
        server, _ = cluster.accept()
        with server:
            assert server.recv(1000) == message


@pytest.mark.proves("migrations.rehearsal.kept-away")
@pytest.mark.parametrize("words", [{"user": "shop", "database": "shop"}, {"user": "shop"}, {"database": "copy2"}])
def test_no_other_database_is_reached(connect: Connect, cluster: socket.socket, words: dict[str, str]) -> None:
    with connect() as client:
        client.sendall(opening(words))
        said = received(client)
        assert said[:1] == b"E"
        assert b"is kept away from a rehearsal" in said
    cluster.setblocking(False)
    with pytest.raises(BlockingIOError):
        cluster.accept()
