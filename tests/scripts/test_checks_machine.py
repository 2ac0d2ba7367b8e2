"""What makes a machine unfit: its system, its room, and who has the ports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import host
from codesensei.scripts.base.step import Failure
from codesensei.scripts.checks import machine
from codesensei.wire import paths


@pytest.fixture
def fine(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "system", lambda: host.System("debian", "12", "Debian GNU/Linux 12 (bookworm)"))
    monkeypatch.setattr(host, "space", lambda path: host.Space(machine.PROJECTS_NEED, machine.INODES))
    monkeypatch.setattr(host, "available_memory", lambda: machine.MEMORY_NEEDED)


def test_one_with_just_enough_is_fine(fine: None) -> None:
    machine.check(allow_unsupported=False)


@pytest.mark.proves("preflight.room")
@pytest.mark.parametrize(
    ("fact", "value", "reason"),
    [
        ("runs_systemd", lambda: False, "not process 1"),
        ("space", lambda path: host.Space(10**6, 10**6), "MiB are free"),
        ("space", lambda path: host.Space(10**12, 10), "10 inodes are free"),
        ("available_memory", lambda: 10**6, "MiB are available"),
    ],
)
def test_one_without_room_is_refused(
    fine: None, monkeypatch: pytest.MonkeyPatch, fact: str, value: Any, reason: str
) -> None:
    monkeypatch.setattr(host, fact, value)
    with pytest.raises(Failure, match=reason):
        machine.check(allow_unsupported=True)


@pytest.mark.proves("os.noexec")
def test_a_disk_that_lets_no_programs_run_is_refused(fine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where projects are: their libraries would not load."""
    projects = paths.SERVER.projects
    monkeypatch.setattr(host, "space", lambda path: host.Space(10**12, None, programs=path != projects))
    with pytest.raises(Failure, match="mounted with noexec") as failed:
        machine.check(allow_unsupported=False)
    assert failed.value.thing == f"disk of {projects}"


def test_a_file_system_that_makes_inodes_as_needed_is_fine(fine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "space", lambda path: host.Space(10**12, None))
    machine.check(allow_unsupported=False)


@pytest.mark.proves("os.port-80", "preflight.ports")
@pytest.mark.parametrize(
    ("process", "pid", "said"),
    [
        ("apache2", 812, r"port 80: the process apache2 \(812\) listens on 0.0.0.0:80"),
        ("?", None, "port 80: an unknown process"),
    ],
)
def test_who_holds_a_port_is_named_unless_it_is_nginx(
    monkeypatch: pytest.MonkeyPatch, process: str, pid: int | None, said: str
) -> None:
    nginx = host.Listener("::", 80, "nginx", 7)
    monkeypatch.setattr(host, "listeners", lambda ports: [nginx])
    machine.check_ports([80])
    monkeypatch.setattr(host, "listeners", lambda ports: [nginx, host.Listener("0.0.0.0", 80, process, pid)])
    with pytest.raises(Failure, match=said):
        machine.check_ports([80])
