"""The switch, from what was live to what is asked for: what it calls, in which order, and what is live afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scripts.machine import stack
from tests.scripts.machine.machine import Machine, Visit
from tests.scripts.machine.processes import App
from tests.scripts.machine.scenarios import (
    FIRST,
    HOST,
    MAIL,
    NAMED,
    SCENARIOS,
    Scenario,
    differences,
    look,
    story,
    switch,
)

each_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


def expected(scenario: Scenario, before: dict[str, object]) -> dict[str, object]:
    """The picture of a stack that is live, said without the product."""
    wanted = scenario.after
    manifest = stack.manifest(wanted)
    was = before["current"]
    moved = was != f"-> releases/{wanted.release}"
    found: dict[str, Any] = {
        "current": f"-> releases/{wanted.release}",
        "previous": was if moved else before["previous"],
        "role": f"verifier-of:{wanted.password}",
        "default TLS": f"-> {wanted.default_tls or stack.THROW_AWAY}",
        "socket": stack.WEB_SOCKET,
        "left behind": [],
        stack.SITE_LINK: f"-> ../sites-available/codesensei-{stack.SLUG}.conf",
    }
    files = {entry["path"]: entry["content"] for entry in manifest["files"]}
    found |= files
    found["nginx"] = {f"codesensei-{stack.SLUG}.conf": files[stack.SITE]}
    visits = before["visitors"]
    assert isinstance(visits, dict)
    found["visitors"] = {
        host: Visit(200, release=wanted.release) if host in wanted.hosts else visit for host, visit in visits.items()
    }
    commands = {stack.worker_unit(key): f"{command}\n" for key, command in wanted.workers.items()}
    for name in wanted.units:
        text = files[f"{stack.UNITS}/{name}"]
        runs = None
        if name != stack.WEB_SOCKET:
            command = commands.get(name) or text.partition("ExecStart=")[2].splitlines()[0]
            runs = (wanted.release, " ".join(command.split()) if name == stack.WEB else command, wanted.variables)
        found[name] = ("active", True, text.replace(stack.MAKES_DOOR, ""), runs)
    return found


@pytest.mark.proves(
    "switch.all-or-nothing",
    "switch.manifest",
    "words.switch",
    "words.current",
    "shared.move-with-current",
    "database.password",
    "config.drift",
    "workers.same",
)
@each_scenario
def test_all_is_as_asked(scenario: Scenario) -> None:
    with scenario.machine() as machine:
        before = look(machine)
        ended = switch(machine, scenario.after)
        assert ended.ok, ended.error
        after = look(machine)
        wanted = {**expected(scenario, before), "live": after["live"]}
        assert differences(after, wanted) == {}
        assert ended.result["release"] == scenario.after.release
        assert ended.result["revision"] == scenario.after.revision


@pytest.mark.proves("look.release-gone")
def test_what_works_in_a_folder_that_is_gone_is_renewed() -> None:
    scenario = NAMED["release made again"]
    with scenario.machine() as machine:
        assert switch(machine, scenario.after).ok
        assert story(machine) == scenario.calls


@pytest.mark.proves("switch.candidate", "workers.proof", "redeploy.unchanged", "database.password")
@each_scenario
def test_calls_in_order(scenario: Scenario) -> None:
    with scenario.machine() as machine:
        assert switch(machine, scenario.after).ok
        assert story(machine) == scenario.calls


@pytest.mark.proves("switch.all-or-nothing", "web.door")
@pytest.mark.parametrize("scenario", [row for row in SCENARIOS if row.served], ids=lambda scenario: scenario.name)
def test_visitors_are_served_all_the_time(scenario: Scenario) -> None:
    """Neither an error nor a wait, also while the web process has ended and the next one has not begun."""
    with scenario.machine() as machine:
        machine.systemd.drains[stack.WEB] = 3.0
        served: dict[str, Visit] = {}
        machine.watch(lambda text: served.update({text: machine.visit(HOST)}))
        assert switch(machine, scenario.after).ok
        releases = {scenario.after.release, FIRST.release}
        unserved = {
            text: visit for text, visit in served.items() if visit.status != 200 or visit.release not in releases
        }
        assert unserved == {}
        assert served


@pytest.mark.proves("redeploy.unchanged")
@each_scenario
def test_again_changes_nothing(scenario: Scenario) -> None:
    with scenario.machine() as machine:
        assert switch(machine, scenario.after).ok
        before, processes = look(machine), running(machine)
        again = switch(machine, scenario.after)
        assert again.ok
        assert again.said.splitlines()[0] == f"unchanged: {scenario.after.release} is live"
        assert story(machine) == ()
        assert (look(machine), running(machine)) == (before, processes)


@pytest.mark.proves("media.closed", "order.inert")
def test_uploads_that_are_not_served_any_more_are_closed_at_the_end_alone() -> None:
    scenario = NAMED["new commit"]
    with scenario.machine() as machine:
        folder, link = f"{stack.ROOT}/shared/media", f"{stack.ROOT}/uploads/media"
        machine.link(link, "../shared/media")
        machine.files.path(folder).chmod(0o755)
        machine.apps[scenario.after.release] = App(500)
        assert not switch(machine, scenario.after).ok
        assert machine.files.path(folder).stat().st_mode & 0o777 == 0o755
        machine.apps.clear()
        ended = switch(machine, scenario.after)
        assert f"{folder} is closed to other users" in ended.said
        assert machine.files.path(folder).stat().st_mode & 0o777 == 0o750
        assert machine.read(link) is None


def running(machine: Machine) -> dict[str, int]:
    """Which process each unit has."""
    return {name: unit.process.pid for name, unit in machine.systemd.units.items() if unit.process}


@pytest.mark.proves("words.release.outside", "switch.all-or-nothing")
@pytest.mark.parametrize("name", ["workers only", "site only", "worker removed", "worker added", "another hostname"])
def test_the_web_process_stays_where_nothing_of_it_changes(name: str) -> None:
    with NAMED[name].machine() as machine:
        before = running(machine)
        assert switch(machine, NAMED[name].after).ok
        assert running(machine)[stack.WEB] == before[stack.WEB]
        if name != "workers only":
            assert running(machine)[MAIL] == before[MAIL]
