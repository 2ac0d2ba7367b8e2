"""The broker's settings, its data, and who can reach it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import host
from codesensei.scripts.base.broker_program import Broker
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import Failure
from codesensei.scripts.steps import broker, packages
from tests.scripts.conftest import fingerprints


class FakeBroker:
    """A server that speaks the broker's protocol; `answers` maps a command to its raw answer."""

    def __init__(self) -> None:
        self.answers = {"PING": "+PONG\r\n", "CONFIG GET appendonly": "*2\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n"}
        self.asked: list[str] = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                while head := stream.readline():
                    words = []
                    for _ in range(int(head[1:])):
                        stream.readline()
                        words.append(stream.readline().strip().decode())
                    self.asked.append(" ".join(words))
                    connection.sendall(self.answers.get(" ".join(words), "+OK\r\n").encode())


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBroker]:
    fake = FakeBroker()
    monkeypatch.setattr(broker, "PORT", fake.listening.getsockname()[1])
    yield fake
    fake.listening.close()


@pytest.fixture
def configure(server: Path, running: FakeBroker, make_step: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    main = server / "etc/redis.conf"
    main.write_text("bind 127.0.0.1 -::1\nport 6379\n")
    main.chmod(0o640)
    monkeypatch.setattr(Broker, "main_config", property(lambda self: main))
    monkeypatch.setattr(Broker, "drop_in", property(lambda self: server / "etc/codesensei.conf"))
    monkeypatch.setattr(packages, "installed", lambda names: {"redis-server"})
    monkeypatch.setattr(host, "listeners", lambda ports: [])

    def systemctl(*words: str, check: bool = True) -> Result:
        running.asked.append(words[0])
        return Result("", "", 0)

    monkeypatch.setattr(broker, "systemctl", systemctl)

    def run(config: str = "appendonly yes\n", version: int = 1) -> Any:
        step = make_step("broker", config=config, version=version, needed=True, adopt=False)
        broker.run(step)
        return step

    return run


def test_the_drop_in_is_read_last_and_used_at_once(configure: Any, running: FakeBroker, server: Path) -> None:
    configure()
    main = server / "etc/redis.conf"
    assert main.read_text() == f"bind 127.0.0.1 -::1\nport 6379\ninclude {server}/etc/codesensei.conf\n"
    assert main.stat().st_mode & 0o777 == 0o640
    assert running.asked.count("restart") == 1
    assert not (server / "memory/broker.pending").exists()


def test_a_second_run_restarts_nothing(configure: Any, running: FakeBroker, server: Path) -> None:
    configure()
    before = fingerprints(server)
    running.asked.clear()
    assert configure().changes == 0
    assert "restart" not in running.asked
    assert fingerprints(server) == before


def test_a_run_that_was_cut_off_before_the_restart_is_completed(
    configure: Any, running: FakeBroker, server: Path
) -> None:
    configure()
    (server / "memory/broker.pending").touch()
    running.asked.clear()
    assert configure().changes == 1
    assert "restart" in running.asked


def test_what_is_in_memory_is_written_before_persistence_begins_with_a_restart(
    configure: Any, running: FakeBroker
) -> None:
    running.answers["CONFIG GET appendonly"] = "*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n"
    running.answers["INFO persistence"] = "$26\r\naof_rewrite_in_progress:0\r\n\r\n"
    configure()
    order = [running.asked.index(word) for word in ("CONFIG SET appendonly yes", "INFO persistence", "restart")]
    assert order == sorted(order)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("a\n", "a\ninclude x\n"),
        ("a", "a\ninclude x\n"),
        ("a\ninclude x\n", "a\ninclude x\n"),
        ("include x\na\n", "a\ninclude x\n"),
        ("a\ninclude x\nb\ninclude x\n", "a\nb\ninclude x\n"),
    ],
)
def test_the_include_is_the_last_line_and_only_once(text: str, result: str) -> None:
    assert broker.include_last(text, "include x") == result


def test_a_broker_with_a_password_is_refused(running: FakeBroker) -> None:
    running.answers["PING"] = "-NOAUTH Authentication required.\r\n"
    with pytest.raises(Failure, match="wants a password"):
        broker.wait_until_it_answers(Broker("redis"))


def test_a_broker_that_does_not_answer_ends_in_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        monkeypatch.setattr(broker, "PORT", unused.getsockname()[1])
    monkeypatch.setattr(broker, "START_WAIT", 0.3)
    monkeypatch.setattr(broker, "command", lambda *words, **options: Result("the journal", "", 0))
    with pytest.raises(Failure, match="does not answer") as failed:
        broker.wait_until_it_answers(Broker("redis"))
    assert failed.value.log == "the journal"


@pytest.mark.proves("broker.loopback")
@pytest.mark.parametrize(
    ("address", "refused"), [("127.0.0.1", False), ("::1", False), ("0.0.0.0", True), ("::", True)]
)
def test_a_broker_that_others_can_reach_is_refused(
    monkeypatch: pytest.MonkeyPatch, address: str, refused: bool
) -> None:
    monkeypatch.setattr(host, "listeners", lambda ports: [host.Listener(address, 6379, "redis-server", 1)])
    if refused:
        with pytest.raises(Failure, match="other machines can reach it"):
            broker.check_loopback(Broker("redis"))
    else:
        broker.check_loopback(Broker("redis"))


def test_one_database_is_asked_after_it_was_chosen(running: FakeBroker) -> None:
    running.answers["DBSIZE"] = ":7\r\n"
    assert broker.in_database("3", "DBSIZE") == "7"
    assert running.asked == ["SELECT 3", "DBSIZE"]
    running.answers["SELECT 9999"] = "-ERR DB index is out of range\r\n"
    running.asked.clear()
    with pytest.raises(ConnectionError, match="out of range"):
        broker.in_database("9999", "FLUSHDB")
    assert running.asked == ["SELECT 9999"]


@pytest.mark.proves("broker.program")
@pytest.mark.parametrize(
    ("there", "name"), [({"valkey-server", "redis-server"}, "valkey"), ({"redis-server"}, "redis"), (set(), "")]
)
def test_valkey_is_preferred(monkeypatch: pytest.MonkeyPatch, there: set[str], name: str) -> None:
    monkeypatch.setattr(packages, "installed", lambda names: there)
    if name:
        assert broker.find().name == name
    else:
        with pytest.raises(Failure, match="neither"):
            broker.find()


def test_of_two_the_one_that_runs_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "installed", lambda names: {"valkey-server", "redis-server"})
    monkeypatch.setattr(broker, "systemctl", lambda *words, check=True: Result("", "", int("redis" not in words[2])))
    assert broker.find().name == "redis"


@pytest.mark.parametrize("stranger", ["bind 10.0.0.1\n", "docker-proxy"])
def test_somebodys_own_broker_is_not_touched(
    server: Path,
    running: FakeBroker,
    configure: Any,
    make_step: Any,
    monkeypatch: pytest.MonkeyPatch,
    stranger: str,
) -> None:
    main = server / "etc/redis.conf"
    if stranger == "docker-proxy":
        monkeypatch.setattr(host, "listeners", lambda ports: [host.Listener("0.0.0.0", 6379, stranger, 7)])
    else:
        main.write_text(stranger)
    before = main.read_text()
    step = make_step("broker", config="", needed=False, adopt=False)
    broker.run(step)
    assert "left alone" in step.said[-1]
    with pytest.raises(Failure, match=stranger.strip()):
        broker.run(make_step("broker", config="", needed=True, adopt=False))
    assert main.read_text() == before
    assert set(running.asked) <= {"is-active"}
