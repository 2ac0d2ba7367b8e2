"""Facts about the machine, from the kernel's and the system's own texts."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from codesensei.scripts.base import commands, host
from codesensei.scripts.base.step import Failure
from codesensei.wire import paths

# As ss of iproute2 6.1 prints them.
LISTENING = """\
LISTEN 0      128               0.0.0.0:2024  0.0.0.0:*
LISTEN 0      4096            127.0.0.1:39457 0.0.0.0:* users:(("pulumi",pid=6632,fd=22))
LISTEN 0      128         127.0.0.53%lo:46797 0.0.0.0:* users:(("python3",pid=14674,fd=5),("python3",pid=14612,fd=5))
LISTEN 0      4096   [::ffff:127.0.0.1]:39043       *:* users:(("python",pid=6669,fd=7))
LISTEN 0      128                     *:37235       *:* users:(("python3",pid=14674,fd=8),("python3",pid=14612,fd=8))
LISTEN 0      128                  *%lo:40383       *:* users:(("python3",pid=14674,fd=11),("python3",pid=14612,fd=11))
LISTEN 0      128                 [::1]:45323    [::]:* users:(("python3",pid=14674,fd=6),("python3",pid=14612,fd=6))
LISTEN 0      128                  [::]:58409    [::]:* users:(("python3",pid=14674,fd=9),("python3",pid=14612,fd=9))
LISTEN 0      128              [::1]%lo:50101    [::]:* users:(("python3",pid=14674,fd=7),("python3",pid=14612,fd=7))

"""


@pytest.mark.proves("os.supported")
@pytest.mark.parametrize(
    ("release", "supported"),
    [
        ('ID=debian\nVERSION_ID="12"\n', True),
        ("ID=debian\nVERSION_ID='13'\n", True),
        ('ID=ubuntu\nVERSION_ID="22.04"\n', True),
        ('ID=ubuntu\nVERSION_ID="24.04"\n', True),
        ('ID=ubuntu\nVERSION_ID="20.04"\n', False),
        ('ID=debian\nVERSION_ID="11"\n', False),
        ("ID=arch\n", False),
        ("", False),
    ],
)
def test_supported_systems(tmp_path: Path, release: str, supported: bool) -> None:
    path = tmp_path / "os-release"
    path.write_text(release)
    assert host.system(path).supported is supported


def test_a_system_without_a_name_is_still_called_something(tmp_path: Path) -> None:
    assert host.system(tmp_path / "absent").name == "an unknown system"


@pytest.mark.proves("broker.loopback", "os.port-80")
def test_listeners_are_read_as_ss_prints_them() -> None:
    found = host.parse_listeners(LISTENING)
    assert [(item.address, item.port, item.process, item.pid) for item in found] == [
        ("0.0.0.0", 2024, "?", None),
        ("127.0.0.1", 39457, "pulumi", 6632),
        ("127.0.0.53", 46797, "python3", 14612),
        ("127.0.0.1", 39043, "python", 6669),
        ("::", 37235, "python3", 14612),
        ("::", 40383, "python3", 14612),
        ("::1", 45323, "python3", 14612),
        ("::", 58409, "python3", 14612),
        ("::1", 50101, "python3", 14612),
    ]
    loopback = [item.port for item in found if item.loopback]
    assert loopback == [39457, 46797, 39043, 45323, 50101]


def test_two_programs_at_one_address_are_both_told_and_workers_of_one_once() -> None:
    lines = [
        'LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=13,fd=6),("nginx",pid=9,fd=6))',
        'LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=14,fd=7),("nginx",pid=9,fd=7))',
        'LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:(("next-server (v1",pid=20,fd=7))',
    ]
    found = host.parse_listeners("\n".join(lines))
    assert [(item.process, item.pid) for item in found] == [("nginx", 9), ("next-server (v1", 20)]


@pytest.mark.proves("os.port-80")
@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_who_listens_is_named_with_its_process(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family) as listening:
        try:
            listening.bind((address, 0))
        except OSError:
            pytest.skip(f"this machine has no {address}")
        listening.listen()
        port = listening.getsockname()[1]
        (found,) = host.listeners([port])
    assert (found.address, found.port, found.pid, found.loopback) == (address, port, os.getpid(), True)
    assert found.process == Path("/proc/self/comm").read_text().strip()
    assert host.listeners([port]) == []


def test_memory_counts_swap() -> None:
    assert host.available_memory("MemTotal: 9 kB\nMemAvailable:  100 kB\nSwapFree: 28 kB\n") == 128 * 1024


def test_space_is_that_of_the_nearest_directory_that_exists(tmp_path: Path) -> None:
    assert host.space(tmp_path / "not" / "there").bytes > 0


@pytest.mark.proves("os.noexec")
def test_a_file_system_that_lets_no_program_run_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for flags, programs in {os.ST_NOSUID: True, os.ST_NOSUID | os.ST_NOEXEC: False}.items():
        found = SimpleNamespace(f_bavail=1, f_frsize=1, f_favail=1, f_files=1, f_flag=flags)
        monkeypatch.setattr(os, "statvfs", lambda path, found=found: found)
        assert host.space(tmp_path).programs is programs


def test_a_server_without_ss_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "SYSTEM_PATH", "/nonexistent")
    with pytest.raises(Failure, match="ss is not installed") as failed:
        host.listeners([80])
    assert "iproute2" in failed.value.fix


def test_systemd_runs_where_its_folder_is(server: Path) -> None:
    assert host.runs_systemd()
    paths.SERVER.runtime_units.rmdir()
    assert not host.runs_systemd()


def test_own_process_does_not_mention_anything() -> None:
    assert not host.mentions("a text that is in no command line but this test's own source")


@pytest.mark.parametrize(
    ("command", "but", "mentioned"),
    [
        ("sh /lib/toolkit/abc/run shop build", "", True),
        ("sh /lib/toolkit/abc/run shop build", "shop", False),
        ("sh /lib/toolkit/abc/run blog build", "shop", True),
        ("sh /lib/toolkit/old/run blog build", "", False),
    ],
)
def test_a_process_mentions_a_path(
    server: Path, monkeypatch: pytest.MonkeyPatch, command: str, but: str, mentioned: bool
) -> None:
    processes = server / "proc"
    (processes / "7").mkdir(parents=True)
    (processes / "7/cmdline").write_bytes(command.replace(" ", "\0").encode() + b"\0")
    (processes / "8").mkdir()
    monkeypatch.setattr(paths, "SERVER", replace(paths.SERVER, processes=processes))
    assert host.mentions("/toolkit/abc", but) is mentioned
