"""The look at what is live: everything that should run and does not, every file that is another, and no change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from codesensei.wire import codec
from codesensei.wire.manifest import Manifest
from tests.scripts.machine import doors, stack
from tests.scripts.machine.calls import Fault, How, Killed, Kind
from tests.scripts.machine.machine import Machine
from tests.scripts.machine.scenarios import FIRST, MAIL, NEW_COMMIT, Scenario, make_release_again, switch
from tests.scripts.machine.stack import WEB, WEB_SOCKET

pytestmark = pytest.mark.proves("config.drift")
LIVE = Scenario("", FIRST, FIRST)
MANIFEST = codec.decode(Manifest, stack.manifest(FIRST), "a manifest")


def look(machine: Machine) -> dict[str, Any]:
    ended = doors.run(machine, "look")
    assert ended.code == 0
    assert [call.text for call in machine.calls.made if call.kind is not Kind.QUERY] == []
    found: dict[str, Any] = json.loads(ended.said)
    return found


def stop(*names: str) -> Callable[[Machine], object]:
    return lambda machine: machine.systemd.control("stop", list(names), set())


def disable(machine: Machine) -> None:
    machine.systemd.control("disable", [WEB], set())


def fail(machine: Machine) -> None:
    machine.systemd.units[MAIL].state = "failed"


def restarting(machine: Machine) -> None:
    machine.systemd.units[MAIL].state = "activating"


def remove_unit(machine: Machine) -> None:
    machine.files.path(f"{stack.UNITS}/{MAIL}").unlink()


def write_site(machine: Machine) -> None:
    machine.write(stack.SITE, "x")


def unlink_site(machine: Machine) -> None:
    machine.files.path(stack.SITE_LINK).unlink()


def lead_elsewhere(machine: Machine) -> None:
    machine.link(f"{stack.ROOT}/current", "releases/elsewhere")


def lose_packages(machine: Machine) -> None:
    machine.files.path(f"{stack.ROOT}/venvs/v1-py3.13.5/.complete").unlink()


def chmod(machine: Machine) -> None:
    machine.files.path(f"{stack.CONFIG}/workers/mail.sh").chmod(0o777)


def remove_door(machine: Machine) -> None:
    machine.files.path(f"{stack.ROOT}/hand-over/web.sock").unlink()


def write_latin(machine: Machine) -> None:
    path = machine.files.path(f"{stack.CONFIG}/workers/mail.sh")
    path.write_bytes(b"# f\xfcr\n" + path.read_bytes())


def write_script(machine: Machine) -> None:
    machine.write(f"{stack.CONFIG}/workers/mail.sh", "celery -A shop worker -c 9\n")
    machine.files.path(f"{stack.CONFIG}/workers/mail.sh").chmod(0o640)


def mask(machine: Machine) -> None:
    remove_unit(machine)
    machine.link(f"{stack.UNITS}/{MAIL}", "/dev/null")


SITE_LINE = f"+{dict(MANIFEST.contents())[stack.SITE].rstrip()}"[:159] + "…"
CURRENT = f"releases/{FIRST.release}"
ALL_AGAIN = [f"{name} restarts" for name in (WEB, MAIL)]


@pytest.mark.parametrize(
    ("change", "drift"),
    [
        (lambda machine: None, []),
        (restarting, []),
        (stop(MAIL), [f"{MAIL} is inactive"]),
        (stop(WEB_SOCKET), [f"{WEB} is inactive", f"{WEB_SOCKET} is inactive"]),
        (fail, [f"{MAIL} is failed"]),
        (disable, [f"{WEB} is disabled"]),
        (remove_unit, [f"{stack.UNITS}/{MAIL} is gone", f"{MAIL} is not enabled"]),
        (write_site, [f"{stack.SITE} was changed by hand"]),
        (unlink_site, [f"{stack.SITE_LINK} is gone"]),
        (lead_elsewhere, [f"{stack.ROOT}/current was changed by hand"]),
        (chmod, [f"{stack.CONFIG}/workers/mail.sh was changed by hand"]),
        pytest.param(
            remove_door,
            [f"the project's socket {stack.ROOT}/hand-over/web.sock is gone"],
            marks=pytest.mark.proves("look.door"),
        ),
        pytest.param(
            make_release_again,
            [f"{MAIL} works in a folder that is gone", f"{WEB} works in a folder that is gone"],
            marks=pytest.mark.proves("look.release-gone"),
        ),
    ],
)
def test_what_has_changed_since(change: Callable[[Machine], object], drift: list[str]) -> None:
    with LIVE.machine() as machine:
        change(machine)
        found = look(machine)
        assert found["identity"] == "i1"
        assert found["steps"]["switch"]["drift"] == drift


@pytest.mark.proves("story.drift")
@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (stop(MAIL), {f"{MAIL} is inactive": ["inactive (dead) -> active"]}),
        (
            remove_unit,
            {
                f"{stack.UNITS}/{MAIL} is gone": [f"{MAIL} restarts"],
                f"{MAIL} is not enabled": ["not enabled -> enabled"],
            },
        ),
        (write_site, {f"{stack.SITE} was changed by hand": ["@@ -1 +1,2 @@", "-x", SITE_LINE, "+"]}),
        pytest.param(
            lead_elsewhere,
            {f"{stack.ROOT}/current was changed by hand": [f"leads to releases/elsewhere -> {CURRENT}", *ALL_AGAIN]},
            marks=pytest.mark.proves("story.switch.drift"),
        ),
        pytest.param(
            lose_packages,
            {"what serves would not start again": ALL_AGAIN},
            marks=pytest.mark.proves("story.switch.drift"),
        ),
        (chmod, {f"{stack.CONFIG}/workers/mail.sh was changed by hand": ["mode 0777 -> 0640"]}),
        (
            write_script,
            {
                f"{stack.CONFIG}/workers/mail.sh was changed by hand": [
                    "@@ -1 +1 @@",
                    "-celery -A shop worker -c 9",
                    "+celery -A shop worker",
                    f"{MAIL} restarts",
                ]
            },
        ),
        (
            make_release_again,
            {f"{name} works in a folder that is gone": [f"{name} restarts"] for name in (MAIL, WEB)},
        ),
        (
            mask,
            {
                f"{stack.UNITS}/{MAIL} was changed by hand": ["a link to /dev/null -> a file", f"{MAIL} restarts"],
                f"{MAIL} is not enabled": ["not enabled -> enabled"],
            },
        ),
    ],
)
def test_how_it_has_changed(change: Callable[[Machine], object], lines: dict[str, list[str]]) -> None:
    with LIVE.machine() as machine:
        change(machine)
        assert look(machine)["steps"]["switch"]["changes"] == lines


@pytest.mark.proves("story.releases")
def test_the_releases_are_told() -> None:
    with NEW_COMMIT.machine() as machine:
        assert switch(machine, NEW_COMMIT.after).ok
        found = look(machine)
    names = [NEW_COMMIT.after.release, FIRST.release]
    assert (found["releases"], found["served"][:2]) == (sorted(names), names)


def test_what_was_applied_last_is_told() -> None:
    with NEW_COMMIT.machine() as machine:
        first = look(machine)["steps"]["switch"]["applied"]
        assert switch(machine, NEW_COMMIT.after).ok
        second = look(machine)["steps"]["switch"]["applied"]
        assert len({first, second, ""}) == 3


def test_an_interrupted_switch_is_told_and_a_failed_one_is_not() -> None:
    with NEW_COMMIT.machine() as machine:
        assert switch(machine, NEW_COMMIT.after).ok
        number = [call.text for call in machine.calls.made].index(f"write {stack.MEMORY}/switch/journal.json")
    with NEW_COMMIT.machine() as machine:
        assert not switch(machine, NEW_COMMIT.after, Fault(number, How.REFUSED)).ok
        assert look(machine)["steps"]["switch"]["drift"] == []
        with pytest.raises(Killed):
            switch(machine, NEW_COMMIT.after, Fault(number, How.KILLED))
        assert look(machine)["steps"]["switch"]["drift"] == ["an earlier run was interrupted"]


def test_a_server_without_the_project() -> None:
    found = Machine.make()
    try:
        assert look(found) == {}
    finally:
        found.end()


EVERYTHING = [
    stop(MAIL),
    stop(WEB_SOCKET),
    disable,
    remove_unit,
    write_site,
    unlink_site,
    pytest.param(chmod, marks=pytest.mark.proves("config.drift")),
    pytest.param(remove_door, marks=pytest.mark.proves("look.door")),
    pytest.param(write_latin, marks=pytest.mark.proves("config.drift.bytes")),
]


@pytest.mark.parametrize("change", EVERYTHING)
def test_the_next_switch_puts_it_right(change: Callable[[Machine], object]) -> None:
    with LIVE.machine() as machine:
        change(machine)
        assert look(machine)["steps"]["switch"]["drift"] != []
        assert switch(machine, FIRST).ok
        assert look(machine)["steps"]["switch"]["drift"] == []
        # A switch that changes nothing takes what is there for what it has left.
        assert machine.files.path(f"{stack.CONFIG}/workers/mail.sh").stat().st_mode & 0o777 == 0o640


ENV = f"{stack.ROOT}/env/{FIRST.env}.env"


@pytest.mark.proves("config.drift.variables")
def test_variables_that_were_edited_reach_no_process_for_long() -> None:
    """Somebody may have started processes with them; that the file alone is put back would not be enough."""
    with LIVE.machine() as machine:
        was = machine.read(ENV) or ""
        proof = {"applied": "d1", "files": {ENV: f"file:640:0:0:{hashlib.sha256(was.encode()).hexdigest()}"}}
        machine.write(f"{stack.MEMORY}/proofs/environment.json", proof)
        assert look(machine)["steps"]["switch"]["drift"] == []
        machine.write(ENV, f"{was}DEBUG='1'\n")
        found = look(machine)["steps"]["switch"]
        (words,) = found["drift"]
        assert words == f"processes may have started with what was written by hand into {ENV}"
        assert found["changes"] == {words: [f"{WEB} restarts", f"{MAIL} restarts"]}


@pytest.mark.proves("config.drift.variables")
def test_processes_are_renewed_after_their_variables_were_put_back() -> None:
    with LIVE.machine() as machine:
        before = {name: machine.systemd.units[name].invocation for name in (WEB, MAIL)}
        machine.write(f"{stack.MEMORY}/switch/renewing.json", {})
        assert switch(machine, FIRST).ok
        after = {name: machine.systemd.units[name].invocation for name in (WEB, MAIL)}
        assert not {*before.values()} & {*after.values()}
        assert machine.read(f"{stack.MEMORY}/switch/renewing.json") is None
        assert switch(machine, FIRST).ok
        assert {name: machine.systemd.units[name].invocation for name in (WEB, MAIL)} == after
