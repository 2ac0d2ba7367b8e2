"""All servers of one checkout."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

from tools.sandbox import machine
from tools.sandbox.cgroups import cgroups_beginning_with
from tools.sandbox.errors import SandboxError
from tools.sandbox.image import KINDS, RELEASES, Image, cache_directory, locked, prune, unmount_below
from tools.sandbox.names import check_server_name
from tools.sandbox.network import bridge_exists, close_network, open_network
from tools.sandbox.relay import Relay
from tools.sandbox.server import Server
from tools.sandbox.setup import make_key, prepare
from tools.sandbox.state import (
    CREATING,
    LOCK_TIMEOUT,
    MACHINE_LOCK,
    READY,
    Checkout,
    Record,
    hold,
    is_held,
)
from tools.sandbox.storage import overlay_works, seed_packages

OWN_CHECKOUT = Path(__file__).resolve().parents[2]


def is_leftover(record: Record | None, held: bool) -> bool:
    """Whether a server's directory is what a killed run left: not ready, and no run works on it."""
    return not held and (record is None or record.status != READY)


class Sandbox:
    """The throw-away servers of one checkout of the repository (by default of this one)."""

    def __init__(self, checkout: Path = OWN_CHECKOUT) -> None:
        """Raises SandboxError, in one sentence with the fix, where no server can run."""
        machine.require()
        self.checkout = Checkout(checkout.resolve())

    def up(self, name: str, debian: int = 13, kind: str = "plain", *, nested: bool = False) -> Server:
        """The server `name`, ready for ssh: a new one, or the one that is there.

        `debian` is 12 or 13; `kind` is `plain` (root by key) or `cloud` (prepared like a bought cloud image);
        `nested` makes one in which a sandbox can run in turn.
        """
        check_server_name(name)
        if debian not in RELEASES:
            raise SandboxError(f"There is no sandbox server with Debian {debian}: choose 12 or 13.")
        if kind not in KINDS:
            raise SandboxError(f"There is no sandbox server of the kind {kind!r}: choose plain or cloud.")
        with hold(self.checkout.server_lock_path(name), LOCK_TIMEOUT):
            known = self.checkout.read(name)
            if known is not None and known.status == READY:
                return self._again(known, debian, kind, nested)
            server = self._claim(name, debian, kind, nested)
            try:
                return self._create(server)
            except BaseException:
                server.dispose()
                raise

    def _again(self, known: Record, debian: int, kind: str, nested: bool) -> Server:
        if (known.debian, known.kind, known.nested) != (debian, kind, nested):
            raise SandboxError(
                f"The server {known.name!r} exists, with Debian {known.debian} of the kind {known.kind}: "
                f"end it first with `python3 -m tools.sandbox down {known.name}`."
            )
        server = Server(self.checkout, known)
        if not server.running():
            self._open_network()
            server.boot()
        return server

    def _claim(self, name: str, debian: int, kind: str, nested: bool) -> Server:
        """Reserve name and address; the server's lock is held."""
        self.clean()
        inherited = machine.inheritance()
        with hold(self.checkout.lock_path, LOCK_TIMEOUT):
            stale = self.checkout.server_directory(name)
            if stale.exists():
                self._wipe(name)
            stale.mkdir(parents=True)
            # Programs of a server that run as root by their mode must not be offered to this machine's users.
            self.checkout.directory.chmod(0o700)
            record = Record(
                name=name,
                debian=debian,
                kind=kind,
                nested=nested,
                number=self.checkout.next_number(),
                image=str(Image(debian, kind, inherited).root),
                mode="overlay" if overlay_works(self.checkout.directory) else "copy",
                status=CREATING,
            )
            self.checkout.write(record)
            self._open_network_locked()
        return Server(self.checkout, record)

    def _create(self, server: Server) -> Server:
        record = server.record
        inherited = machine.inheritance()
        Image(record.debian, record.kind, inherited).ensure()
        # Several servers may be coming up at once, and all have the checkout's one key.
        with hold(self.checkout.lock_path, LOCK_TIMEOUT):
            key = make_key(self.checkout.directory / "key", "codesensei-sandbox")
        server.storage.attach()
        root = server.storage.root
        host_key = prepare(root, record.name, record.kind, address=server.address, public_key=key, inherited=inherited)
        seed_packages(cache_directory() / "packages" / str(record.debian), root)
        record = replace(record, host_key=host_key)
        server = Server(self.checkout, record)
        self.checkout.write(record)
        server.boot()
        return Server(self.checkout, self.checkout.mark(record, READY))

    def _open_network(self) -> None:
        with hold(self.checkout.lock_path, LOCK_TIMEOUT):
            self._open_network_locked()

    def _open_network_locked(self) -> None:
        # Two checkouts that choose at once must not choose the same subnet.
        with locked(MACHINE_LOCK):
            subnet = self.checkout.subnet()
            if subnet is None or not bridge_exists(self.checkout.names):
                others = [s for s in map(self.checkout.read, self.checkout.server_names()) if s is not None]
                if subnet is None or all(record.status == CREATING for record in others):
                    subnet = self.checkout.choose_subnet()
            open_network(self.checkout.names, subnet)

    def get(self, name: str) -> Server:
        """The server of this name; raises SandboxError when there is none."""
        record = self.checkout.read(name)
        if record is None or record.status != READY:
            known = ", ".join(server.name for server in self.servers()) or "none"
            raise SandboxError(f"There is no server {name!r} in this checkout's sandbox (there is: {known}).")
        return Server(self.checkout, record)

    def servers(self) -> list[Server]:
        """All servers that are ready, running or not, by name."""
        records = (self.checkout.read(name) for name in self.checkout.server_names())
        return [Server(self.checkout, record) for record in records if record and record.status == READY]

    def relay(self, server: Server) -> Relay:
        """A TCP relay on 127.0.0.1 to the server's sshd, which can delay, stall and cut the connections."""
        return Relay(server.host, server.port)

    def down(self, name: str) -> None:
        """End one server and remove all of it."""
        check_server_name(name)
        with hold(self.checkout.server_lock_path(name), LOCK_TIMEOUT):
            self._wipe(name)
        self.clean()

    def down_all(self) -> None:
        """End all servers of this checkout and remove everything but the cache."""
        for name in self.checkout.server_names():
            self.down(name)
        self.clean()
        with hold(self.checkout.lock_path, LOCK_TIMEOUT):
            if not self.checkout.server_names():
                shutil.rmtree(self.checkout.directory, ignore_errors=True)
        self.checkout.lock_path.unlink(missing_ok=True)

    def clean(self) -> list[str]:
        """Remove what killed runs of this checkout left, and return the names of what was found.

        These are servers that were never finished, control groups without a server, mounts of a server that
        is gone, and the network when no server is left. Nothing of another checkout is touched.
        """
        found = []
        with hold(self.checkout.lock_path, LOCK_TIMEOUT):
            for name in self.checkout.server_names():
                held = is_held(self.checkout.server_lock_path(name))
                if is_leftover(self.checkout.read(name), held):
                    self._wipe(name)
                    found.append(name)
            names = self.checkout.names
            known = {names.cgroup(name) for name in self.checkout.server_names()}
            for group in cgroups_beginning_with(names.cgroup_prefix):
                if group.name not in known:
                    group.kill()
                    group.remove()
                    found.append(group.name)
            if not self.checkout.server_names():
                unmount_below(self.checkout.servers_directory)
                if bridge_exists(names):
                    close_network(names)
        prune(time.time(), Path("/proc/self/mounts").read_text())
        return found

    def _wipe(self, name: str) -> None:
        """Remove one server, complete or not."""
        record = self.checkout.read(name)
        unknown = Record(name, 0, "plain", False, 0, "/nonexistent", "overlay", CREATING)
        Server(self.checkout, record or unknown).dispose()
