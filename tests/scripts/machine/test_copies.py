"""A machine that is a copy is like the one that was made step by step."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.scripts.machine import machine as machines
from tests.scripts.machine import scenarios, stack
from tests.scripts.machine.machine import Machine
from tests.scripts.machine.scenarios import MAIL, NAMED, OWN_CERTIFICATE, differences, look, story, switch
from tests.scripts.machine.stack import DOOR, SOCKET, WEB, WEB_SOCKET

# When something began to serve.
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def entries(machine: Machine) -> dict[str, tuple[int, object]]:
    """Everything in the file system: kind and mode, and what it holds."""
    found: dict[str, tuple[int, object]] = {}
    for path in machine.files.path("/").rglob("*"):
        name = machine.files.shown(path)
        found[name] = path.lstat().st_mode, machine.read(name)
    return found


@pytest.mark.parametrize("name", ["first deploy", "new commit", "singleton", "unchanged", "worker stopped by hand"])
def test_a_switch_on_a_copy_goes_as_on_the_machine_itself(name: str) -> None:
    scenario = NAMED[name]
    original = scenarios.made(scenario.before)
    copied = original.copy()
    try:
        assert entries(copied) == entries(original)
        assert differences(look(copied), look(original)) == {}
        ends = []
        for machine in (original, copied):
            stack.stage(machine, scenario.after)
            scenario.meanwhile(machine)
            ended = switch(machine, scenario.after)
            error = TIME.sub("then", ended.error)
            ends.append((ended.code, ended.said, error, story(machine), entries(machine).keys()))
        assert ends[0] == ends[1]
        assert differences(look(copied), look(original)) == {}
    finally:
        original.end()
        copied.end()


def test_copies_have_nothing_in_common() -> None:
    one, other = scenarios.served(OWN_CERTIFICATE), scenarios.served(OWN_CERTIFICATE)
    try:
        assert os.path.samefile(one.files.path(DOOR), one.files.path(SOCKET))
        before = look(other)
        assert switch(one, NAMED["certificate led elsewhere by hand"].after).ok
        one.systemd.control("stop", [WEB, WEB_SOCKET], set())
        one.write("/etc/nginx/sites-enabled/other.conf", "server_name other.example.com;")
        assert differences(look(other), before) == {}
        assert differences(look(one), before) != {}
    finally:
        one.end()
        other.end()


def test_while_something_is_under_way_there_is_no_copy() -> None:
    machine = scenarios.served(OWN_CERTIFICATE)
    try:
        machine.systemd.drains[MAIL] = 5.0
        machine.systemd.control("stop", [MAIL], {"--no-block"})
        with pytest.raises(AssertionError):
            machine.copy()
    finally:
        machine.end()


def test_what_killed_tests_have_left_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    for pid in (ended.pid, os.getpid()):
        (tmp_path / f"m-{pid}-abcdefgh/srv").mkdir(parents=True)
    (tmp_path / "m-of-somebody-else").mkdir()
    monkeypatch.setattr(machines, "PLACES", (str(tmp_path),))
    machines._place.cache_clear()
    assert machines._place() == str(tmp_path)
    machines._place.cache_clear()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"m-{os.getpid()}-abcdefgh", "m-of-somebody-else"]
