"""Facts about this machine, read without changing anything."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SUPPORTED = {("debian", "12"), ("debian", "13"), ("ubuntu", "22.04"), ("ubuntu", "24.04")}
SUPPORTED_TEXT = "Debian 12 and 13, Ubuntu 22.04 and 24.04"
TCP_LISTEN = "0A"


@dataclass(frozen=True)
class System:
    """The operating system, as /etc/os-release has it."""

    id: str
    version: str
    name: str

    @property
    def supported(self) -> bool:
        return (self.id, self.version) in SUPPORTED


@dataclass(frozen=True)
class Listener:
    """A listening TCP socket; `process` is `?` when the kernel tells no owner."""

    address: str
    port: int
    process: str
    pid: int | None

    @property
    def loopback(self) -> bool:
        return ipaddress.ip_address(self.address).is_loopback


@dataclass(frozen=True)
class Space:
    """What is free for everybody in one file system; `inodes` is None where they are made as needed."""

    bytes: int
    inodes: int | None


def system(path: Path = Path("/etc/os-release")) -> System:
    """The operating system; unknown parts are empty."""
    facts: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            name, _, value = line.partition("=")
            facts[name.strip()] = value.strip().strip("\"'")
    ident, version = facts.get("ID", ""), facts.get("VERSION_ID", "")
    return System(ident, version, facts.get("PRETTY_NAME") or f"{ident} {version}".strip() or "an unknown system")


def runs_systemd() -> bool:
    """Whether process 1 is systemd."""
    return Path("/run/systemd/system").is_dir()


def available_memory(text: str | None = None) -> int:
    """Bytes that a new process can have, swap included."""
    facts = dict(re.findall(r"^(\w+):\s+(\d+) kB", text or Path("/proc/meminfo").read_text(), re.MULTILINE))
    return 1024 * (int(facts.get("MemAvailable", 0)) + int(facts.get("SwapFree", 0)))


def space(path: Path) -> Space:
    """What is free where `path` is or would be."""
    while not path.exists():
        path = path.parent
    found = os.statvfs(path)
    return Space(found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None)


def listeners(ports: Iterable[int]) -> list[Listener]:
    """Who listens on these TCP ports, over IPv4 and IPv6."""
    wanted = set(ports)
    found: dict[str, tuple[str, int]] = {}
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(FileNotFoundError):
            for address, port, inode in parse_sockets(Path("/proc/net", name).read_text()):
                if port in wanted:
                    found[inode] = (address, port)
    owners = _socket_owners(set(found)) if found else {}
    return [Listener(address, port, *owners.get(inode, ("?", None))) for inode, (address, port) in found.items()]


def parse_sockets(table: str) -> Iterator[tuple[str, int, str]]:
    """Address, port and inode of each listening socket in a /proc/net/tcp table."""
    for line in table.splitlines()[1:]:
        words = line.split()
        if len(words) > 9 and words[3] == TCP_LISTEN:
            packed, port = words[1].split(":")
            yield _address(packed), int(port, 16), words[9]


def _address(packed: str) -> str:
    # The kernel prints each 32-bit word in the machine's own byte order.
    raw = b"".join(struct.pack("=I", int(packed[i : i + 8], 16)) for i in range(0, len(packed), 8))
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def _socket_owners(inodes: set[str]) -> dict[str, tuple[str, int]]:
    owners: dict[str, tuple[str, int]] = {}
    # The lowest process id is the master, whose children hold the same socket.
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        with contextlib.suppress(OSError):
            for handle in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    inode = os.readlink(handle.path).removeprefix("socket:[").removesuffix("]")
                    if inode in inodes and inode not in owners:
                        owners[inode] = (Path(f"/proc/{pid}/comm").read_text().strip(), pid)
    return owners


def mentions(text: str, but: str = "") -> bool:
    """Whether a running process other than this one, and without the argument `but`, names `text` in its command."""
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            with contextlib.suppress(OSError):
                words = Path("/proc", name, "cmdline").read_bytes().split(b"\0")
                if any(text.encode() in word for word in words) and but.encode() not in words[:-1]:
                    return True
    return False
