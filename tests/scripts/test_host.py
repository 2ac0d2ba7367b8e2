"""Facts about the machine, from the kernel's and the system's own texts."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from codesensei.scripts.base import host

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000   109        0 1111 1 0 100 0 0 10 0
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2222 1 0 100 0 0 10 0
   2: 0100007F:0050 0100007F:A0B0 01 00000000:00000000 00:00000000 00000000     0        0 3333 1 0 100 0 0 10 0
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue
   0: 00000000000000000000000001000000:18EB 00000000000000000000000000000000:0000 0A 0:0 00:0 0   109        0 4444 1 0
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


def test_listening_sockets_are_read_from_the_kernels_tables() -> None:
    assert list(host.parse_sockets(TCP)) == [("127.0.0.1", 6379, "1111"), ("0.0.0.0", 80, "2222")]
    assert list(host.parse_sockets(TCP6)) == [("::1", 6379, "4444")]


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


def test_own_process_does_not_mention_anything() -> None:
    assert not host.mentions("a text that is in no command line but this test's own source")
