"""The candidate ends while it serves, with or without the step: the live process has its visitors back at once."""

from __future__ import annotations

import functools

import pytest

from tests.scripts.machine import stack
from tests.scripts.machine.calls import Fault, How, Killed
from tests.scripts.machine.machine import Machine
from tests.scripts.machine.scenarios import HOST, NEW_COMMIT, look, switch
from tests.scripts.machine.stack import Stack
from tests.scripts.machine.systemd import NGINX

pytestmark = pytest.mark.proves("switch.candidate-ends")
NEW = NEW_COMMIT.after
AWAY = f"{stack.ROOT}/hand-over/live.sock"
LED_AWAY = f"rename {stack.ROOT}/hand-over/next.sock {stack.DOOR}"


@functools.cache
def moments() -> list[int]:
    """The calls of a switch during which the candidate serves."""
    found = []
    with NEW_COMMIT.machine() as machine:

        def note(text: str) -> None:
            away, door = machine.files.path(AWAY), machine.files.path(stack.DOOR)
            if away.is_socket() and not away.samefile(door):
                found.append(len(machine.calls.made) - 1)

        machine.watch(note)
        assert switch(machine, NEW).ok
    return sorted(set(found))


def visits(machine: Machine, lost: list[str]) -> None:
    if machine.visit(HOST).lost:
        lost.append(machine.calls.made[-1].text)


@pytest.mark.parametrize("number", moments())
def test_a_candidate_that_is_killed_loses_nobody_and_fails_nothing(number: int) -> None:
    lost: list[str] = []
    with NEW_COMMIT.machine() as machine:

        def note(text: str) -> None:
            if len(machine.calls.made) - 1 == number:
                machine.systemd.kill(stack.CANDIDATE)
            visits(machine, lost)

        machine.watch(note)
        ended = switch(machine, NEW)
        assert ended.ok, ended.error
        assert lost == []
        found = look(machine)
        assert (found["current"], found["left behind"]) == (f"-> releases/{NEW.release}", [])


@pytest.mark.parametrize("number", moments())
def test_nor_does_one_whose_step_was_killed_before(number: int) -> None:
    with NEW_COMMIT.machine() as machine:
        with pytest.raises(Killed):
            switch(machine, NEW, Fault(number, How.KILLED))
        machine.systemd.kill(stack.CANDIDATE)
        assert not machine.visit(HOST).lost
        assert switch(machine, NEW).ok
        assert look(machine)["left behind"] == []


def test_what_it_was_answering_finds_the_live_process_until_it_has_ended() -> None:
    """nginx asks the second name for what the candidate leaves unanswered, also once visitors were led back."""
    missing: list[str] = []
    with NEW_COMMIT.machine() as machine:
        led_away = False

        def note(text: str) -> None:
            nonlocal led_away
            if led_away and machine.systemd.unit(stack.CANDIDATE).runs and not machine.files.path(AWAY).is_socket():
                missing.append(text)
            led_away = led_away or text == LED_AWAY

        machine.watch(note)
        assert switch(machine, NEW).ok
        assert led_away
        assert missing == []


@pytest.mark.proves("switch.nginx-stopped")
@pytest.mark.parametrize("after", [NEW, NEW_COMMIT.before], ids=["a new commit", "nothing to switch"])
def test_an_nginx_that_is_stopped_is_started(after: Stack) -> None:
    with NEW_COMMIT.machine() as machine:
        machine.systemd.control("stop", [NGINX], set())
        ended = switch(machine, after)
        assert ended.ok, ended.error
        assert "nginx started" in ended.said
        assert not machine.visit(HOST).lost


@pytest.mark.proves("switch.nginx-stopped")
@pytest.mark.parametrize("number", moments())
def test_an_nginx_that_is_killed_during_the_switch_is_started(number: int) -> None:
    with NEW_COMMIT.machine() as machine:

        def note(text: str) -> None:
            if len(machine.calls.made) - 1 == number:
                machine.systemd.control("stop", [NGINX], set())

        machine.watch(note)
        ended = switch(machine, NEW)
        assert ended.ok, ended.error
        assert not machine.visit(HOST).lost
