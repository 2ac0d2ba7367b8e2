"""What a checkout's sandbox remembers between two runs, and the locks that keep runs apart."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tools.sandbox.errors import SandboxError
from tools.sandbox.names import FIRST_SERVER_NUMBER, Names, checkout_id, choose_number
from tools.sandbox.network import pick_subnet
from tools.sandbox.process import write_json

# On the machine's own disk: an overlay cannot be the writable layer of another one.
STATE = Path("/var/lib/codesensei-sandbox")
MACHINE_LOCK = STATE / "machine.lock"
LOCK_TIMEOUT = 300.0
POLL_SECONDS = 0.05
READY = "ready"
CREATING = "creating"
CHANGING = "changing"


@dataclass(frozen=True)
class Record:
    """One server as it is remembered."""

    name: str
    debian: int
    kind: str
    nested: bool
    number: int
    """The last part of its IPv4 address."""
    image: str
    """The tree of its base system."""
    mode: str
    """`overlay` or `copy`, see Storage."""
    status: str
    """`ready`, or `creating` or `changing` while a run works on it (or was killed at that)."""
    host_key: str = ""


@contextlib.contextmanager
def hold(path: Path, timeout: float) -> Iterator[None]:
    """Hold the lock file `path`; raises SandboxError when another run keeps it for `timeout` seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout
    with path.open("a") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise SandboxError(f"Another run holds {path} for more than {timeout:g} s.") from None
                time.sleep(POLL_SECONDS)
        yield


def is_held(path: Path) -> bool:
    """Whether some run holds the lock file `path` at this moment."""
    if not path.exists():
        return False
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@dataclass(frozen=True)
class Checkout:
    """The state directory of one checkout of the repository."""

    path: Path

    @property
    def names(self) -> Names:
        """The names of its things on this machine."""
        return Names(checkout_id(str(self.path)))

    @property
    def directory(self) -> Path:
        """Its state directory."""
        return STATE / self.names.checkout

    @property
    def servers_directory(self) -> Path:
        """One directory per server."""
        return self.directory / "servers"

    @property
    def lock_path(self) -> Path:
        """Held for the short moments in which servers are added or removed."""
        return STATE / f"{self.names.checkout}.lock"

    def server_directory(self, name: str) -> Path:
        """Everything of one server."""
        return self.servers_directory / name

    def server_lock_path(self, name: str) -> Path:
        """Held while one run works on this server."""
        return self.directory / "locks" / f"{name}.lock"

    def server_names(self) -> list[str]:
        """All servers that have a directory, complete or not."""
        if not self.servers_directory.is_dir():
            return []
        return sorted(path.name for path in self.servers_directory.iterdir())

    def read(self, name: str) -> Record | None:
        """What is remembered of this server; None when there is no such server or no readable record."""
        try:
            return Record(**json.loads((self.server_directory(name) / "server.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, record: Record) -> None:
        """Remember this server."""
        write_json(self.server_directory(record.name) / "server.json", asdict(record))

    def mark(self, record: Record, status: str) -> Record:
        """Remember another status of this server and return the new record."""
        changed = replace(record, status=status)
        self.write(changed)
        return changed

    def _remembered(self) -> dict[str, str | int]:
        try:
            found: dict[str, str | int] = json.loads((self.directory / "checkout.json").read_text())
        except (OSError, ValueError):
            return {}
        return found

    def _remember(self, **values: str | int) -> None:
        write_json(self.directory / "checkout.json", {**self._remembered(), "path": str(self.path), **values})

    def subnet(self) -> ipaddress.IPv4Network | None:
        """The subnet of its servers, once one was chosen."""
        value = self._remembered().get("subnet")
        return ipaddress.IPv4Network(str(value)) if value else None

    def choose_subnet(self) -> ipaddress.IPv4Network:
        """Choose and remember a subnet that is free now. The machine-wide lock must be held."""
        subnet = pick_subnet(self.names)
        self._remember(subnet=str(subnet))
        return subnet

    def next_number(self) -> int:
        """A number for a new server. The checkout's lock must be held."""
        records = (self.read(name) for name in self.server_names())
        taken = {record.number for record in records if record is not None}
        number = choose_number(int(self._remembered().get("last_number", FIRST_SERVER_NUMBER - 1)), taken)
        self._remember(last_number=number)
        return number


def other_checkouts(own: Checkout) -> list[Path]:
    """The paths of other checkouts that have state on this machine."""
    found = []
    for path in STATE.glob("*/checkout.json"):
        if path.parent != own.directory:
            with contextlib.suppress(OSError, ValueError, KeyError):
                found.append(Path(json.loads(path.read_text())["path"]))
    return sorted(found)
