"""Each call of a switch fails once, or is the last one before the process is killed: all is new, or all is old."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from tests.scripts.machine import stack
from tests.scripts.machine.calls import Calls, Fault, How, Killed, Kind
from tests.scripts.machine.machine import Machine
from tests.scripts.machine.processes import App
from tests.scripts.machine.scenarios import (
    CANDIDATE_ENDS,
    FIRST,
    HOST,
    MAIL,
    NAMED,
    NEW_COMMIT,
    Scenario,
    differences,
    look,
    switch,
)
from tests.scripts.machine.stack import ROOT, Stack

pytestmark = [pytest.mark.slow, pytest.mark.proves("switch.all-or-nothing")]

KINDS = (
    "first deploy",
    "new commit",
    "workers only",
    "site only",
    "password change",
    "worker removed",
    "worker added",
    "socket only",
    "certificate for visitors without a name",
)
# Those that between them do everything that a switch can do, for what would else take long.
WIDEST = ("new commit", "password change", "worker removed", "socket only")
# The other kinds make the same calls, in other company: they are for `make test-full`.
each_kind = pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(NAMED[name], marks=() if name in ("first deploy", *WIDEST) else (pytest.mark.full,))
        for name in KINDS
    ],
    ids=lambda scenario: scenario.name,
)
each_wide = pytest.mark.parametrize("scenario", [NAMED[name] for name in WIDEST], ids=lambda scenario: scenario.name)
Picture = dict[str, object]


@dataclass(frozen=True)
class Course:
    """How a switch goes when nothing is wrong: the pictures before and after it, and its calls."""

    old: Picture
    new: Picture
    calls: Calls

    @classmethod
    def of(cls, scenario: Scenario) -> Course:
        with scenario.machine() as machine:
            old = look(machine)
            switch(machine, scenario.after)
            return cls(old, look(machine), machine.calls)

    def named(self, number: int, how: How) -> str:
        """For the report."""
        return f"{how.value} call {number}: {self.calls.made[number].text}"

    def ends_candidate(self, number: int) -> bool:
        """Whether this call ends what is there only for the switch: where it fails, the next run makes up for it."""
        call = self.calls.made[number]
        return (
            call.text.startswith(("remove ", "unlink /run/", f"unlink {ROOT}/hand-over/"))
            or call.text in CANDIDATE_ENDS
        )


def unlike(found: Picture, wanted: Picture, *but: str) -> list[str]:
    return [key for key in differences(found, wanted) if key not in but]


def watch(machine: Machine, scenario: Scenario, problems: list[str]) -> None:
    """Note when a visitor finds nobody."""

    def visit(text: str) -> None:
        if scenario.before and machine.visit(HOST).lost:
            problems.append(f"nobody serves before: {text}")

    if scenario.served:
        machine.watch(visit)


def failed_once(scenario: Scenario, course: Course, number: int, how: How) -> list[str]:
    """What is wrong after one call has failed, and after the next run."""
    problems: list[str] = []
    with scenario.machine() as machine:
        watch(machine, scenario, problems)
        ended = switch(machine, scenario.after, Fault(number, how))
        found = look(machine)
        but = ["left behind"] if course.ends_candidate(number) else []
        new = unlike(found, course.new, *but)
        old = unlike(found, course.old, *but)
        if ended.ok and new:
            problems.append(f"it says that all is well, and not as asked are {new}")
        if not ended.ok and new and old:
            problems.append(f"neither new ({new}) nor old ({old})")
        if not ended.ok and not ended.error.startswith("error: "):
            problems.append(f"told as {ended.error!r}")
        again = switch(machine, scenario.after)
        if not again.ok or unlike(look(machine), course.new):
            problems.append(f"the next run: {again.error} {unlike(look(machine), course.new)}")
    return [f"{course.named(number, how)}: {problem}" for problem in problems]


@each_kind
def test_each_call_is_refused_once(scenario: Scenario) -> None:
    course = Course.of(scenario)
    points = course.calls.faults()
    assert [problem for number in points for problem in failed_once(scenario, course, number, How.REFUSED)] == []


@each_wide
def test_each_program_says_once_that_it_failed(scenario: Scenario) -> None:
    """It has done what it was asked for; a file system does nothing that it refuses."""
    course = Course.of(scenario)
    points = [number for number in course.calls.changes() if course.calls.made[number].kind is Kind.PROGRAM]
    assert [problem for number in points for problem in failed_once(scenario, course, number, How.LATE)] == []


def killed_at(machine: Machine, wanted: Stack, number: int) -> None:
    with pytest.raises(Killed):
        switch(machine, wanted, Fault(number, How.KILLED))


def after_each_kill(scenario: Scenario, wanted: Stack, picture: Picture, *but: str) -> list[str]:
    """What is wrong when the process is killed before each change, and the next run asks for `wanted`."""
    course, problems = Course.of(scenario), list[str]()
    for number in course.calls.changes():
        found: list[str] = []
        with scenario.machine() as machine:
            watch(machine, scenario, found)
            killed_at(machine, scenario.after, number)
            if scenario.before and scenario.served and machine.visit(HOST).lost:
                found.append("nobody serves until the next run")
            # As the steps before the switch do: a release that is gone is built again, a password staged.
            stack.stage(machine, wanted)
            again = switch(machine, wanted)
            wrong = unlike(look(machine), picture, *but)
            if not again.ok or wrong:
                found.append(f"{again.error} {wrong}")
        problems += [f"{course.named(number, How.KILLED)}: {problem}" for problem in found]
    return problems


@each_kind
def test_killed_and_run_again(scenario: Scenario) -> None:
    assert after_each_kill(scenario, scenario.after, Course.of(scenario).new) == []


@each_wide
def test_killed_and_run_with_what_was_live(scenario: Scenario) -> None:
    """Which release served before the last one depends on whether the killed run had done its work."""
    assert scenario.before
    assert after_each_kill(scenario, scenario.before, Course.of(scenario).old, "previous") == []


def test_a_reboot_after_each_kill() -> None:
    """Whatever was in memory is lost, and the sockets that systemd makes are others."""
    course, problems = Course.of(NEW_COMMIT), list[str]()
    for number in course.calls.changes():
        with NEW_COMMIT.machine() as machine:
            killed_at(machine, NEW_COMMIT.after, number)
            machine.reboot()
            visit = machine.visit(HOST)
            again = switch(machine, NEW_COMMIT.after)
            wrong = unlike(look(machine), course.new)
            if visit.lost or not again.ok or wrong:
                problems.append(f"{course.named(number, How.KILLED)}: {visit} {again.error} {wrong}")
    assert problems == []


def dying(machine: Machine) -> None:
    """The workers of the new release end soon after their start."""
    machine.apps[NEW_COMMIT.after.release] = App(workers={MAIL: 1.0})


FAILING = replace(NEW_COMMIT, meanwhile=dying)


@pytest.mark.proves("workers.dying")
@pytest.mark.parametrize("how", [How.REFUSED, How.KILLED], ids=lambda how: how.value)
def test_a_fault_while_all_is_put_back(how: How) -> None:
    """The switch fails, and what puts all back fails or is killed: the next run puts back what is not."""
    course, problems = Course.of(FAILING), list[str]()
    assert unlike(course.new, course.old) == []
    points = course.calls.faults() if how is How.REFUSED else course.calls.changes()
    # Only what comes after the failure; the test above has the rest.
    texts = [call.text for call in course.calls.made]
    began = texts.index("systemctl restart --no-block --job-mode=ignore-dependencies shop-mail.service")
    for number in [point for point in points if point > began]:
        with FAILING.machine() as machine:
            if how is How.KILLED:
                killed_at(machine, FAILING.after, number)
            else:
                assert not switch(machine, FAILING.after, Fault(number, how)).ok
            again = switch(machine, FIRST)
            wrong = unlike(look(machine), course.old)
            if not again.ok or wrong:
                problems.append(f"{course.named(number, how)}: {again.error} {wrong}")
    assert problems == []
