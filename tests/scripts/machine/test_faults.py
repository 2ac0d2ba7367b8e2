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
from tests.scripts.machine.stack import Stack

pytestmark = pytest.mark.proves("switch.all-or-nothing")

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
each_kind = pytest.mark.parametrize("scenario", [NAMED[name] for name in KINDS], ids=lambda scenario: scenario.name)
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
        return call.text.startswith(("remove ", "unlink /run/")) or call.text in CANDIDATE_ENDS


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
@pytest.mark.parametrize("how", [How.REFUSED, How.LATE], ids=lambda how: how.value)
def test_each_call_fails_once(scenario: Scenario, how: How) -> None:
    course = Course.of(scenario)
    # A file system does not do what it refuses; a program may.
    points = [
        number
        for number in course.calls.faults()
        if how is How.REFUSED or course.calls.made[number].kind is Kind.PROGRAM
    ]
    problems = [problem for number in points for problem in failed_once(scenario, course, number, how)]
    assert problems == []


def killed_at(machine: Machine, wanted: Stack, number: int) -> None:
    with pytest.raises(Killed):
        switch(machine, wanted, Fault(number, How.KILLED))


@each_kind
@pytest.mark.parametrize("then", ["the same", "what was live"])
def test_killed_at_each_call(scenario: Scenario, then: str) -> None:
    """The next run asks for the same again, or for what was live before: it gets just that."""
    wanted = scenario.after if then == "the same" else scenario.before
    if wanted is None:
        pytest.skip("before a first deploy nothing was live")
    course, problems = Course.of(scenario), list[str]()
    for number in course.calls.changes():
        lost: list[str] = []
        with scenario.machine() as machine:
            watch(machine, scenario, lost)
            killed_at(machine, scenario.after, number)
            if scenario.before and scenario.served and machine.visit(HOST).lost:
                lost.append("nobody serves until the next run")
            # As the steps before the switch do: a release that is gone is built again, a password staged.
            stack.stage(machine, wanted)
            again = switch(machine, wanted)
            # Which release served before the last one depends on whether the killed run had done its work.
            wrong = (
                unlike(look(machine), course.new)
                if then == "the same"
                else unlike(look(machine), course.old, "previous")
            )
            if not again.ok or wrong:
                lost.append(f"{again.error} {wrong}")
        problems += [f"{course.named(number, How.KILLED)}: {problem}" for problem in lost]
    assert problems == []


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
    began = texts.index("systemctl restart --no-block shop-mail.service")
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
