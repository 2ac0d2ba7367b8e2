"""Runs as the app user: a socket of PostgreSQL's that leads to one database of a cluster, and to no other.

`relay.py DESCRIPTOR DATABASE PLACE`: what comes to the listening socket goes on to PLACE, a port at 127.0.0.1 or the
path of a socket. It ends when its standard input ends.
"""

import contextlib
import os
import socket
import struct
import sys
import threading

CANCEL, SECURE = 80877102, (80877103, 80877104)
LONGEST = 10_000
# As PostgreSQL says that a connection is refused.
REFUSAL = b"SFATAL\0C08004\0Mit is kept away from a rehearsal\0\0"
DESCRIPTOR, DATABASE, PLACE = sys.argv[1:]


def exactly(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = source.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def opening(client: socket.socket) -> bytes:
    """The first message of a client; ValueError for one that asks for another database, which is told so."""
    while True:
        head = exactly(client, 8)
        length, code = struct.unpack("!ii", head)
        rest = exactly(client, min(length, LONGEST) - 8) if length > 8 else b""
        if code == CANCEL:
            # With a secret of the session that it cancels.
            return head + rest
        if code not in SECURE:
            break
        client.sendall(b"N")
    words = rest.split(b"\0")
    asked = dict(zip(words[::2], words[1::2], strict=False))
    if length > LONGEST or asked.get(b"database", asked.get(b"user")) != os.fsencode(DATABASE):
        client.sendall(b"E" + struct.pack("!i", len(REFUSAL) + 4) + REFUSAL)
        raise ValueError
    return head + rest


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def serve(client: socket.socket) -> None:
    with client, contextlib.suppress(OSError, EOFError, ValueError):
        first = opening(client)
        is_port = PLACE.isdigit()
        with socket.socket(socket.AF_INET if is_port else socket.AF_UNIX) as server:
            server.connect(("127.0.0.1", int(PLACE)) if is_port else PLACE)
            server.sendall(first)
            back = threading.Thread(target=pump, args=(server, client), daemon=True)
            back.start()
            pump(client, server)
            back.join()


def accept(listening: socket.socket) -> None:
    while True:
        client, _ = listening.accept()
        threading.Thread(target=serve, args=(client,), daemon=True).start()


with socket.socket(fileno=int(DESCRIPTOR)) as door:
    threading.Thread(target=accept, args=(door,), daemon=True).start()
    sys.stdin.read()
    os._exit(0)
