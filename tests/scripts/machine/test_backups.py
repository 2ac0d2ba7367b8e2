"""A stack's backups end with the switch that does not ask for them any more, and with the stack."""

from __future__ import annotations

import json

import pytest

from codesensei.wire.names import backup_units
from tests.scripts.machine import doors, postgres, stack
from tests.scripts.machine.calls import Fault, How, Killed
from tests.scripts.machine.doors import Ended
from tests.scripts.machine.machine import Machine
from tests.scripts.machine.scenarios import FIRST, Scenario, switch

TIMER, SERVICE = backup_units(stack.SLUG)
DROP_IN = f"{postgres.CONF_D}/codesensei-{stack.SLUG}.conf"
ARCHIVE = f"/var/lib/codesensei-archive/{stack.SLUG}"
OF_BACKUPS = (
    *(f"{stack.UNITS}/{TIMER}", f"{stack.UNITS}/{SERVICE}", DROP_IN, ARCHIVE),
    *(f"{stack.MEMORY}/backup", f"{stack.ROOT}/backup"),
)
REGISTER = "/var/lib/codesensei/register.json"
RESTART = f"systemctl try-restart {postgres.UNIT}"
each_ending = pytest.mark.parametrize("ending", ["switch", "destroy"])


def back_up(machine: Machine) -> None:
    """What the step `backups` leaves, as far as its end concerns it."""
    for path in (TIMER, SERVICE):
        machine.write(f"{stack.UNITS}/{path}", "[Unit]\n")
    machine.write(f"{ARCHIVE}/pgbackrest.conf", "[global]\n")
    machine.write(f"{stack.MEMORY}/backup/password", "canary\n")
    machine.write(f"{stack.ROOT}/backup", "#!/bin/sh\n")
    machine.write(DROP_IN, "archive_mode = on\n")
    machine.systemd.control("enable", [TIMER], set())
    machine.files.path("/usr/local/lib/codesensei/toolkit/abc").mkdir(parents=True)
    # What becomes of the database itself, tests/scripts/test_destroy.py tells.
    register = json.loads(machine.read(REGISTER) or "")
    register["slugs"][stack.SLUG]["names"] |= {"roles": [], "archives": ["5432"]}
    machine.write(REGISTER, register)
    machine.program(["systemctl", "restart", postgres.UNIT])
    assert machine.postgres.archives


BACKED_UP = Scenario("backed up", FIRST, FIRST, meanwhile=back_up)


def end(machine: Machine, ending: str, fault: Fault | None = None) -> Ended:
    if ending == "switch":
        return switch(machine, FIRST, fault)
    data = {
        "stack": "organization/shop/prod",
        "identity": "i1",
        "slug": stack.SLUG,
        "onDestroy": {"database": "keep", "media": "keep"},
    }
    return doors.run(machine, "destroy", data=data, fault=fault)


def left(machine: Machine) -> list[str]:
    """What there still is of the backups."""
    found = [path for path in OF_BACKUPS if machine.files.path(path).exists()]
    return [*found, *(["archives"] if machine.postgres.archives else []), *machine.systemd.enabled & {TIMER}]


@pytest.mark.proves("continuous.ended", "continuous.restart", "backups.ended")
@each_ending
def test_it_ends_them(ending: str) -> None:
    with BACKED_UP.machine() as machine:
        assert sorted(left(machine)) == sorted([*OF_BACKUPS, "archives", TIMER])
        ended = end(machine, ending)
        assert ended.ok, ended.error
        assert left(machine) == []
        assert RESTART in machine.calls.programs
        assert ended.said.index("restarting PostgreSQL 17/main without an archive: whoever is connected") < (
            ended.said.index("restarted without it")
        )
        assert end(machine, ending).ok
        assert RESTART not in machine.calls.programs


@pytest.mark.slow
@pytest.mark.proves("continuous.ended")
@each_ending
def test_killed_and_run_again_it_ends_them(ending: str) -> None:
    """Above all between the removal of the drop-in and the restart: PostgreSQL would keep all WAL from then on."""
    with BACKED_UP.machine() as machine:
        assert end(machine, ending).ok
        texts = [call.text for call in machine.calls.made]
        points = [number for number in machine.calls.changes() if number >= texts.index(f"write {DROP_IN}")]
    for number in points:
        with BACKED_UP.machine() as machine:
            with pytest.raises(Killed):
                end(machine, ending, Fault(number, How.KILLED))
            again = end(machine, ending)
            assert (again.ok, left(machine)) == (True, []), texts[number]


@pytest.mark.proves("continuous.ended", "backups.ended")
def test_a_switch_that_asks_for_them_leaves_them() -> None:
    with BACKED_UP.machine() as machine:
        manifest = {**stack.manifest(FIRST), "backups": True}
        assert doors.run(machine, "switch", FIRST.release, FIRST.revision, data=manifest).ok
        assert sorted(left(machine)) == sorted([*OF_BACKUPS, "archives", TIMER])
