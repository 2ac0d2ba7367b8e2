"""Facts about this machine, read without changing anything."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import socket
from collections.abc import Iterable
from pathlib import Path

from codesensei.scripts.base import commands
from codesensei.wire import paths
from codesensei.wire.quick import dataclass

SUPPORTED = {("debian", "12"), ("debian", "13"), ("ubuntu", "22.04"), ("ubuntu", "24.04")}
SUPPORTED_TEXT = "Debian 12 and 13, Ubuntu 22.04 and 24.04"


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
    """A listening TCP socket; `process` is `?` when the kernel names no owner."""

    address: str
    port: int
    process: str
    pid: int | None

    @property
    def loopback(self) -> bool:
        return ipaddress.ip_address(self.address).is_loopback


@dataclass(frozen=True)
class Space:
    """What is free for everybody in one file system; `inodes` is None where they are made as needed.

    `programs`: whether it lets programs and libraries run.
    """

    bytes: int
    inodes: int | None
    programs: bool = True


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
    return paths.SERVER.runtime_units.is_dir()


def available_memory(text: str | None = None) -> int:
    """Bytes that a new process can have, swap included."""
    told = text or (paths.SERVER.processes / "meminfo").read_text()
    facts = dict(re.findall(r"^(\w+):\s+(\d+) kB", told, re.MULTILINE))
    return 1024 * (int(facts.get("MemAvailable", 0)) + int(facts.get("SwapFree", 0)))


def space(path: Path) -> Space:
    """What is free where `path` is or would be."""
    while not path.exists():
        path = path.parent
    found = os.statvfs(path)
    inodes, programs = found.f_favail if found.f_files else None, not found.f_flag & os.ST_NOEXEC
    return Space(found.f_bavail * found.f_frsize, inodes, programs)


@dataclass(frozen=True)
class Connection:
    """The connection by which the program runs this process: the client's address, and the port of this server."""

    client: str
    port: int


def ssh_connection() -> Connection | None:
    """What sshd has told the shell from which this process descends; sudo keeps it from its own children."""
    pid = os.getpid()
    with contextlib.suppress(OSError, ValueError, IndexError):
        while pid > 1:
            process = paths.SERVER.processes / str(pid)
            for variable in (process / "environ").read_bytes().split(b"\0"):
                if variable.startswith(b"SSH_CONNECTION="):
                    client, _, _, port = variable.decode().partition("=")[2].split()
                    return Connection(client, int(port))
            pid = int(re.findall(r"^PPid:\s+(\d+)", (process / "status").read_text(), re.MULTILINE)[0])
    return None


def listeners(ports: Iterable[int]) -> list[Listener]:
    """Who listens on these TCP ports, over IPv4 and IPv6, each process once per address."""
    wanted = set(ports)
    argv = ["ss", "--no-header", "--listening", "--tcp", "--numeric", "--processes"]
    said = commands.run(argv, fix="on the server: apt-get install iproute2").stdout
    return [found for found in parse_listeners(said) if found.port in wanted]


def own_addresses() -> list[str]:
    """The addresses by which others reach this server, IPv4 first: those that its own way out begins with."""
    found = []
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        # Nothing is sent: the kernel only chooses the way.
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as way:
            way.connect((far, 9))
            found.append(way.getsockname()[0])
    return [address for address in found if not address.startswith("fe80:")]


def parse_listeners(said: str) -> list[Listener]:
    """The listeners as `ss` prints them; of a socket that several processes hold, the first one, their master."""
    found = []
    for line in said.splitlines():
        words = line.split()
        if len(words) < 5 or words[0] not in ("LISTEN", "UNCONN"):
            continue
        address, _, port = words[3].rpartition(":")
        # `*` is every address of both families; an interface (`[::1]%lo`) is no part of the address.
        address = address.partition("%")[0].strip("[]").removeprefix("::ffff:").replace("*", "::")
        holders = sorted((int(pid), name) for name, pid in re.findall(r'\("([^"]*)",pid=(\d+)', line))
        pid, name = holders[0] if holders else (None, "?")
        found.append(Listener(address, int(port), name, pid))
    return list(dict.fromkeys(found))


def mentions(text: str, but: str = "") -> bool:
    """Whether `text` is in the command of another running process; one with the argument `but` does not count."""
    for name in os.listdir(paths.SERVER.processes):
        if name.isdigit() and int(name) != os.getpid():
            with contextlib.suppress(OSError):
                words = (paths.SERVER.processes / name / "cmdline").read_bytes().split(b"\0")
                if any(text.encode() in word for word in words) and but.encode() not in words[:-1]:
                    return True
    return False
