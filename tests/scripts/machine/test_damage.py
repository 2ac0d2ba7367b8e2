"""Root's notes after a fault: each of them emptied, cut short or overwritten while nothing ran; and the next deploy."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator

import pytest

from tests.scripts.machine import doors, stack
from tests.scripts.machine.calls import Fault, How, Killed
from tests.scripts.machine.machine import Machine
from tests.scripts.machine.scenarios import FIRST, NEW_COMMIT, differences, kept, look, served, switch

pytestmark = pytest.mark.proves("switch.damaged-notes")
MEMORY = "/var/lib/codesensei"
NEW = NEW_COMMIT.after
Damage = Callable[[bytes], bytes]

DAMAGES: dict[str, Damage] = {
    "empty": lambda text: b"",
    "half": lambda text: text[: len(text) // 2],
    "zeros": lambda text: bytes(len(text)),
    "no text": lambda text: b"\xff\xfe" + text[2:],
}
each_damage = pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)


def notes(machine: Machine) -> list[str]:
    """Every note of root's that the deploy of the project reads again."""
    found = machine.files.path(MEMORY).rglob("*.json*")
    return sorted(machine.files.shown(path) for path in found if path.suffix in (".json", ".jsonl"))


def hurt(machine: Machine, name: str, damage: Damage) -> None:
    path = machine.files.path(name)
    path.write_bytes(damage(path.read_bytes()))


def drift(machine: Machine) -> list[str]:
    found: list[str] = json.loads(doors.run(machine, "look").said)["steps"]["switch"]["drift"]
    return found


@contextlib.contextmanager
def deployed() -> Iterator[Machine]:
    """A server after a switch, which has made the copies."""
    machine = kept("with copies of all notes", _deployed)
    try:
        yield machine
    finally:
        machine.end()


def _deployed() -> Machine:
    machine = served(FIRST)
    stack.stage(machine, NEW)
    assert switch(machine, NEW).ok
    # What earlier steps wrote is staged here without copies.
    for path in map(machine.files.path, notes(machine)):
        if path.suffix == ".json" and path.parent.name != "proofs":
            path.with_name(f"{path.name}.copy").write_bytes(path.read_bytes())
    return machine


@pytest.mark.slow
@each_damage
def test_whichever_note_is_damaged_the_next_deploy_says_so_and_ends_as_without(damage: Damage) -> None:
    with deployed() as machine:
        names, wanted = notes(machine), look(machine)
    assert len(names) >= 6
    for name in names:
        with deployed() as machine:
            hurt(machine, name, damage)
            ended = switch(machine, NEW)
            assert ended.ok, f"{name}: {ended.error}"
            assert f"{name} was damaged: " in ended.said, name
            assert differences(look(machine), wanted) == {}, name
            assert f"{name} was damaged" not in switch(machine, NEW).said


@each_damage
def test_all_at_once(damage: Damage) -> None:
    with deployed() as machine:
        wanted = look(machine)
        for name in notes(machine):
            hurt(machine, name, damage)
        assert switch(machine, NEW).ok
        assert differences(look(machine), wanted) == {}


def test_a_look_names_it_and_changes_nothing() -> None:
    live = f"{stack.MEMORY}/live.json"
    with deployed() as machine:
        assert drift(machine) == []
        hurt(machine, live, DAMAGES["half"])
        before = machine.read(live)
        assert drift(machine) == [f"{live} is damaged"]
        assert machine.read(live) == before


def test_of_a_history_without_a_copy_only_the_half_line_is_lost() -> None:
    history = f"{stack.MEMORY}/history.jsonl"
    with deployed() as machine:
        whole = machine.read(history) or ""
        machine.files.path(f"{history}.copy").unlink()
        machine.files.path(history).write_text(whole + whole[:30])
        assert f"{history} was damaged: its whole lines are kept, 1 lost" in switch(machine, NEW).said
        assert machine.read(history) == machine.read(f"{history}.copy") == whole


def test_what_has_no_copy_is_kept_for_a_person_and_made_again() -> None:
    """As an earlier version of the program has left it."""
    live = f"{stack.MEMORY}/live.json"
    with deployed() as machine:
        wanted = look(machine)
        machine.files.path(f"{live}.copy").unlink()
        hurt(machine, live, DAMAGES["half"])
        ended = switch(machine, NEW)
        assert "it is kept as live.json.damaged and made again" in ended.said
        assert ended.ok
        assert machine.read(f"{live}.damaged")
        assert differences(look(machine), wanted) == {}


@each_damage
def test_a_switch_that_was_interrupted_is_put_back_from_the_copy(damage: Damage) -> None:
    journal = f"{stack.MEMORY}/switch/journal.json"
    with NEW_COMMIT.machine() as machine:
        assert switch(machine, NEW).ok
        number = [call.text for call in machine.calls.made].index(
            f"lead {stack.ROOT}/current to releases/{NEW.release}"
        )
    with NEW_COMMIT.machine() as machine:
        before = look(machine)
        with pytest.raises(Killed):
            switch(machine, NEW, Fault(number, How.KILLED))
        hurt(machine, journal, damage)
        ended = switch(machine, FIRST)
        assert f"{journal} was damaged: it is put back from its copy" in ended.said
        assert ended.ok, ended.error
        assert differences(look(machine), before) == {}
