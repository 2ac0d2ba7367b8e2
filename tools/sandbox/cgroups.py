"""Control groups: each server has one of its own, which also tells whether it runs and ends it as a whole."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.sandbox.errors import SandboxError
from tools.sandbox.process import execute

# Where cgroup v2 is mounted by the sandbox itself, on a machine that has v1 alone.
OWN_MOUNT = Path("/run/codesensei-sandbox/cgroup2")
POLL_SECONDS = 0.02


def hierarchies(mountinfo: str) -> dict[str, Path]:
    """The mount points of cgroup v2 (`unified`) and of systemd's v1 hierarchy (`systemd`), where mounted.

    `mountinfo` is the text of /proc/self/mountinfo.
    """
    found: dict[str, Path] = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        place = Path(before.split()[4])
        kind, _, options = after.partition(" ")
        if kind == "cgroup2":
            found.setdefault("unified", place)
        elif kind == "cgroup" and re.search(r"\bname=systemd\b", options):
            found.setdefault("systemd", place)
    return found


def machine_hierarchies() -> dict[str, Path]:
    """The hierarchies of this machine; mounts cgroup v2 where nothing else has."""
    found = hierarchies(Path("/proc/self/mountinfo").read_text())
    if "unified" not in found:
        OWN_MOUNT.mkdir(parents=True, exist_ok=True)
        execute(["mount", "-t", "cgroup2", "cgroup2", str(OWN_MOUNT)])
        found["unified"] = OWN_MOUNT
    return found


def namespace_depth(status: str) -> int:
    """How many process id namespaces a process is in, from the text of its /proc/PID/status."""
    match = re.search(r"^NSpid:\s*(.+)$", status, re.MULTILINE)
    return len(match.group(1).split()) if match else 1


def is_container_init(status: str, own_depth: int) -> bool:
    """Whether a process is number 1 of a container exactly one level below `own_depth`."""
    match = re.search(r"^NSpid:\s*(.+)$", status, re.MULTILINE)
    numbers = match.group(1).split() if match else []
    return len(numbers) == own_depth + 1 and numbers[-1] == "1"


def _described(process: int) -> str:
    """A process's id, name and state, for an error."""
    with contextlib.suppress(OSError):
        name, state = re.findall(r"^(?:Name|State):\s*(.*)$", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
        return f"{process} {name} {state}"
    return str(process)


@dataclass(frozen=True)
class Cgroup:
    """The control group called `name`, in every hierarchy that matters."""

    name: str
    mounts: tuple[tuple[str, Path], ...]

    @property
    def directories(self) -> list[Path]:
        """Its directory in each hierarchy, that of cgroup v2 first."""
        return [self.unified, *(place / self.name for kind, place in self.mounts if kind != "unified")]

    @property
    def unified(self) -> Path:
        """Its cgroup v2 directory."""
        return dict(self.mounts)["unified"] / self.name

    @property
    def keeper(self) -> Path:
        """For what starts the container: a group with processes of its own cannot pass controllers on."""
        return self.unified / "keeper"

    def create(self) -> None:
        """Make it, with the controllers that the machine can pass on (none is needed)."""
        for directory in (*self.directories, self.keeper):
            directory.mkdir(exist_ok=True)
        for directory in (self.unified.parent, self.unified):
            for controller in (directory / "cgroup.controllers").read_text().split():
                with contextlib.suppress(OSError):
                    (directory / "cgroup.subtree_control").write_text(f"+{controller}")

    def populated(self) -> bool:
        """Whether any process is in it or below."""
        events = self.unified / "cgroup.events"
        return events.is_file() and "populated 1" in events.read_text()

    def processes(self) -> list[int]:
        """The ids of all processes in it and below."""
        found: list[int] = []
        for directory, _, _ in os.walk(self.unified):
            # A group can go away, or be a threaded one, between listing and reading.
            with contextlib.suppress(OSError):
                found += [int(line) for line in Path(directory, "cgroup.procs").read_text().split()]
        return found

    def of_process(self, process: int) -> Path:
        """The cgroup v2 directory of a process."""
        path = re.search(r"^0::/(.*)$", Path(f"/proc/{process}/cgroup").read_text(), re.MULTILINE)
        return dict(self.mounts)["unified"] / (path.group(1) if path else self.name)

    def init(self) -> int | None:
        """The process id of the container's init, seen from here; None when there is none (yet)."""
        depth = namespace_depth(Path("/proc/self/status").read_text())
        for process in self.processes():
            with contextlib.suppress(OSError):
                if is_container_init(Path(f"/proc/{process}/status").read_text(), depth):
                    return process
        return None

    def freeze(self, timeout: float = 10.0) -> None:
        """Stop every process where it is; raises SandboxError when the kernel has not done so in time."""
        (self.unified / "cgroup.freeze").write_text("1")
        deadline = time.monotonic() + timeout
        while "frozen 1" not in (self.unified / "cgroup.events").read_text():
            if time.monotonic() > deadline:
                self.thaw()
                raise SandboxError(f"{self.name} could not be frozen within {timeout:g} s.")
            time.sleep(POLL_SECONDS)

    def thaw(self) -> None:
        """Let the processes go on."""
        (self.unified / "cgroup.freeze").write_text("0")

    def kill(self, timeout: float = 60.0) -> None:
        """Kill every process, like a pulled plug, and wait until all are gone."""
        self._wait_empty(timeout, self._kill_once)

    def wait_empty(self, timeout: float) -> None:
        """Wait until no process is left; raises SandboxError after `timeout` seconds."""
        self._wait_empty(timeout, lambda: None)

    def _kill_once(self) -> None:
        with contextlib.suppress(OSError):
            (self.unified / "cgroup.kill").write_text("1")

    def _wait_empty(self, timeout: float, each_time: Callable[[], None]) -> None:
        deadline = time.monotonic() + timeout
        while self.populated():
            # What comes in while it is being emptied ends, too.
            each_time()
            if time.monotonic() > deadline:
                left = ", ".join(map(_described, self.processes()))
                raise SandboxError(f"The processes of {self.name} did not end within {timeout:g} s: {left}")
            time.sleep(POLL_SECONDS)

    def remove(self) -> None:
        """Remove its empty directories, deepest first; it must not be populated."""
        for top in self.directories:
            if not top.is_dir():
                continue
            for directory, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(directory)


def cgroup(name: str) -> Cgroup:
    """The control group of this name on this machine (which may not exist)."""
    return Cgroup(name, tuple(sorted(machine_hierarchies().items())))


def cgroups_beginning_with(prefix: str) -> list[Cgroup]:
    """All existing control groups whose name begins with `prefix`."""
    mounts = machine_hierarchies()
    names = {path.name for place in mounts.values() for path in place.glob(f"{prefix}*")}
    return [Cgroup(name, tuple(sorted(mounts.items()))) for name in sorted(names)]
