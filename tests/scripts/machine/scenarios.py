"""What was live, what is asked for, and which calls lead from the one to the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from tests.scripts.machine import doors, stack
from tests.scripts.machine.calls import Fault
from tests.scripts.machine.doors import Ended
from tests.scripts.machine.machine import Machine
from tests.scripts.machine.stack import CANDIDATE, ROOT, WEB, WEB_SOCKET, Stack

FIRST = Stack()
OTHER_CODE = replace(FIRST, code="c0de002")
MAIL = "shop-mail.service"


@dataclass(frozen=True)
class Scenario:
    """From one stack to another. `calls` are the programs that change something, between the begin and the end."""

    name: str
    before: Stack | None
    after: Stack
    calls: tuple[str, ...]
    # What else has happened on the server before the switch.
    meanwhile: Callable[[Machine], None] = lambda machine: None

    @property
    def hosts(self) -> tuple[str, ...]:
        return (*FIRST.hosts, "other.example.com")

    def machine(self) -> Machine:
        """A server on which everything waits for the switch."""
        found = Machine.make()
        stack.make_server(found)
        if self.before:
            stack.stage(found, self.before)
            assert switch(found, self.before).ok
        stack.stage(found, self.after)
        self.meanwhile(found)
        return found

    def picture(self, machine: Machine) -> dict[str, object]:
        return stack.picture(machine, *self.hosts)


def switch(machine: Machine, wanted: Stack, fault: Fault | None = None) -> Ended:
    """Run the switch to a stack."""
    return doors.run(machine, "switch", wanted.release, wanted.revision, data=stack.manifest(wanted), fault=fault)


# The calls that every switch begins with, and ends with.
BEGIN = ("systemctl reset-failed codesensei-job-shop.service", "pkill -KILL -U csb-8d9001d3")
PROOF = ("as deploy: mkdir {root}/shared/state/manage", "job: python -B ask_workers.py")
CANDIDATE_BEGINS = ("systemctl daemon-reload", f"systemctl start {CANDIDATE}")
CANDIDATE_ENDS = (
    f"systemctl stop {CANDIDATE}",
    f"systemctl reset-failed {CANDIDATE}",
    "systemctl daemon-reload",
)
HOMES = tuple(f"as deploy: mkdir {ROOT}/shared/state/{name}" for name in ("web", "mail"))
