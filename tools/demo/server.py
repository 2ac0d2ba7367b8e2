"""The server that the demo deploys to: one of the sandbox, or one that the user names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from tools.demo.errors import DemoError
from tools.demo.places import SANDBOX_SERVER, TARGET
from tools.demo.process import Runner
from tools.sandbox import Sandbox, SandboxError

SANDBOX_SECONDS = 1800.0
SCAN_SECONDS = 15
KEY_TYPES = ("ed25519", "ecdsa", "rsa")


@dataclass(frozen=True)
class Target:
    """A server: `private_key` is the path of the key that opens it, or empty for the SSH agent."""

    host: str
    port: int
    user: str
    host_key: str
    private_key: str
    sandbox: bool

    @property
    def place(self) -> str:
        """What `make demo SERVER=…` calls it."""
        return f"{self.user}@{self.host}" + ("" if self.port == 22 else f":{self.port}")

    def save(self) -> None:
        """Remember it for the next run and for `make demo-down`."""
        TARGET.parent.mkdir(parents=True, exist_ok=True)
        TARGET.write_text(json.dumps(asdict(self), indent=1) + "\n")


def last_target() -> Target | None:
    """The server of the last run, if there was one."""
    if not TARGET.exists():
        return None
    return Target(**json.loads(TARGET.read_text()))


def sandbox_debian() -> int | None:
    """The Debian release of the demo's sandbox server, or None where it is not there."""
    found = [server for server in Sandbox().servers() if server.name == SANDBOX_SERVER]
    return found[0].debian if found else None


def start_sandbox(runner: Runner, debian: int) -> Target:
    """Boot the demo's sandbox server, or find it running; raises DemoError."""
    command = [sys.executable, "-m", "tools.sandbox", "up", SANDBOX_SERVER, "--debian", str(debian)]
    runner.run("sandbox", command, SANDBOX_SECONDS)
    server = Sandbox().get(SANDBOX_SERVER)
    return Target(server.host, server.port, server.user, server.host_key, str(server.private_key_path), True)


def end_sandbox() -> None:
    """Remove the demo's sandbox server, and key and network of the sandbox if it was the last; raises DemoError."""
    try:
        sandbox = Sandbox()
        sandbox.down(SANDBOX_SERVER)
        if not sandbox.checkout.server_names():
            sandbox.down_all()
    except SandboxError as error:
        raise DemoError(str(error)) from None


def named_server(text: str) -> Target:
    """The server that the user named as user@host or user@host:port, its host key confirmed; raises DemoError."""
    match = re.fullmatch(r"([a-z_][a-z0-9_-]*)@([A-Za-z0-9.-]+)(?::(\d{1,5}))?", text)
    if match is None:
        raise DemoError(f"SERVER={text} is not of the form user@host or user@host:port.")
    user, host, port = match.group(1), match.group(2), int(match.group(3) or 22)
    if not os.environ.get("SSH_AUTH_SOCK"):
        raise DemoError(
            f"No SSH agent is running, and the key for {text} comes from it: run `eval $(ssh-agent)` and `ssh-add`."
        )
    return Target(host, port, user, confirmed_host_key(text, host, port), "", False)


def confirmed_host_key(text: str, host: str, port: int) -> str:
    """The server's public key: HOST_KEY, else the one ssh knows already, else a scanned one the user confirms."""
    given = os.environ.get("HOST_KEY", "").strip()
    if given:
        return given
    known = known_host_key(host, port)
    if known:
        print(f"The host key of {host} is the one in your known_hosts file.")
        return known
    scanned = scan(host, port)
    print(f"{host} shows this host key:\n  {scanned}\n  {key_fingerprint(scanned)}")
    print("Compare it with what the provider's console shows: whoever has this key is taken for your server.")
    if not sys.stdin.isatty():
        raise DemoError(f"Nobody can confirm the host key here: run `make demo SERVER={text} HOST_KEY='{scanned}'`.")
    if input("Is it your server's? [y/N] ").strip().lower() not in {"y", "yes"}:
        raise DemoError("The host key was not confirmed, nothing was done.")
    return scanned


def known_host_key(host: str, port: int) -> str:
    """The key in the user's known_hosts file as one line `type data`, or an empty text."""
    name = host if port == 22 else f"[{host}]:{port}"
    lines = _ask(["ssh-keygen", "-F", name]).splitlines()
    return best_key(line.split()[1:3] for line in lines if line and not line.startswith(("#", "@")))


def scan(host: str, port: int) -> str:
    """The key that the server shows now, as one line `type data`; raises DemoError where it shows none."""
    lines = _ask(["ssh-keyscan", "-T", "10", "-p", str(port), "-t", ",".join(KEY_TYPES), host]).splitlines()
    key = best_key(line.split()[1:3] for line in lines if line and not line.startswith("#"))
    if not key:
        raise DemoError(f"{host} shows no SSH host key at port {port}: see that it is on and that the port is open.")
    return key


def best_key(keys: Iterable[list[str]]) -> str:
    """The key of the preferred type among pairs of type and data, or an empty text."""
    found = {parts[0]: " ".join(parts) for parts in keys if len(parts) == 2}
    for kind in KEY_TYPES:
        for name, line in found.items():
            if kind in name:
                return line
    return ""


def key_fingerprint(key: str) -> str:
    """The fingerprint as ssh shows it."""
    return _ask(["ssh-keygen", "-l", "-f", "-"], key).strip()


def _ask(command: list[str], text: str = "") -> str:
    """What a short program prints, or an empty text where it fails."""
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=SCAN_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
