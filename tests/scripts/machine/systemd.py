"""systemd: units with their states, processes that start, drain and die, sockets that listen for them."""

from __future__ import annotations

import copy
import os
import re
import shlex
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.scripts.machine.clock import Clock
from tests.scripts.machine.filesystem import Files
from tests.scripts.machine.processes import App, Listener, Process, Sockets

UNITS = ("/etc/systemd/system", "/run/systemd/system")
RESTART_SECONDS = 2.0
NOT_FOUND = 5
NGINX = "nginx.service"
ASSIGNMENT = re.compile(r"""^([A-Za-z_]\w*)=(?:'([^']*)'|"([^"]*)"|(.*))$""", re.MULTILINE)

Result = tuple[int, str, str]


@dataclass
class Unit:
    """One unit: what systemd has read of it, and what has become of it."""

    name: str
    text: str = ""
    state: str = "inactive"
    sub: str = "dead"
    result: str = "success"
    status: int = 0
    restarts: int = 0
    process: Process | None = None
    listener: Listener | None = None
    # Another one for each time that it was started.
    invocation: str = ""
    # What it was told when it began to run.
    began_with: str = ""
    # When its process will have ended.
    ends: float = 0.0
    jobs: list[str] = field(default_factory=list)

    @property
    def is_socket(self) -> bool:
        return self.name.endswith(".socket")

    @property
    def runs(self) -> bool:
        """Whether there is something to stop."""
        return self.state in ("active", "activating", "deactivating")

    def values(self, key: str) -> list[str]:
        """All values of a setting, the drop-ins' last."""
        return re.findall(rf"^{key}=(.*)$", self.text.replace("\\\n", " "), re.MULTILINE)


class Systemd:
    """The manager: it reads a unit when it first hears of it, and again at `daemon-reload`."""

    def __init__(self, files: Files, clock: Clock, sockets: Sockets, apps: dict[str, App]) -> None:
        self._files, self._clock, self._sockets, self._apps = files, clock, sockets, apps
        self.units: dict[str, Unit] = {}
        self.enabled: set[str] = set()
        self.journal: dict[str, list[tuple[float, str]]] = defaultdict(list)
        self.drains: dict[str, float] = {}
        self.memory = "[not set]"
        self.restart_seconds = RESTART_SECONDS
        # Units whose process stays although they are restarted.
        self.stuck: set[str] = set()
        # Is called when a process has ended and the next one has not begun.
        self.gap: Callable[[str], None] = lambda text: None
        self._pids = iter(range(1000, 1_000_000))

    def copy_to(self, other: Systemd) -> None:
        """Let the manager of another machine know the same; its files are there already."""
        other.enabled, other.drains, other.stuck = set(self.enabled), dict(self.drains), set(self.stuck)
        other.memory, other.restart_seconds, other._pids = self.memory, self.restart_seconds, copy.copy(self._pids)
        other.journal.update({name: list(lines) for name, lines in self.journal.items()})
        for unit in self.units.values():
            found = other.units[unit.name] = replace(unit, jobs=list(unit.jobs))
            if unit.listener:
                found.listener = self._sockets.copy_to(other._sockets, unit.listener, other._owner(found))

    def unit(self, name: str) -> Unit:
        """The unit as systemd knows it now."""
        found = self.units.get(name)
        if found is None:
            found = Unit(name, self._read(name))
            # One that neither runs nor is wanted by anything is forgotten at once.
            if name in self.enabled:
                self.units[name] = found
        return found

    def _known(self, name: str) -> Unit:
        return self.units.setdefault(name, self.unit(name))

    def _read(self, name: str) -> str:
        parts = []
        for folder in UNITS:
            # The machine's most frequent question, so without the comfort of pathlib.
            place = f"{self._files.root}{folder}/{name}"
            if os.path.isfile(place):
                parts.append(Path(place).read_text())
            if os.path.isdir(f"{place}.d"):
                parts += [item.read_text() for item in sorted(Path(f"{place}.d").glob("*.conf"))]
        return "\n".join(parts)

    def exists(self, name: str) -> bool:
        """Whether there is a file for the unit."""
        return name == NGINX or any(os.path.isfile(f"{self._files.root}{folder}/{name}") for folder in UNITS)

    def drop_ins(self, name: str) -> list[str]:
        """Files that change the unit."""
        found = (path for folder in UNITS for path in Path(f"{self._files.root}{folder}/{name}.d").glob("*.conf"))
        return [str(path).removeprefix(str(self._files.root)) for path in found]

    def control(self, verb: str, names: list[str], options: set[str]) -> Result:
        """One call of systemctl."""
        if verb == "daemon-reload":
            for unit in self.units.values():
                unit.text = self._read(unit.name)
            self.forget()
            return 0, "", ""
        code, errors = 0, list[str]()
        waits = verb in ("stop", "restart") and "--no-block" not in options
        for name in names:
            # All names of one call at the same time.
            failed = getattr(self, f"_{verb.replace('-', '_')}")(name, options | ({"--no-block"} if waits else set()))
            if failed:
                code, errors = failed[0], [*errors, failed[1]]
        if waits:
            ends = [self.units[name].ends for name in names if name in self.units]
            self._clock.sleep(max(0.0, max(ends, default=0.0) - self._clock.now))
        self.forget()
        return code, "", "\n".join(errors)

    def forget(self) -> None:
        """Forget the units that have ended well, and that nothing wants."""
        for unit in list(self.units.values()):
            if not unit.runs and unit.state != "failed" and unit.name not in (*self.enabled, NGINX):
                del self.units[unit.name]

    def _enable(self, name: str, options: set[str]) -> tuple[int, str] | None:
        if not self.exists(name):
            return 1, f"Failed to enable unit: Unit file {name} does not exist."
        self.enabled.add(name)
        return None

    def _disable(self, name: str, options: set[str]) -> tuple[int, str] | None:
        if "--now" in options:
            self._stop(name, set())
        self.enabled.discard(name)
        return None if self.exists(name) else (1, f"Failed to disable unit: Unit file {name} does not exist.")

    def _reset_failed(self, name: str, options: set[str]) -> tuple[int, str] | None:
        unit = self.units.get(name)
        if unit is None:
            return 1, f"Failed to reset failed state of unit {name}: Unit {name} not loaded."
        if unit.state == "failed":
            unit.state, unit.sub = "inactive", "dead"
        unit.restarts = 0
        return None

    def _start(self, name: str, options: set[str]) -> tuple[int, str] | None:
        unit = self.unit(name)
        if not unit.text and not unit.runs:
            return NOT_FOUND, f"Failed to start {name}: Unit {name} not found."
        if unit.state == "active":
            return None
        if unit.state == "deactivating":
            # Waits until the old process has ended.
            self._end(unit, then_start=True, blocking=True)
            return None
        self.units[name] = unit
        if unit.is_socket:
            return self._listen(unit)
        socket = self._socket_of(name)
        if socket and self.unit(socket).state != "active" and (failed := self._start(socket, set())):
            return failed
        unit.restarts = 0
        return self._spawn(unit)

    def _stop(self, name: str, options: set[str]) -> tuple[int, str] | None:
        unit = self.units.get(name)
        if unit is None:
            return None if self.exists(name) else (NOT_FOUND, f"Failed to stop {name}: Unit {name} not loaded.")
        if unit.is_socket:
            service = self._service_of(name)
            if service in self.units:
                self._stop(service, options)
            if unit.listener:
                self._sockets.close(unit.listener, remove=True)
                unit.listener = None
            unit.state, unit.sub = "inactive", "dead"
            return None
        self._end(unit, then_start=False, blocking="--no-block" not in options)
        return None

    def _restart(self, name: str, options: set[str]) -> tuple[int, str] | None:
        unit = self.unit(name)
        if name in self.stuck:
            return None
        if not unit.runs:
            return self._start(name, options)
        if unit.is_socket:
            self._stop(name, set())
            return self._start(name, set())
        self._end(unit, then_start=True, blocking="--no-block" not in options)
        return (1, f"Job for {name} failed.") if unit.state == "failed" else None

    def _end(self, unit: Unit, *, then_start: bool, blocking: bool) -> None:
        """End the unit's process as soon as it has finished its work, and start the next one where it is wanted."""
        unit.jobs = ["start"] if then_start else []
        if unit.state != "deactivating":
            drain = self.drains.get(unit.name, 0.0) if unit.process else 0.0
            unit.ends, ending = self._clock.now + drain, unit.process

            def ended() -> None:
                if unit.process is ending and unit.state == "deactivating":
                    self._gone(unit)
                    if unit.jobs:
                        unit.jobs = []
                        self.gap(f"between two processes of {unit.name}")
                        # Only now, as systemd counts: the old process keeps its number until it has ended.
                        unit.restarts = 0
                        self._spawn(unit)

            unit.state, unit.sub = "deactivating", "stop-sigterm"
            self._clock.after(drain, ended)
        if blocking:
            # At the end of this time it has happened.
            self._clock.sleep(max(0.0, unit.ends - self._clock.now))

    def _gone(self, unit: Unit) -> None:
        unit.process = None
        unit.state, unit.sub = "inactive", "dead"
        if unit.listener:
            # A process removes the socket that it has made itself.
            self._sockets.close(unit.listener, remove=True)
            unit.listener = None

    def kill(self, name: str) -> None:
        """The kernel kills the unit's process."""
        unit = self.unit(name)
        if unit.process:
            self._die(unit, unit.process)

    def _listen(self, unit: Unit) -> tuple[int, str] | None:
        service = self._service_of(unit.name)
        if service in self.units and self.units[service].runs:
            return 1, f"{unit.name}: Socket service {service} already active, refusing."
        [path] = unit.values("ListenStream")
        unit.listener = self._sockets.listen(path, self._owner(unit))
        for line in unit.values("ExecStartPost"):
            # The three files of render.units.MAKE_DOOR.
            listening, new_door, door = (self._files.path(word) for word in shlex.split(line)[-3:])
            new_door.unlink(missing_ok=True)
            os.link(listening, new_door, follow_symlinks=False)
            os.rename(new_door, door)
        unit.state, unit.sub, unit.began_with = "active", "listening", unit.text
        unit.invocation = f"i{next(self._pids)}"
        return None

    def _owner(self, unit: Unit) -> Callable[[], Process | None]:
        """Who is asked for the process behind the unit's socket."""
        return (lambda: self._activated(self._service_of(unit.name))) if unit.is_socket else (lambda: unit.process)

    def _activated(self, service: str) -> Process | None:
        """The process behind a socket; a visitor's request starts it."""
        if not self.unit(service).runs:
            self._start(service, set())
        return self.unit(service).process

    def _spawn(self, unit: Unit) -> tuple[int, str] | None:
        self.units[unit.name] = unit
        directory = self._files.resolve(unit.values("WorkingDirectory")[-1])
        if not self._files.path(directory).is_dir():
            return self._fail(unit, 200, f"Changing to the requested working directory {directory} failed")
        environment: dict[str, str] = {}
        for name in unit.values("EnvironmentFile"):
            path = self._files.path(self._files.resolve(name))
            if not path.is_file():
                return self._fail(unit, 1, f"Failed to load environment files: {name}")
            environment |= assignments(path.read_text())
        words = shlex.split(unit.values("ExecStart")[-1])
        scripts = [word for word in words if word.endswith(".sh")]
        command = self._files.path(scripts[0]).read_text() if scripts else " ".join(words)
        app = self._app(unit.name, directory)
        process = Process(next(self._pids), unit.name, directory, command, environment, app, self._clock.now)
        unit.process, unit.began_with, unit.invocation = process, unit.text, f"i{next(self._pids)}"
        unit.state, unit.sub, unit.result = "active", "running", "success"
        link = self._files.path(f"/proc/{process.pid}/cwd")
        link.parent.mkdir(parents=True)
        link.symlink_to(directory)
        if process.app.log:
            self.journal[unit.name].append((self._clock.now, process.app.log))
        self._begin_life(unit, process)
        return None

    def _begin_life(self, unit: Unit, process: Process) -> None:
        """What the process will do by itself."""
        lives = process.app.workers.get(unit.name)
        if process.app.crashes:
            lives = 0.0
        if lives is not None:
            self._clock.after(lives, lambda: self._die(unit, process))
        bind = re.search(r"--bind unix:(\S+)", process.command)
        if bind and self._socket_of(unit.name) is None and not process.app.crashes:
            self._clock.after(process.app.boots, lambda: self._bind(unit, process, bind[1]))

    def _bind(self, unit: Unit, process: Process, path: str) -> None:
        if unit.process is process and unit.state == "active":
            unit.listener = self._sockets.listen(path, self._owner(unit))

    def _app(self, unit: str, directory: str) -> App:
        release = Path(directory).relative_to("/srv/codesensei").parts[2]
        return self._apps.get(f"{unit}@{release}") or self._apps.get(release) or App()

    def _die(self, unit: Unit, process: Process) -> None:
        """The process ends by itself, and systemd starts another one where it is told to."""
        if unit.process is process and unit.state == "active":
            self._gone(unit)
            self._fail(unit, 1, "Main process exited, code=exited, status=1/FAILURE")

    def _fail(self, unit: Unit, status: int, words: str) -> tuple[int, str]:
        failed = f"{unit.name}: Failed with result 'exit-code'."
        self.journal[unit.name] += [(self._clock.now, line) for line in (words, failed)]
        unit.process, unit.status, unit.result = None, status, "exit-code"
        if unit.values("Restart")[-1:] == ["always"]:
            unit.state, unit.sub = "activating", "auto-restart"

            def again() -> None:
                if unit.sub == "auto-restart":
                    unit.restarts += 1
                    self._spawn(unit)

            self._clock.after(self.restart_seconds, again)
        else:
            unit.state, unit.sub = "failed", "failed"
        return 1, f"Job for {unit.name} failed: {words}"

    def _socket_of(self, service: str) -> str | None:
        socket = service.replace(".service", ".socket")
        return socket if socket in self.units or self.exists(socket) else None

    @staticmethod
    def _service_of(socket: str) -> str:
        return socket.replace(".socket", ".service")

    def show(self, name: str, wanted: list[str]) -> Iterator[tuple[str, str]]:
        """The properties of a unit."""
        unit = self.unit(name)
        facts = {
            "ActiveState": unit.state,
            "SubState": unit.sub,
            "InvocationID": unit.invocation,
            "MainPID": str(unit.process.pid if unit.process else 0),
            "NRestarts": str(unit.restarts),
            "Result": unit.result,
            "UnitFileState": ("enabled" if name in self.enabled else "disabled") if self.exists(name) else "",
            "NeedDaemonReload": "yes" if unit.text != self._read(name) else "no",
            "ExecMainCode": "1",
            "ExecMainStatus": str(unit.status),
            "ActiveEnterTimestampMonotonic": "0",
            "MemoryCurrent": self.memory,
            "DropInPaths": " ".join(self.drop_ins(name)),
        }
        for key in wanted:
            yield key, facts[key]


def assignments(text: str) -> dict[str, str]:
    """The variables of an env file."""
    return {name: single or double or plain for name, single, double, plain in ASSIGNMENT.findall(text)}
