"""A client of Redis and Valkey: passwords in no command line, and keys and values as they are, whatever is in them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from types import TracebackType
from typing import Any


class BrokerRefused(Exception):
    """The broker answered with an error; its first word is the kind."""


class Client:
    """One connection. What cannot be connected, or ends, raises OSError; what the broker refuses, BrokerRefused."""

    def __init__(self, host: str, port: int, password: str = "", timeout: float = 10) -> None:
        self._socket = socket.create_connection((host, port), timeout=timeout)
        self._file = self._socket.makefile("rb")
        try:
            if password:
                self.ask("AUTH", password)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def ask(self, *words: str | bytes | int) -> Any:
        """The answer to one command: bytes, a number, None, or a list of these."""
        parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        text = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        self._socket.sendall(b"*%d\r\n%s" % (len(parts), text))
        return self._answer()

    def scan(self) -> Iterator[bytes]:
        """Each key of the selected database; one may come twice."""
        cursor: bytes = b"0"
        while True:
            cursor, found = self.ask("SCAN", cursor, "COUNT", 1000)
            yield from found
            if cursor == b"0":
                return

    def _answer(self) -> Any:
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the broker ended the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise BrokerRefused(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return rest
        count = int(rest)
        if count < 0:
            return None
        if kind == b"*":
            return [self._answer() for _ in range(count)]
        value = self._file.read(count + 2)
        if len(value) != count + 2:
            raise ConnectionError("the broker ended the connection")
        return value[:-2]
