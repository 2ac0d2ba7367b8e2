"""What runs on the machine: processes of a release, and the sockets behind which they are found."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.scripts.machine.filesystem import Files


@dataclass(frozen=True)
class App:
    """What the programs of a release do when they run."""

    status: int = 200
    location: str = ""
    body: str = ""
    # Hosts that Django refuses.
    refuses: tuple[str, ...] = ()
    # The status of pages that answer with another one.
    pages: Mapping[str, int] = field(default_factory=dict)
    # Seconds until the process listens on a socket that it makes itself, and until it answers at all.
    boots: float = 0.3
    loads: float = 0.3
    # The process ends as soon as it has started.
    crashes: bool = False
    # Requests are taken and never answered.
    hangs: bool = False
    # What it writes to its journal.
    log: str = ""
    # Seconds after which a worker's process ends by itself, by the worker's name.
    workers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Process:
    """A process of a unit: what it has from the moment of its start."""

    pid: int
    unit: str
    directory: str
    command: str
    environment: Mapping[str, str]
    app: App
    began: float

    def answers(self, now: float) -> bool:
        """Whether it takes requests and answers them."""
        return not self.app.hangs and now >= self.began + self.app.loads

    @property
    def release(self) -> str:
        """The release whose code it runs."""
        found = re.search(r"/releases/([^/]+)", self.directory)
        return found[1] if found else "nothing"


class Listener:
    """A listening socket, and who is asked for the process behind it."""

    def __init__(self, place: Path, owner: Callable[[], Process | None]) -> None:
        self.place, self.owner = place, owner
        self._socket = socket.socket(socket.AF_UNIX)
        # As systemd and gunicorn do with what a process that was killed has left.
        place.unlink(missing_ok=True)
        self._socket.bind(str(place))
        self._socket.listen(1000)
        place.chmod(0o660)
        self.inode = place.stat().st_ino

    def close(self) -> None:
        self._socket.close()


class Sockets:
    """All listening sockets by inode: a renamed or linked one stays what it is."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._listeners: dict[int, Listener] = {}

    def listen(self, path: str, owner: Callable[[], Process | None]) -> Listener:
        found = Listener(self._files.path(path), owner)
        self._listeners[found.inode] = found
        return found

    def copy_to(self, other: Sockets, listener: Listener, owner: Callable[[], Process | None]) -> Listener:
        """The same listener on another machine, under the same names there."""
        places = [os.path.join(folder, name) for folder, _, names in os.walk(self._files.root) for name in names]
        first, *others = [place for place in places if os.lstat(place).st_ino == listener.inode]
        found = other.listen(self._files.shown(first), owner)
        for place in others:
            os.link(found.place, other._files.path(self._files.shown(place)))
        found.place = other._files.path(self._files.shown(listener.place))
        return found

    def close(self, listener: Listener, *, remove: bool) -> None:
        """End a listener; `remove` also takes its first name away, wherever that leads by now."""
        listener.close()
        self._listeners.pop(listener.inode, None)
        if remove:
            listener.place.unlink(missing_ok=True)

    def behind(self, path: str) -> Listener | None:
        """Who listens at a path of the server; None where a connection is refused."""
        try:
            return self._listeners.get(os.stat(self._files.root + path).st_ino)
        except FileNotFoundError:
            return None

    def end(self) -> None:
        for listener in self._listeners.values():
            listener.close()
        self._listeners.clear()
