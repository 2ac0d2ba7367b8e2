"""The broker's settings, its data, and who can reach it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import commands, host, units
from codesensei.scripts.base.broker_program import BrokerProgram
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import Failure
from codesensei.scripts.steps import broker, packages
from tests.scripts.conftest import fingerprints
from tests.scripts.examples import BROKER

REDIS = BrokerProgram("redis")
CLIENT = ["redis-cli", "--raw", "-h", "127.0.0.1", "-p", "6379"]
# As redis-cli 7.0 says it.
REFUSED = Result("", "Could not connect to Redis at 127.0.0.1:6379: Connection refused\n", 1)
NO_AUTH = "NOAUTH Authentication required.\n"
OUT_OF_RANGE = "ERR DB index is out of range script: 30d2866d2ce0059ea2dd6bc241dc6d315119d69e, on @user_script:1.\n"


class FakeBroker:
    """The broker's client, systemctl and journalctl; `answers` are by command, or for all where `down` is set."""

    def __init__(self) -> None:
        self.answers = {"PING": "PONG\n", "CONFIG GET appendonly": "appendonly\nyes\n"}
        self.down: Result | None = None
        self.asked: list[str] = []

    def run(self, argv: Sequence[str], **options: Any) -> Result:
        if argv[0] == "journalctl":
            return Result("the journal", "", 0)
        assert list(argv[:6]) == CLIENT
        assert options["timeout"] <= 10
        self.asked.append(" ".join(argv[6:]))
        return self.down or Result(self.answers.get(self.asked[-1], "OK\n"), "", 0)

    def systemctl(self, *words: str, check: bool = True) -> Result:
        self.asked.append(words[0])
        return Result("", "", 0)


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> FakeBroker:
    fake = FakeBroker()
    monkeypatch.setattr(commands, "run", fake.run)
    for module in (broker, units):
        monkeypatch.setattr(module, "systemctl", fake.systemctl)
    monkeypatch.setattr(units, "run", fake.run)
    monkeypatch.setattr(broker, "POLL", 0)
    return fake


@pytest.fixture
def configure(server: Path, running: FakeBroker, make_step: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    main = server / "etc/redis.conf"
    main.write_text("bind 127.0.0.1 -::1\nport 6379\n")
    main.chmod(0o640)
    monkeypatch.setattr(BrokerProgram, "main_config", property(lambda self: main))
    monkeypatch.setattr(BrokerProgram, "drop_in", property(lambda self: server / "etc/codesensei.conf"))
    monkeypatch.setattr(packages, "installed", lambda names: {"redis-server"})
    monkeypatch.setattr(host, "listeners", lambda ports: [])

    def run(**changes: Any) -> Any:
        step = make_step("broker", data=replace(BROKER, **changes))
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
    running.answers["CONFIG GET appendonly"] = "appendonly\nno\n"
    running.answers["INFO persistence"] = (
        "# Persistence\nloading:0\naof_rewrite_in_progress:0\naof_rewrite_scheduled:0\n"
    )
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


def test_it_is_waited_for_until_all_is_written(
    configure: Any, running: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = ["aof_rewrite_in_progress:0\naof_rewrite_scheduled:1\n", "aof_rewrite_in_progress:1\n"]
    ask = running.run

    def run(argv: Sequence[str], **options: Any) -> Result:
        done = ask(argv, **options)
        return Result(busy.pop(), "", 0) if argv[-1] == "persistence" and busy else done

    monkeypatch.setattr(commands, "run", run)
    running.answers["CONFIG GET appendonly"] = "appendonly\nno\n"
    running.answers["INFO persistence"] = "aof_rewrite_in_progress:0\naof_rewrite_scheduled:0\n"
    configure()
    assert running.asked.count("INFO persistence") == 3


def test_a_broker_that_is_down_has_nothing_in_memory_to_keep(
    configure: Any, running: FakeBroker, make_step: Any
) -> None:
    running.down = REFUSED
    step = make_step("broker", data=BROKER)
    broker._keep_data(step, REDIS)
    assert running.asked == ["CONFIG GET appendonly"]


def test_the_older_of_two_versions_writes_the_newer_text(configure: Any, running: FakeBroker, server: Path) -> None:
    configure(config="appendonly yes\nmaxclients 9\n", version=3)
    running.asked.clear()
    assert configure(version=2).changes == 0
    assert "maxclients" in (server / "etc/codesensei.conf").read_text()
    assert "restart" not in running.asked


def test_a_broker_with_a_password_is_refused(running: FakeBroker) -> None:
    running.answers["PING"] = NO_AUTH
    with pytest.raises(Failure, match="wants a password"):
        broker.wait_until_it_answers(REDIS)


def test_one_that_is_still_loading_is_waited_for(running: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Result | Failure] = [
        REFUSED,
        Result("LOADING Redis is loading the dataset in memory\n", "", 0),
        Failure("redis-cli", "redis-cli did not end within 10 seconds"),
        Result("PONG\n", "", 0),
    ]

    def run(argv: Sequence[str], **options: Any) -> Result:
        answer = answers.pop(0)
        if isinstance(answer, Failure):
            raise answer
        return answer

    monkeypatch.setattr(commands, "run", run)
    broker.wait_until_it_answers(REDIS)
    assert answers == []


def test_a_broker_that_does_not_answer_ends_in_bounded_time(
    running: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.down = REFUSED
    monkeypatch.setattr(broker, "START_WAIT", 0.1)
    with pytest.raises(Failure, match=r"does not answer at 127\.0\.0\.1:6379: .*Connection refused") as failed:
        broker.wait_until_it_answers(REDIS)
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
            broker.check_loopback(REDIS)
    else:
        broker.check_loopback(REDIS)


def in_database(number: str, command: str) -> str:
    """The line that is sent."""
    return f"EVAL redis.call('SELECT', ARGV[1]) return redis.call(ARGV[2]) 0 {number} {command}"


def test_a_database_is_chosen_and_asked_by_one_script(running: FakeBroker) -> None:
    """With `-n 99` the client goes on in database 0 where there are only 16, and version 6.0 does not even say so."""
    running.answers[in_database("3", "DBSIZE")] = "7\n"
    assert broker.in_database(REDIS, "3", "DBSIZE") == "7"
    assert broker.in_database(REDIS, "3", "FLUSHDB") == "OK"
    assert running.asked == [in_database("3", "DBSIZE"), in_database("3", "FLUSHDB")]


@pytest.mark.parametrize("said", [OUT_OF_RANGE, NO_AUTH, "NOPERM this user has no permissions to run 'eval'\n"])
@pytest.mark.parametrize("command", ["DBSIZE", "FLUSHDB"])
def test_what_the_broker_refuses_is_no_answer(running: FakeBroker, command: str, said: str) -> None:
    running.answers[in_database("99", command)] = said
    with pytest.raises(ConnectionError, match=said[:6]):
        broker.in_database(REDIS, "99", command)


def test_a_broker_that_cannot_be_asked(running: FakeBroker) -> None:
    running.down = REFUSED
    with pytest.raises(ConnectionError, match="Connection refused"):
        broker.in_database(REDIS, "3", "DBSIZE")


def test_valkey_is_asked_by_its_own_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "run", lambda argv, **options: Result(argv[0], "", 0))
    assert broker.ask(BrokerProgram("valkey"), "PING") == "valkey-cli"


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
    monkeypatch: pytest.MonkeyPatch,
    stranger: str,
) -> None:
    main = server / "etc/redis.conf"
    if stranger == "docker-proxy":
        monkeypatch.setattr(host, "listeners", lambda ports: [host.Listener("0.0.0.0", 6379, stranger, 7)])
    else:
        main.write_text(stranger)
    before = main.read_text()
    step = configure(needed=False)
    assert "left alone" in step.said[-1]
    with pytest.raises(Failure, match=stranger.strip()):
        configure(needed=True)
    assert main.read_text() == before
    assert set(running.asked) <= {"is-active"}
