"""The client of Redis and Valkey, against a broker whose words are written down here."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from codesensei.scripts.base.redis_client import BrokerRefused, Client


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker


class Broker:
    """Takes one connection, answers with `answers` whatever it is asked, and keeps what it read in `read`."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.answers = b""
        self.read = b""
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Broker:
        return self

    def __exit__(self, *error: object) -> None:
        self.listener.close()

    def connect(self, answers: bytes, password: str = "") -> Client:
        self.answers = answers
        self.thread.start()
        return Client("127.0.0.1", self.port, password)

    def _serve(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            connection.sendall(self.answers)
            connection.shutdown(socket.SHUT_WR)
            while data := connection.recv(4096):
                self.read += data

    def said(self) -> bytes:
        self.thread.join(10)
        return self.read


def test_each_kind_of_answer(broker: Broker) -> None:
    with broker.connect(b"+OK\r\n:7\r\n$-1\r\n$4\r\na\r\nb\r\n*2\r\n$1\r\nx\r\n:1\r\n") as client:
        assert [client.ask("PING") for _ in range(5)] == [b"OK", 7, None, b"a\r\nb", [b"x", 1]]


def test_words_are_sent_as_they_are(broker: Broker) -> None:
    with broker.connect(b"+OK\r\n") as client:
        client.ask("SET", b"\r\n\x00", 5)
    assert broker.said() == b"*3\r\n$3\r\nSET\r\n$3\r\n\r\n\x00\r\n$1\r\n5\r\n"


def test_an_error_is_a_refusal_and_the_password_comes_first(broker: Broker) -> None:
    with pytest.raises(BrokerRefused, match=r"^WRONGPASS no$"):
        broker.connect(b"-WRONGPASS no\r\n", "canary")
    assert broker.said() == b"*2\r\n$4\r\nAUTH\r\n$6\r\ncanary\r\n"


@pytest.mark.parametrize("cut", [b"", b"+O", b"$5\r\nab"])
def test_a_connection_that_ends_is_no_answer(broker: Broker, cut: bytes) -> None:
    with broker.connect(cut) as client, pytest.raises(ConnectionError):
        client.ask("PING")


def test_all_keys_are_found_in_several_answers(broker: Broker) -> None:
    pages = b"*2\r\n$2\r\n17\r\n*1\r\n$1\r\na\r\n", b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\nb\r\n"
    with broker.connect(b"".join(pages)) as client:
        assert list(client.scan()) == [b"a", b"b"]
