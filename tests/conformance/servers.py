"""Servers on the loopback interface to connect to: a real sshd, an agent, and listeners that misbehave."""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

START_SECONDS = 10
# Below another shell, as SHLVL says, bash reads no .bashrc: what that prints would be part of what a command prints.
CONFIGURATION = """\
ListenAddress 127.0.0.1
Port {port}
Port {open_port}
HostKey {directory}/host_ed25519
HostKey {directory}/host_ecdsa
AuthorizedKeysFile {directory}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
MaxStartups 200
LogLevel VERBOSE
AcceptEnv LANG LC_*
SetEnv SHLVL=1
Subsystem sftp internal-sftp
{more}Match LocalPort {open_port}
    AcceptEnv LANG LC_* PULUMI_COMMAND_*
"""


class MissingServer(Exception):
    """Something must be installed before the tests can run; the text says what."""


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_key(file: Path, kind: str = "ed25519", passphrase: str = "") -> None:
    """A throw-away key pair."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", str(file)], check=True)


@dataclass(frozen=True)
class Sshd:
    """A private OpenSSH server. `open_port` accepts the variables of previous output, `port` does not."""

    directory: Path
    port: int
    open_port: int

    def connection(self, **changes: Any) -> dict[str, Any]:
        """Connection arguments that work."""
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "user": getpass.getuser(),
            "private_key": self.key("user"),
            "host_key": self.public("host_ed25519"),
            "dial_error_limit": 3,
            **changes,
        }

    def key(self, name: str) -> str:
        """A private key's text."""
        return (self.directory / name).read_text()

    def public(self, name: str) -> str:
        """A public key as an authorized_keys line."""
        return (self.directory / f"{name}.pub").read_text().strip()

    def connections(self) -> int:
        """How many connections were accepted so far."""
        return (self.directory / "log").read_text().count("Connection from ")


@contextmanager
def run_sshd(directory: Path, *settings: str) -> Iterator[Sshd]:
    """A private sshd as this user, on free ports, with throw-away keys; `settings` are further lines for it."""
    program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        raise MissingServer("These tests need an OpenSSH server: apt-get install openssh-server.")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    directory.mkdir(parents=True)
    make_key(directory / "host_ed25519")
    make_key(directory / "host_ecdsa", "ecdsa")
    make_key(directory / "user")
    make_key(directory / "locked", passphrase="open sesame")
    make_key(directory / "stranger")
    authorized = [(directory / f"{name}.pub").read_text() for name in ("user", "locked")]
    (directory / "authorized_keys").write_text("".join(authorized))
    server = Sshd(directory, free_port(), free_port())
    # Newer servers lock out an address that fails to log in, which some tests do on purpose.
    penalties = [program, "-T", "-o", "PerSourcePenalties=no", "-f", "/dev/null", "-h", f"{directory}/host_ecdsa"]
    knows_penalties = subprocess.run(penalties, capture_output=True, check=False).returncode == 0
    (directory / "config").write_text(
        CONFIGURATION.format(
            directory=directory,
            port=server.port,
            open_port=server.open_port,
            more="".join(f"{line}\n" for line in (*["PerSourcePenalties no"] * knows_penalties, *settings)),
        )
    )
    command = [program, "-D", "-f", str(directory / "config"), "-E", str(directory / "log")]
    with subprocess.Popen(command) as process:
        try:
            wait_for_port(server.port, process, directory / "log")
            yield server
        finally:
            process.terminate()


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server accepts connections."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise MissingServer(f"sshd did not start: {log.read_text() if log.exists() else 'no log'}")


@contextmanager
def run_agent(path: Path, *keys: Path) -> Iterator[Path]:
    """An SSH agent that listens at `path` and holds these keys."""
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + START_SECONDS
            while not path.exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            environment = {**os.environ, "SSH_AUTH_SOCK": str(path)}
            for key in keys:
                subprocess.run(["ssh-add", "-q", str(key)], env=environment, check=True)
            yield path
        finally:
            process.terminate()


class Hangup(threading.Thread):
    """A listener that hangs up on every connection, and remembers when each came."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.times: list[float] = []

    def run(self) -> None:
        """Accept until the listener is closed."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.times.append(time.monotonic())
            connection.close()

    def gaps(self) -> list[float]:
        """Seconds between one connection and the next."""
        return [after - before for before, after in zip(self.times, self.times[1:], strict=False)]


@contextmanager
def full_listener() -> Iterator[int]:
    """A port whose queue is full: the kernel leaves further connections without an answer."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = int(listener.getsockname()[1])
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        try:
            yield port
        finally:
            for filler in fillers:
                filler.close()


class _Refusal(asyncssh.SSHServer):
    """Lets nobody in, and notes what was tried."""

    def __init__(self, attempts: list[str]) -> None:
        self._attempts = attempts

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self._attempts.append(f"publickey {key.get_comment() or key.get_fingerprint()}")
        return False

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self._attempts.append(f"password {password}")
        return False

    def kbdint_auth_supported(self) -> bool:
        return True

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
        return "", "", "", [("Password:", False)]

    def validate_kbdint_response(self, username: str, responses: Any) -> bool:
        self._attempts.append(f"keyboard-interactive {responses[0]}")
        return False


@contextmanager
def run_refusal(host_key: str) -> Iterator[tuple[int, list[str]]]:
    """A server that refuses every login; yields its port and the list of attempts."""
    attempts: list[str] = []
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def listen() -> Any:
        return await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[host_key], server_factory=lambda: _Refusal(attempts)
        )

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(START_SECONDS)
    try:
        yield acceptor.get_port(), attempts
    finally:
        loop.call_soon_threadsafe(acceptor.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(START_SECONDS)
        loop.close()
