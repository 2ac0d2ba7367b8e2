"""What is live is written down before a switch and put back where it fails, each part on its own."""

from __future__ import annotations

import grp
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codesensei.scripts.base import commands, files, nginx, units
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import Failure, write_json
from codesensei.scripts.base.units import UnitState
from codesensei.scripts.postgres import passwords
from codesensei.scripts.postgres.passwords import Password
from codesensei.scripts.serving import live
from codesensei.scripts.serving.live import Journal, Live, SavedPassword
from codesensei.wire import codec, paths
from codesensei.wire.manifest import File, Manifest, RolePassword, Unit
from codesensei.wire.paths import ServerPaths
from tests.scripts.examples import each
from tests.scripts.manifests import MAIL, PROJECT, SOCKET, WEB, kept_by_75650ac, manifest

BEFORE, AFTER = "4f2a9c1-8be01d7", "0000000-1111111"
NEW = "shop-beat.service"


class Systemd:
    """Units by name, and every call that changes one."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.states: dict[str, UnitState] = {}
        self._invocations = map(str, itertools.count(1))

    def call(self, verb: str, *words: str, check: bool = True) -> Result:
        names = [word for word in words if not word.startswith("-")]
        self.calls.append(" ".join([verb, *names]))
        for name in names if verb in ("start", "restart") else []:
            if verb == "restart" or self.show(name).active != "active":
                self.states[name] = UnitState(active="active", invocation=next(self._invocations))
        for name in names if verb == "stop" else []:
            self.states[name] = UnitState(active="inactive")
        return Result("", "", 0)

    def show(self, name: str) -> UnitState:
        return self.states.get(name, UnitState(active="inactive"))


@pytest.fixture
def systemd(server: Path, monkeypatch: pytest.MonkeyPatch) -> Systemd:
    """A server on which `manifest()` is live."""
    monkeypatch.setattr(paths, "SERVER", ServerPaths.below(server))
    monkeypatch.setattr(grp, "getgrgid", lambda number: SimpleNamespace(gr_name="root"))
    found = Systemd()
    monkeypatch.setattr(units, "show_all", each(found.show))
    monkeypatch.setattr(live, "systemctl", found.call)
    monkeypatch.setattr(units, "systemctl", found.call)
    monkeypatch.setattr(commands, "run", lambda argv, check: Result("", "", 0))
    monkeypatch.setattr(nginx, "reload", lambda **_: found.calls.append("reload"))
    for path in (PROJECT.memory, PROJECT.root):
        path.mkdir(parents=True)
    write_files(manifest())
    files.make_link(PROJECT.current, f"releases/{BEFORE}")
    write_json(PROJECT.live, codec.encode(manifest()))
    found.call("start", SOCKET, WEB, MAIL)
    found.calls.clear()
    return found


def write_files(wanted: Manifest) -> None:
    for file in wanted.files:
        Path(file.path).parent.mkdir(parents=True, exist_ok=True)
        Path(file.path).write_text(file.content)
        if link := paths.site_link(Path(file.path)):
            link.parent.mkdir(exist_ok=True)
            files.make_link(link, file.path)


def other() -> Manifest:
    """Another unit of the web process, one more worker, another site."""
    texts = {str(paths.unit(WEB)): "other web\n", str(PROJECT.site): "other site\n"}
    changed = tuple(replace(file, content=texts.get(file.path, file.content)) for file in manifest().files)
    beat = File(path=str(paths.unit(NEW)), content="beat\n")
    return manifest(files=(*changed, beat), units=(*manifest().units, Unit(name=NEW, kind="worker", stop_timeout=9)))


def picture() -> dict[str, str]:
    """Every file and link of the project, but the journal and copies of notes."""
    found = {}
    for path in sorted(paths.SERVER.projects.parents[1].rglob("*")):
        if path.is_symlink():
            found[str(path)] = f"-> {path.readlink()}"
        elif path.is_file() and path.name != "journal.json" and path.suffix != ".copy":
            found[str(path)] = path.read_text()
    return found


@pytest.fixture
def switch(systemd: Systemd, make_step: Any) -> Callable[..., Any]:
    """A step that switches to `other()`; what it is given is done inside."""

    def run(*acts: Callable[[], object], wanted: Manifest | None = None, renewed: tuple[str, ...] = (WEB, MAIL)) -> Any:
        step = make_step("switch", AFTER, data=wanted or other())
        with live.all_or_nothing(step, Live.read(PROJECT), renewed):
            for act in acts:
                act()
        return step

    return run


def fail() -> None:
    raise Failure("web", "it does not answer", "look at it")


def apply() -> None:
    write_files(other())
    files.make_link(PROJECT.current, f"releases/{AFTER}")
    files.make_link(PROJECT.previous, f"releases/{BEFORE}")


def test_what_has_gone_well_is_live(systemd: Systemd, switch: Callable[..., Any]) -> None:
    switch(apply)
    assert Live.read(PROJECT).manifest == other()
    assert not live.is_interrupted(PROJECT)
    assert systemd.calls == []


def test_everything_is_put_back(systemd: Systemd, switch: Callable[..., Any]) -> None:
    before = picture()
    with pytest.raises(Failure, match="it does not answer") as raised:
        switch(apply, lambda: systemd.call("restart", WEB, MAIL), lambda: systemd.call("start", NEW), fail)
    assert raised.value.fix == "look at it"
    assert picture() == before
    assert not live.is_interrupted(PROJECT)
    assert systemd.calls[2:] == [
        f"stop {NEW}",
        f"disable {NEW}",
        "daemon-reload",
        f"enable {MAIL} {WEB} {SOCKET}",
        "reload",
        f"restart {MAIL} {WEB}",
    ]


def test_a_process_that_was_not_replaced_yet_goes_on(systemd: Systemd, switch: Callable[..., Any]) -> None:
    with pytest.raises(Failure):
        switch(apply, lambda: systemd.call("restart", WEB), fail)
    assert systemd.calls[-1] == f"restart {WEB}"


def test_a_socket_that_was_renewed_listens_as_before(systemd: Systemd, switch: Callable[..., Any]) -> None:
    with pytest.raises(Failure):
        switch(lambda: systemd.call("restart", SOCKET), fail, renewed=(SOCKET,))
    # The service ends first, and is started by what puts back the processes.
    assert [call for call in systemd.calls[1:] if SOCKET in call or WEB in call] == [
        f"stop {WEB}",
        f"restart {SOCKET}",
        f"enable {MAIL} {WEB} {SOCKET}",
        f"start {WEB}",
    ]


@pytest.mark.parametrize(("state", "then"), [("inactive", f"stop {MAIL}"), ("activating", f"restart {MAIL}")])
def test_a_worker_that_did_not_run_does_not_run_afterwards(
    systemd: Systemd, switch: Callable[..., Any], state: str, then: str
) -> None:
    systemd.states[MAIL] = UnitState(active=state, invocation="0")
    with pytest.raises(Failure):
        switch(apply, lambda: systemd.call("restart", MAIL), fail)
    assert then in systemd.calls
    assert {call for call in systemd.calls[1:] if call.split()[0] in ("stop", "start", "restart")} == {then}


def test_what_nobody_foresaw_is_put_back_too(switch: Callable[..., Any]) -> None:
    before = picture()
    with pytest.raises(Failure) as raised:
        switch(apply, lambda: dict[str, str]()["x"])
    assert raised.value.thing == f"switch to {AFTER}"
    assert "KeyError" in raised.value.cause
    assert raised.value.fix == "everything was put back"
    assert picture() == before


def test_a_first_deploy_leaves_nothing(systemd: Systemd, switch: Callable[..., Any]) -> None:
    for path in (PROJECT.live, PROJECT.current, *(Path(file.path) for file in manifest().files)):
        path.unlink()
    systemd.states.clear()
    paths.SERVER.nginx.joinpath("sites-enabled", PROJECT.site.name).unlink()
    with pytest.raises(Failure):
        switch(apply, lambda: systemd.call("start", SOCKET, WEB, MAIL, NEW), fail)
    assert picture() == {}
    # Sockets first: a visitor would start the service again.
    assert f"stop {SOCKET} {NEW} {MAIL} {WEB}" in systemd.calls
    assert {state.active for state in systemd.states.values()} == {"inactive"}


def test_an_interrupted_switch_is_put_back_by_the_next_run(
    systemd: Systemd, switch: Callable[..., Any], make_step: Any
) -> None:
    before = picture()
    with pytest.raises(KeyboardInterrupt):
        switch(apply, lambda: systemd.call("restart", WEB), _kill)
    assert live.is_interrupted(PROJECT)
    live.restore(make_step("switch", AFTER, data=other()))
    assert picture() == before
    assert not live.is_interrupted(PROJECT)


def _kill() -> None:
    raise KeyboardInterrupt


class Cluster:
    """PostgreSQL with one role."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.verifier: str | None = "old"
        self.runs = True
        monkeypatch.setattr(passwords, "find", lambda *_: Password(5432, "new", self.stored()))
        monkeypatch.setattr(passwords, "stored_verifier", lambda port, role: self.stored())
        monkeypatch.setattr(passwords, "restore", self.set)

    def stored(self) -> str | None:
        if not self.runs:
            raise Failure("PostgreSQL", "it does not answer")
        return self.verifier

    def set(self, role: str, verifier: str | None, port: int) -> None:
        self.stored()
        self.verifier = verifier

    def stop(self) -> None:
        self.verifier, self.runs = "new", False


def test_a_database_that_is_down_keeps_nothing_else_from_being_put_back(
    systemd: Systemd, switch: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, make_step: Any
) -> None:
    cluster, before = Cluster(monkeypatch), picture()
    wanted = replace(other(), database=RolePassword(role="shop", digest="d2"))
    with pytest.raises(Failure) as raised:
        switch(apply, lambda: systemd.call("restart", WEB), cluster.stop, fail, wanted=wanted)
    assert raised.value.thing == "web"
    assert "it does not answer\nwhat was live before the switch: it could not all be put back" in raised.value.cause
    assert "password: PostgreSQL: it does not answer" in raised.value.cause
    assert raised.value.fix.startswith("look at it\n")
    assert (picture(), systemd.calls[-1]) == (before, f"restart {WEB}")
    assert live.is_interrupted(PROJECT)
    step = make_step("switch", AFTER, data=wanted)
    with pytest.raises(Failure, match="could not all be put back"):
        live.restore(step)
    cluster.runs = True
    systemd.calls.clear()
    live.restore(step)
    assert cluster.verifier == "old"
    assert not live.is_interrupted(PROJECT)


def test_a_password_that_stays_is_not_looked_at(switch: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch)
    cluster.verifier = "new"
    with pytest.raises(Failure) as raised:
        switch(cluster.stop, fail, wanted=replace(other(), database=RolePassword(role="shop", digest="d2")))
    assert raised.value.cause == "it does not answer"
    assert not live.is_interrupted(PROJECT)


@pytest.mark.parametrize("part", ["file", "proxy", "stop"])
def test_one_part_that_fails_keeps_the_journal(
    systemd: Systemd, switch: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, make_step: Any, part: str
) -> None:
    before = picture()
    with monkeypatch.context() as patch:
        if part == "file":
            patch.setattr(grp, "getgrgid", _refuse)
        elif part == "proxy":
            patch.setattr(nginx, "reload", _refuse)
        else:
            patch.setattr(live, "_end_others", _refuse)
        with pytest.raises(Failure) as raised:
            switch(apply, lambda: systemd.call("start", NEW), lambda: systemd.call("restart", WEB), fail)
        assert "Read-only file system" in raised.value.cause
    assert live.is_interrupted(PROJECT)
    assert files.link_target(PROJECT.current) == f"releases/{BEFORE}"
    live.restore(make_step("switch", AFTER, data=other()))
    assert (picture(), live.is_interrupted(PROJECT)) == (before, False)
    assert systemd.show(NEW).active == "inactive"


def _refuse(*_: object, **__: object) -> None:
    raise OSError(30, "Read-only file system")


def test_a_process_that_could_not_be_replaced_is_told(
    systemd: Systemd, switch: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(verb: str, *words: str, check: bool = True) -> Result:
        return Result("", "", 1) if verb == "restart" else systemd.call(verb, *words)

    monkeypatch.setattr(live, "systemctl", refuse)
    with pytest.raises(Failure) as raised:
        switch(apply, lambda: systemd.call("restart", WEB), fail)
    assert f"processes: {WEB}: not started again" in raised.value.cause
    assert live.is_interrupted(PROJECT)


def test_the_journal_of_the_commit_before_is_read(systemd: Systemd, make_step: Any) -> None:
    before = picture()
    role = {"name": "shop", "verifier": None, "port": 5432}
    live.save(make_step("switch", AFTER, data=other()), Live.read(PROJECT), [WEB])
    place = PROJECT.memory / "switch/journal.json"
    kept = json.loads(place.read_text())
    for unit in kept["units"].values():
        unit.pop("invocation", None)
    twin = {"release": BEFORE, "identity": 7}
    write_json(place, {**kept, "live": kept_by_75650ac(manifest()), "role": None, "twin": twin})
    apply()
    live.restore(make_step("switch", AFTER, data=other()))
    assert {**picture(), str(PROJECT.live): before[str(PROJECT.live)]} == before
    # It did not note which processes it had replaced.
    assert f"restart {WEB}" in systemd.calls
    write_json(place, {**kept, "live": {}, "role": role})
    found = Journal.read(PROJECT)
    assert found is not None
    assert (found.live, found.role) == (None, SavedPassword(name="shop", verifier=None, port=5432))
