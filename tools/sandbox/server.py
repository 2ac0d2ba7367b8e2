"""One throw-away server: run commands in it, keep and put back its state, end it."""

from __future__ import annotations

import contextlib
import shlex
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tools.sandbox.cgroups import cgroup
from tools.sandbox.container import Container
from tools.sandbox.errors import SandboxError
from tools.sandbox.image import FILES, cache_directory
from tools.sandbox.names import check_label
from tools.sandbox.network import close_network
from tools.sandbox.process import tail
from tools.sandbox.setup import CLOUD_USER, Address
from tools.sandbox.state import CHANGING, LOCK_TIMEOUT, READY, Checkout, Record, hold
from tools.sandbox.storage import Storage, harvest_packages

SSH_PORT = 22
SSH_TIMEOUT = 60.0
POLL_SECONDS = 0.05
CONSOLE_ENVIRONMENT = (
    "HOME=/root",
    "LANG=C.UTF-8",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
)
NESTED_PATHS = ("/var/lib/codesensei-sandbox", "/root/.cache/codesensei")


Done: TypeAlias = "subprocess.CompletedProcess[str]"


@dataclass(frozen=True)
class Server:
    """A server of a checkout's sandbox; made by `Sandbox.up`."""

    checkout: Checkout
    record: Record

    @property
    def name(self) -> str:
        """Its name, which is its host name too."""
        return self.record.name

    @property
    def debian(self) -> int:
        """Its Debian release: 12 or 13."""
        return self.record.debian

    @property
    def kind(self) -> str:
        """`plain` or `cloud`."""
        return self.record.kind

    @property
    def address(self) -> Address:
        """Where it is in the checkout's network."""
        subnet = self.checkout.subnet()
        if subnet is None:
            raise SandboxError(f"The server {self.name} is gone.")
        number = self.record.number
        return Address(subnet[number], subnet, self.checkout.names.ipv6_network[number])

    @property
    def host(self) -> str:
        """Its IPv4 address."""
        return str(self.address.ipv4)

    @property
    def host6(self) -> str:
        """Its IPv6 address."""
        return str(self.address.ipv6)

    @property
    def port(self) -> int:
        """The TCP port of its sshd."""
        return SSH_PORT

    @property
    def user(self) -> str:
        """Who may log in: `root`, or the user with sudo of a `cloud` server."""
        return CLOUD_USER if self.kind == "cloud" else "root"

    @property
    def host_key(self) -> str:
        """The public host key of its sshd, `ssh-ed25519 AAAA…`."""
        return self.record.host_key

    @property
    def private_key_path(self) -> Path:
        """The private key (0600) that opens every server of this checkout."""
        return self.checkout.directory / "key"

    @property
    def public_key(self) -> str:
        """The public half of that key, as one line."""
        return (self.checkout.directory / "key.pub").read_text().strip()

    @property
    def directory(self) -> Path:
        """Its files on this machine."""
        return self.checkout.server_directory(self.name)

    @property
    def storage(self) -> Storage:
        """Its file system."""
        return Storage(self.directory, Path(self.record.image), self.record.mode)

    @property
    def container(self) -> Container:
        """How it is started."""
        names = self.checkout.names
        private = self.directory / "private"
        binds = tuple((private / path.strip("/").replace("/", "-"), path) for path in NESTED_PATHS)
        return Container(
            machine=names.machine(self.name),
            hostname=self.name,
            root=self.storage.root,
            bridge=names.bridge,
            cgroup=names.cgroup(self.name),
            log=self.directory / "console.log",
            binds=binds if self.record.nested else (),
            nested=self.record.nested,
        )

    def running(self) -> bool:
        """Whether it is on."""
        return self.container.running()

    def boot(self) -> None:
        """Switch it on and wait for its sshd."""
        self.storage.attach()
        for source, _ in self.container.binds:
            source.mkdir(parents=True, exist_ok=True)
        self.container.start()
        self.wait_ssh()
        if self.kind == "cloud" and "Status: active" not in self.console("ufw status", check=False).stdout:
            raise SandboxError(
                f"The firewall of the server {self.name} does not start: this machine's kernel lacks netfilter "
                "modules (nf_tables, nft_compat, nf_conntrack), so only the kind plain can run here."
            )

    def ssh_argv(self, *, port: int | None = None, host: str | None = None) -> list[str]:
        """The ssh command line up to and with the destination; `host` and `port` may be a relay's."""
        port = port or self.port
        host = host or self.host
        place = host if port == SSH_PORT else f"[{host}]:{port}"
        known = self.directory / f"known_hosts_{host}_{port}"
        known.write_text(f"{place} {self.host_key}\n")
        options = {
            "UserKnownHostsFile": str(known),
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "ConnectTimeout": "10",
            "ServerAliveInterval": "15",
            "LogLevel": "ERROR",
        }
        argv = ["ssh", "-F", "none", "-i", str(self.private_key_path), "-p", str(port)]
        argv += [f"-o{name}={value}" for name, value in options.items()]
        return [*argv, f"{self.user}@{host}"]

    def wait_ssh(self, timeout: float = SSH_TIMEOUT) -> None:
        """Wait until its user can log in; raises SandboxError after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        reason = "its sshd does not answer"
        while time.monotonic() < deadline:
            if not self.running():
                raise SandboxError(f"The server {self.name} has stopped; see {self.container.log}.")
            if self._greets():
                done = self._ssh("true", None, max(1.0, deadline - time.monotonic()))
                if done.returncode == 0:
                    return
                reason = tail(done.stderr, 1)
            time.sleep(POLL_SECONDS)
        raise SandboxError(f"Nobody can log in to {self.name} at {self.host} after {timeout:g} s: {reason}")

    def _greets(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=1.0) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def _ssh(self, command: str, stdin: bytes | None, timeout: float) -> Done:
        return finish([*self.ssh_argv(), "--", command], stdin, timeout, f"a command on {self.name}")

    def run(self, command: str, *, check: bool = True, input: bytes | None = None, timeout: float = 300.0) -> Done:
        """Run a shell command as root over ssh (by sudo on a `cloud` server).

        `timeout` is in seconds. Raises SandboxError when it passes or, with `check`, when the command fails.
        """
        wanted = command if self.user == "root" else f"sudo -n -- bash -c {shlex.quote(command)}"
        return self._checked(self._ssh(wanted, input, timeout), check)

    def console(self, command: str, *, check: bool = True, input: bytes | None = None, timeout: float = 300.0) -> Done:
        """Run a shell command as root without ssh: no login is logged, and no network is needed.

        `timeout` and errors as in `run`.
        """
        group = cgroup(self.container.cgroup)
        init = group.init()
        if init is None:
            raise SandboxError(f"The server {self.name} does not run.")
        # In the server's own control group, so that it ends and is held still together with the server.
        argv = [str(FILES / "enter-cgroups.sh"), str(group.of_process(init)), "--"]
        argv += ["nsenter", f"--target={init}", "--all", "--", "/usr/bin/env", "-i", *CONSOLE_ENVIRONMENT]
        argv += ["/bin/bash", "-c", command]
        return self._checked(finish(argv, input, timeout, f"a command on {self.name}"), check)

    def _checked(self, done: Done, check: bool) -> Done:
        if check and done.returncode != 0:
            said = tail(done.stderr or done.stdout)
            raise SandboxError(f"A command on {self.name} failed with exit code {done.returncode}:\n{said}")
        return done

    def put(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Write a file of root with this content and mode, in one step; its directory must exist."""
        target, aside = shlex.quote(path), shlex.quote(f"{path}.sandbox-new")
        self.run(f"umask 077 && cat >{aside} && chmod {mode:o} {aside} && mv -T {aside} {target}", input=data)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        with hold(self.checkout.server_lock_path(self.name), LOCK_TIMEOUT):
            if self.checkout.read(self.name) is None:
                raise SandboxError(f"There is no server {self.name!r}.")
            yield

    def _harvest(self) -> None:
        harvest_packages(self.storage.writable, cache_directory() / "packages" / str(self.debian))

    def snapshot(self, label: str) -> None:
        """Keep its file system under this label, as it is at one moment; a running server is held meanwhile.

        Programs find later what they would find after a power cut at that moment.
        """
        check_label(label)
        with self._changing():
            self._harvest()
            if not self.running():
                self.storage.save(label)
                return
            group = cgroup(self.container.cgroup)
            group.freeze()
            try:
                self.storage.save(label)
            finally:
                group.thaw()

    def restore(self, label: str) -> None:
        """Stop it, put its file system back as the snapshot has it, and boot it again."""
        check_label(label)
        with self._changing():
            self.storage.require(label)
            self.checkout.mark(self.record, CHANGING)
            self.container.kill()
            self.storage.detach()
            self.storage.put_back(label)
            self.boot()
            self.checkout.mark(self.record, READY)

    def reboot(self, power_cut: bool = False) -> None:
        """Boot it again, in order or as after a power cut (all processes die at once), and wait for sshd."""
        with self._changing():
            if power_cut:
                self.container.kill()
                self.boot()
                return
            before = self.boot_id()
            self.console("systemctl reboot", check=False)
            deadline = time.monotonic() + SSH_TIMEOUT
            while self.boot_id() in {before, ""}:
                if time.monotonic() > deadline:
                    raise SandboxError(
                        f"The server {self.name} did not reboot within {SSH_TIMEOUT:g} s; it waits for:\n{self._jobs()}"
                    )
                time.sleep(POLL_SECONDS)
            self.wait_ssh()

    def _jobs(self) -> str:
        """What its systemd has still to do; the cause where that cannot be asked."""
        try:
            return self.console("systemctl list-jobs --no-pager", check=False).stdout.strip() or "nothing"
        except SandboxError as error:
            return str(error)

    def boot_id(self) -> str:
        """The kernel's id of this boot; empty while no init runs."""
        init = cgroup(self.container.cgroup).init()
        if init is None:
            return ""
        # The server's own id is mounted over the machine's, so it is read through the server's root.
        try:
            return Path(f"/proc/{init}/root/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return ""

    def down(self) -> None:
        """End it and remove all of it; keeps only the packages it downloaded, in the cache."""
        with hold(self.checkout.server_lock_path(self.name), LOCK_TIMEOUT):
            self.dispose()
        with hold(self.checkout.lock_path, LOCK_TIMEOUT):
            if not self.checkout.server_names():
                close_network(self.checkout.names)

    def dispose(self) -> None:
        """What `down` does, for a caller that holds the server's lock or knows that nobody can."""
        self.container.kill()
        if self.record.status == READY:
            self._harvest()
        self.storage.remove()


def finish(argv: list[str], stdin: bytes | None, timeout: float, what: str) -> Done:
    """Run `argv` with bytes as its input and text as its output, bounded by `timeout` seconds."""
    try:
        done = subprocess.run(argv, input=stdin or b"", capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise SandboxError(f"{what} did not end within {timeout:g} s.") from None
    return subprocess.CompletedProcess(
        argv, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    )
