"""The stack's own broker: how it is made, what moves into it, and when the shared one ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import broker_program, commands, register, units
from codesensei.scripts.base.broker_program import BrokerProgram
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.own_broker import OwnBroker
from codesensei.scripts.base.redis_client import BrokerRefused
from codesensei.scripts.base.step import Failure, write_json
from codesensei.scripts.base.units import UnitState
from codesensei.scripts.removal import own_broker as removal
from codesensei.scripts.serving import brokers, findings
from codesensei.scripts.serving.live import Live
from codesensei.scripts.steps import broker, instance
from codesensei.wire import codec
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.steps import Instance
from tests.scripts.examples import BROKER, IDENTITY, MANIFEST, STACK, each

FIRST, SECOND = "firstPasswordOfTheBroker", "secondPasswordOfTheBroker"
INSTANCE = Instance(
    user="deploy",
    number=417,
    config="bind 127.6.1.161\nport 637\n",
    unit="[Unit]\nDescription=Shop, broker (codesensei)\n[Service]\nExecStart=/usr/bin/@broker@ x\n",
    password=FIRST,
)
SHOP = ProjectPaths("shop")
UNIT = "codesensei-broker-shop.service"
SHARED = "valkey-server.service"


class Keys:
    """A broker: what is under each key of each database, the passwords that it takes, and how often it was asked."""

    def __init__(self, **passwords: bool) -> None:
        self.databases: dict[int, dict[bytes, Any]] = {}
        self.expiry: dict[bytes, int] = {}
        self.passwords = set(passwords)
        self.clients = 1
        self.number = 0
        self.down = False

    def __enter__(self) -> Keys:
        self.number = 0
        return self

    def __exit__(self, *error: object) -> None: ...

    @property
    def here(self) -> dict[bytes, Any]:
        return self.databases.setdefault(self.number, {})

    def scan(self) -> Iterator[bytes]:
        yield from list(self.here)

    def ask(self, *words: Any) -> Any:
        name, *rest = words
        return getattr(self, f"on_{name.lower()}")(*rest)

    def on_ping(self) -> bytes:
        return b"PONG"

    def on_select(self, number: str) -> None:
        self.number = int(number)

    def on_type(self, key: bytes) -> bytes:
        kinds: dict[type, bytes] = {bytes: b"string", list: b"list", dict: b"hash"}
        return kinds[type(self.here[key])]

    def on_dump(self, key: bytes) -> Any:
        return (self.here[key],) if key in self.here else None

    def on_pttl(self, key: bytes) -> int:
        return self.expiry.get(key, -1)

    def on_restore(self, key: bytes, left: int, value: Any, *options: str) -> None:
        if key in self.here and not options:
            raise BrokerRefused("BUSYKEY Target key name already exists.")
        self.here[key] = value[0]
        if left:
            self.expiry[key] = left

    def on_eval(self, script: str, count: int, waiting: bytes, key: bytes) -> None:
        value = self.here[waiting]
        if type(value) is not type(self.here[key]):
            raise BrokerRefused("WRONGTYPE")
        if isinstance(value, list):
            self.here[key] += value
        del self.here[waiting]

    def on_del(self, key: bytes) -> None:
        self.here.pop(key, None)

    def on_dbsize(self) -> int:
        return len(self.here)

    def on_acl(self, verb: str, user: str, *rules: str) -> None:
        assert (verb, user) == ("SETUSER", "default")
        if rules[0] == "resetpass":
            self.passwords.clear()
        self.passwords.add(rules[-1].removeprefix(">"))

    def on_info(self, section: str) -> bytes:
        lines = [f"db{number}:keys={len(keys)},expires=0" for number, keys in self.databases.items() if keys]
        return "\r\n".join(["# Keyspace", *lines]).encode()

    def on_client(self, verb: str) -> bytes:
        return b"id=1\n" * self.clients


class Server:
    """Both brokers, and what systemd was told."""

    def __init__(self) -> None:
        self.own, self.shared = Keys(), Keys()
        self.told: list[str] = []
        self.active = {SHARED}

    def systemctl(self, *words: str, check: bool = True) -> Result:
        verb, unit = words[0], words[-1]
        self.told.append(" ".join(words))
        if verb in ("start", "restart"):
            self.active.add(unit)
            self.own.passwords = {OwnBroker(SHOP).settings()["requirepass"]} if unit == UNIT else self.own.passwords
        if verb == "disable":
            self.active.discard(unit)
        known = unit in self.active if verb in ("is-active", "is-enabled") else True
        return Result("", "", int(not known))

    def show(self, unit: str) -> UnitState:
        return UnitState(active="active" if unit in self.active else "inactive")

    def connect(self, own: OwnBroker, password: str = "") -> Keys:
        if self.own.down or not own.settings():
            raise ConnectionRefusedError(111, "Connection refused")
        if (password or own.settings()["requirepass"]) not in self.own.passwords:
            raise BrokerRefused("WRONGPASS invalid username-password pair")
        return self.own.__enter__()


@pytest.fixture
def host(server: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server with the project shop, whose number is 417, and a shared broker that we configured."""
    host = Server()
    for module in (instance, units, brokers):
        monkeypatch.setattr(module, "systemctl", host.systemctl)
    monkeypatch.setattr(units, "show_all", each(host.show))
    monkeypatch.setattr(units, "last_words", lambda unit: "the journal")
    monkeypatch.setattr(commands, "run", lambda argv, **options: Result("", "", 0))
    monkeypatch.setattr(instance, "POLL", 0)
    monkeypatch.setattr(broker, "find", lambda: BrokerProgram("valkey"))
    monkeypatch.setattr(OwnBroker, "connect", lambda self, password="": host.connect(self, password))
    monkeypatch.setattr(brokers, "_shared", host.shared.__enter__)
    (server / "brokers/valkey").mkdir()
    (server / "brokers/valkey/codesensei.conf").touch()
    for folder in (SHOP.root, SHOP.memory):
        folder.mkdir()
    register.claim_slug("shop", STACK, IDENTITY)
    register.claim("shop", {"brokers": ["417"]}, user="deploy")
    return host


def make(make_step: Any, **changes: Any) -> Any:
    step = make_step("instance", data=replace(INSTANCE, **changes))
    instance.run(step)
    return step


def switched(make_step: Any, *used: str, own: bool = True) -> Any:
    """A switch to a release with these numbers of the shared broker has ended."""
    manifest = replace(MANIFEST, own_broker=own)
    write_json(SHOP.live, codec.encode(manifest))
    step = make_step("switch", data=manifest)
    brokers.settle(step, used)
    brokers.settle_shared(step)
    return step


@pytest.mark.proves("broker.own", "broker.refuses-others")
def test_it_is_made_with_the_program_that_is_there(host: Server, make_step: Any) -> None:
    make(make_step)
    assert SHOP.broker_config.read_text() == f"{INSTANCE.config}requirepass {FIRST}\n"
    assert SHOP.broker_config.stat().st_mode & 0o777 == 0o640
    assert "ExecStart=/usr/bin/valkey-server x" in OwnBroker(SHOP).unit_file.read_text()
    assert host.told[:2] == ["daemon-reload", f"restart {UNIT}"]
    host.told.clear()
    assert make(make_step).changes == 0
    assert not any(word.startswith("restart") for word in host.told)


def test_one_that_was_cut_off_before_the_restart_is_completed(host: Server, make_step: Any) -> None:
    make(make_step)
    (SHOP.memory / "instance.pending").touch()
    host.told.clear()
    make(make_step)
    assert f"restart {UNIT}" in host.told
    assert not (SHOP.memory / "instance.pending").exists()


@pytest.mark.proves("broker.password")
def test_a_new_password_works_beside_the_old_one_until_the_switch(host: Server, make_step: Any) -> None:
    make(make_step)
    host.told.clear()
    make(make_step, password=SECOND)
    assert host.own.passwords == {FIRST, SECOND}
    assert not any(word.startswith("restart") for word in host.told)
    switched(make_step)
    assert host.own.passwords == {SECOND}


def test_a_new_password_of_one_that_is_down_begins_with_its_start(host: Server, make_step: Any) -> None:
    make(make_step)
    host.own.passwords.clear()
    make(make_step, password=SECOND)
    assert host.own.passwords == {SECOND}


def test_one_that_does_not_answer_is_told_with_its_journal(
    host: Server, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.own.down = True
    monkeypatch.setattr(instance, "START_WAIT", 0.05)
    with pytest.raises(Failure, match="it does not answer: Connection refused") as failed:
        make(make_step)
    assert failed.value.log == "the journal"
    assert FIRST not in failed.value.text()


@pytest.mark.parametrize("password", ["", "short", f"{FIRST}\nbind 0.0.0.0"])
def test_what_is_no_password_reaches_no_file(host: Server, make_step: Any, password: str) -> None:
    with pytest.raises(Failure, match="its password is not one"):
        make(make_step, password=password)
    assert not SHOP.broker_config.exists()


@pytest.mark.proves("broker.carried")
def test_jobs_of_the_shared_broker_are_carried_over(host: Server, make_step: Any) -> None:
    """A stack that an earlier version deployed: what was queued before the switch and during it is done."""
    make(make_step)
    host.shared.databases[417] = {b"celery": [b"old"], b"session": b"mine", b"unacked": {b"tag": b"task"}}
    host.shared.databases[0] = {b"celery": [b"theirs"]}
    host.shared.expiry[b"session"] = 5000
    register.claim("shop", {"brokers": ["3"]})
    host.shared.databases[3] = {b"cache": b"of the shared one"}
    brokers.bring_strings(SHOP, ("417", "3"))
    del host.shared.databases[3]
    assert host.own.databases == {0: {b"session": b"mine"}}
    assert host.own.expiry == {b"session": 5000}
    assert set(host.shared.databases[417]) == {b"celery", b"session", b"unacked"}
    host.own.databases[0] |= {b"celery": [b"new"], b"session": b"newer"}
    step = switched(make_step, "417", "3")
    assert host.own.databases[0] == {b"celery": [b"new", b"old"], b"session": b"newer", b"unacked": {b"tag": b"task"}}
    assert not host.shared.databases[417]
    assert host.shared.databases[0] == {b"celery": [b"theirs"]}
    assert "3 keys of broker database 417 carried over to the stack's own broker" in step.said


@pytest.mark.proves("broker.carried")
def test_what_the_settings_still_use_stays(host: Server, make_step: Any) -> None:
    make(make_step)
    register.claim("shop", {"brokers": ["0", "3"]})
    host.shared.databases = {0: {b"a": b"1"}, 3: {b"b": b"1"}}
    switched(make_step, "3")
    assert host.own.databases[0] == {b"a": b"1"}
    assert host.shared.databases[3] == {b"b": b"1"}


@pytest.mark.proves("broker.carried")
def test_a_database_that_another_stack_uses_too_is_not_moved(host: Server, make_step: Any) -> None:
    make(make_step)
    register.claim_slug("blog", "org/codesensei/blog", "id2")
    register.claim("blog", {"brokers": ["0"]})
    register.claim("shop", {"brokers": ["0"]}, shares={"broker database 0"})
    host.shared.databases = {0: {b"a": b"1"}}
    switched(make_step)
    assert host.shared.databases[0] == {b"a": b"1"}


def test_what_cannot_be_merged_stays_and_is_told(host: Server, make_step: Any) -> None:
    make(make_step)
    host.shared.databases[417] = {b"a": [b"1"], b"b": [b"2"]}
    host.own.databases[0] = {b"a": b"text"}
    step = switched(make_step)
    assert host.shared.databases[417] == {b"a": [b"1"]}
    assert "kept: 1 keys in broker database 417, which could not be carried over" in step.said


@pytest.mark.proves("broker.shared-ends")
def test_the_shared_broker_ends_when_every_stack_has_its_own(host: Server, make_step: Any) -> None:
    make(make_step)
    register.claim_slug("blog", "org/codesensei/blog", "id2")
    switched(make_step)
    assert SHARED in host.active, "blog may need it"
    register.forget("blog")
    switched(make_step)
    assert f"disable --now --quiet {SHARED}" in host.told
    assert brokers.stopped(SHOP) == []


@pytest.mark.proves("broker.shared-ends")
def test_a_setting_that_leads_to_it_keeps_it(host: Server, make_step: Any) -> None:
    make(make_step)
    register.claim("shop", {"brokers": ["3"]})
    switched(make_step, "3")
    assert SHARED in host.active
    host.active.clear()
    assert brokers.stopped(SHOP) == [f"{SHARED} is inactive"]
    brokers.settle_shared(make_step("build"))
    assert SHARED in host.active


@pytest.mark.proves("broker.shared-ends")
@pytest.mark.parametrize("use", ["keys", "client", "silent"])
def test_it_stays_while_somebody_uses_it(host: Server, make_step: Any, use: str, monkeypatch: Any) -> None:
    make(make_step)
    if use == "keys":
        host.shared.databases[7] = {b"theirs": b"1"}
    elif use == "client":
        host.shared.clients = 2
    else:
        monkeypatch.setattr(host.shared, "on_info", lambda section: (_ for _ in ()).throw(BrokerRefused("NOAUTH")))
    switched(make_step)
    assert SHARED in host.active


def test_a_shared_broker_that_rests_is_left_so(host: Server, make_step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make(make_step)
    switched(make_step)
    assert broker_program.configured() == BrokerProgram("valkey")
    configured: list[str] = []

    def configure(step: Any, program: BrokerProgram) -> bool:
        configured.append(program.name)
        return False

    monkeypatch.setattr(broker, "_configure", configure)
    monkeypatch.setattr(broker, "_stranger", lambda: None)
    broker.run(make_step("broker", data=replace(BROKER, needed=False)))
    assert configured == ["valkey"]
    assert SHARED not in host.active


@pytest.mark.proves("broker.own")
def test_a_stack_that_goes_back_to_the_shared_broker(host: Server, make_step: Any) -> None:
    make(make_step)
    switched(make_step)
    step = switched(make_step, own=False)
    assert not OwnBroker(SHOP).exists
    assert not SHOP.broker_config.exists()
    assert f"disable --now --quiet {UNIT}" in host.told
    assert SHARED in host.active
    assert any(line.startswith(f"kept: {SHOP.broker_data}") for line in step.said)


def test_one_that_does_not_run_is_drift(host: Server, make_step: Any) -> None:
    assert brokers.own_stopped(SHOP) == []
    make(make_step)
    assert brokers.own_stopped(SHOP) == []
    host.active.discard(UNIT)
    assert brokers.own_stopped(SHOP) == [f"{UNIT} is inactive"]


def test_one_that_does_not_stay_up_is_told(host: Server, make_step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make(make_step)
    monkeypatch.setattr(units, "show_all", each(lambda unit: UnitState(restarts="7" if unit == UNIT else "0")))
    monkeypatch.setattr(units, "journal_of", lambda unit, since: "")
    (found,) = findings.of_project(Live.read(SHOP), str)
    assert (found.thing, found.cause) == (UNIT, "systemd has restarted it 7 times since it was deployed")


@pytest.mark.proves("broker.destroyed")
@pytest.mark.parametrize(("keys", "drop", "stays"), [(1, False, True), (1, True, False), (0, False, False)])
def test_what_destroy_takes(host: Server, make_step: Any, keys: int, drop: bool, stays: bool) -> None:
    make(make_step)
    SHOP.broker_data.mkdir(parents=True)
    host.own.databases[0] = dict.fromkeys(range(keys), b"")  # type: ignore[arg-type]
    assert removal.remove(make_step("destroy"), drop) == ([SHOP.broker_data] if stays else [])
    assert not OwnBroker(SHOP).exists
    assert SHOP.broker_data.exists() == stays


@pytest.mark.proves("broker.destroyed")
def test_destroy_keeps_what_it_cannot_look_into(host: Server, make_step: Any) -> None:
    make(make_step)
    SHOP.broker_data.mkdir(parents=True)
    host.own.down = True
    assert removal.remove(make_step("destroy"), drop=False) == [SHOP.broker_data]
