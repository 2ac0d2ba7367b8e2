"""Where live processes may write beside shared: where the settings of the release lead."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.scripts.machine import doors, stack
from tests.scripts.machine.machine import Job, Machine
from tests.scripts.machine.scenarios import FIRST, Scenario, switch

WRITABLE = "ReadWritePaths=/srv/codesensei/shop/shared"


def unit(machine: Machine, name: str = stack.WEB) -> list[str]:
    text = machine.read(f"{stack.UNITS}/{name}")
    assert text is not None
    return text.splitlines()


@pytest.mark.proves("processes.places")
@pytest.mark.parametrize(
    ("places", "writable", "home"),
    [
        ((), WRITABLE, "ProtectHome=yes"),
        (("/mnt/media", "/opt/x"), f"{WRITABLE} -/mnt/media -/opt/x", "ProtectHome=yes"),
        (("/home/deploy/keys",), f"{WRITABLE} -/home/deploy/keys", "ProtectHome=read-only"),
        (("/mnt/a b", "/mnt/x\nExecStart=/bin/sh", "/mnt/%h"), WRITABLE, "ProtectHome=yes"),
    ],
)
def test_the_units_are_open_where_the_settings_lead(places: tuple[str, ...], writable: str, home: str) -> None:
    wanted = replace(FIRST, places=places)
    with Scenario("places", None, wanted).machine() as machine:
        said = switch(machine, wanted).said
        assert ("may write there too" in said) is (writable != WRITABLE)
        assert ("stays read-only" in said) is (writable == WRITABLE and bool(places))
        for name in (stack.WEB, stack.worker_unit("mail")):
            assert {writable, home} <= set(unit(machine, name))
        assert switch(machine, wanted).result["release"] == wanted.release


@pytest.mark.proves("processes.loosened")
def test_a_path_that_is_not_there_is_named_and_not_met_by_every_unit() -> None:
    with Scenario("places", None, FIRST).machine() as machine:
        data = {**stack.manifest(FIRST), "sandbox": {"ReadWritePaths": ["/mnt/missing"]}}
        ended = doors.run(machine, "switch", FIRST.release, FIRST.revision, data=data)
        assert "/mnt/missing" in ended.error
        assert "install -d -o" in ended.error
        assert machine.read(f"{stack.UNITS}/{stack.WEB}") is None


@pytest.mark.proves("processes.places")
def test_a_release_of_an_earlier_version_is_asked_once() -> None:
    wanted = replace(FIRST, places=None)
    with Scenario("places", None, wanted).machine() as machine:
        stack.send(machine, wanted)
        answer = machine.jobs.pop().output.replace('"places": []', '"places": ["/mnt/media"]')
        machine.jobs.append(Job("ask_django.py", output=answer))
        assert switch(machine, wanted).ok
        assert f"{WRITABLE} -/mnt/media" in unit(machine)
        record = json.loads(machine.read(f"{stack.MEMORY}/release/{wanted.release}.json") or "")
        assert record["facts"]["places"] == ["/mnt/media"]
        # The rest is as it was asked when the release was built.
        assert record["facts"]["allowedHosts"] == list(wanted.hosts)
        (asked,) = [ran for ran in machine.ran if "ask_django.py" in " ".join(ran.argv)]
        # It finds out what the user may write, so nothing but the system's own folders is closed to it.
        assert (asked.properties["ProtectSystem"], asked.properties["ProtectHome"]) == ("full", "no")
