"""One read-only look at the server per run: what was changed by hand, and what an interrupted run has left.

The engine knows its state and not the server. What the look finds becomes `mend=<n>` in a step's line, a difference
that the engine sees. The server keeps `n` when the step has ended, so the next run writes the same line again.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codesensei.remote.agent import missing
from codesensei.remote.errors import RemoteError
from codesensei.spec.server import Server

CONNECT_SECONDS = 5
LOOK_SECONDS = 15.0
# The step by which the toolkit is brought; every server that was ever deployed to has a proof of it.
FIRST_STEP = "claim"


@dataclass(frozen=True)
class Proof:
    """What the server remembers of a step: digests of its inputs, and what has changed since."""

    mend: int = 0
    applied: str = ""
    history: frozenset[str] = frozenset()
    drift: tuple[str, ...] = ()


@dataclass(frozen=True)
class Look:
    """What a run knows of the server beside the state.

    `fresh` numbers the steps that the server has never ended: a number that no state can hold yet. It is what makes a
    server that was replaced under the same address and host key get everything again. A first deploy looks the same
    from here (the state is the engine's, the program cannot read it), so its lines carry the number too; the server
    keeps it like any other, and a second `up` changes nothing.
    """

    reachable: bool
    fresh: int
    proofs: Mapping[str, Proof] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @classmethod
    def off(cls) -> Look:
        """Nobody looked: no line gets a number."""
        return cls(reachable=True, fresh=0)

    @classmethod
    def unreachable(cls) -> Look:
        """The server could not be asked; the lines in the state are kept as they are."""
        return cls(reachable=False, fresh=0)

    @classmethod
    def of(cls, answer: Mapping[str, Any], host: str) -> Look:
        """The look that the server's own answer means."""
        proofs = {
            step: Proof(int(facts["mend"]), facts["applied"], frozenset(facts["history"]), tuple(facts["drift"]))
            for step, facts in answer.get("steps", {}).items()
        }
        warnings = tuple(
            f"{host}: {thing} (step {step}); pulumi up mends it"
            for step, proof in sorted(proofs.items())
            for thing in proof.drift
        )
        return cls(True, int(time.time()), proofs, warnings)

    @property
    def blank(self) -> bool:
        """True where the server was asked and remembers nothing."""
        return self.fresh > 0 and not self.proofs

    def mend_for_any(self, step: str) -> int | None:
        """The step's number where it is the same whatever the step's inputs are, else None."""
        if self.fresh == 0:
            return 0
        proof = self.proofs.get(step, Proof())
        if not proof.applied:
            return self.fresh
        return proof.mend + 1 if proof.drift else None

    def mend(self, step: str, digest: str) -> int:
        """The step's number for inputs with this digest: the server's own, or the next one when it must run again."""
        number = self.mend_for_any(step)
        if number is not None:
            return number
        proof = self.proofs[step]
        # The state may hold these inputs as done: they were, and an interrupted run has done others since.
        undone = digest in proof.history and digest != proof.applied
        return proof.mend + undone

    @property
    def generation(self) -> int:
        """A number that changes when the server has lost its memory, and with nothing else."""
        proof = self.proofs.get(FIRST_STEP, Proof())
        return proof.mend if proof.applied else self.fresh


def look_at(server: Server, agent_socket: str, sudo: str, run: str) -> Look:
    """Ask the server over one connection, bounded to 15 s. RemoteError when it cannot be asked."""
    # A server that nothing was deployed to has no launcher; that is an answer, not an error.
    script = f'if [ -x {run} ]; then exec {run} look; else echo "{{}}"; fi'
    command = f"{sudo}sh -c '{script}'"
    with tempfile.TemporaryDirectory(prefix="codesensei-") as folder:
        config = _write_ssh_config(Path(folder), server)
        done = _ssh(["ssh", "-F", str(config), "-T", "server", command], agent_socket, server)
    if done.returncode == 255:
        raise _unreachable(server, done.stderr)
    if "sudo:" in done.stderr:
        raise RemoteError(
            f"server {server.host}",
            f"{server.user} may not use sudo without a password",
            f"on the server: echo '{server.user} ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/{server.user}",
        )
    try:
        return Look.of(json.loads(done.stdout.strip().splitlines()[-1]), server.host)
    except (ValueError, LookupError, TypeError, AttributeError):
        # What is installed there cannot tell. Every step runs again; each finds what is already done.
        return Look(
            True,
            int(time.time()),
            warnings=(f"{server.host}: what is installed there cannot be asked; every step runs again",),
        )


def _ssh(words: list[str], agent_socket: str, server: Server) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            words,
            env={**os.environ, "SSH_AUTH_SOCK": agent_socket},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LOOK_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise missing("ssh") from None
    except subprocess.TimeoutExpired:
        raise RemoteError(
            f"server {server.host}",
            f"it did not answer within {LOOK_SECONDS:.0f} s",
            "look at its console, then run pulumi again",
        ) from None


def _write_ssh_config(folder: Path, server: Server) -> Path:
    """OpenSSH's settings for this one connection: pinned host keys, the agent's keys, nothing of the operator's own."""
    known = folder / "known_hosts"
    hosts = {"server": server, "jump": server.proxy}
    known.write_text("".join(f"{name} {host.host_key}\n" for name, host in hosts.items() if host))
    lines = []
    for name, host in hosts.items():
        if host is None:
            continue
        lines += [f"Host {name}", f"HostName {host.host}", f"Port {host.port}", f"User {host.user}"]
        lines += [f"HostKeyAlias {name}", f"HostKeyAlgorithms {host.host_key.split()[0]}"]
        if name == "server" and server.proxy:
            lines.append("ProxyJump jump")
    lines += ["Host *", f'UserKnownHostsFile "{known}"', "GlobalKnownHostsFile none", "StrictHostKeyChecking yes"]
    lines += ["IdentityFile none", "PreferredAuthentications publickey", "BatchMode yes", "LogLevel ERROR"]
    lines += [f"ConnectTimeout {CONNECT_SECONDS}", "ControlMaster no", "ControlPath none", "ClearAllForwardings yes"]
    path = folder / "config"
    path.write_text("\n".join(lines) + "\n")
    return path


# First match wins: what ssh says, the cause, the cure.
_KNOWN = (
    (
        ("Host key verification failed", "host key is known", "IDENTIFICATION HAS CHANGED", "no matching host key"),
        "its host key is not the one in codesensei:server.hostKey",
        "compare it on the server's console (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub); "
        "if the machine is a new one, set the new key",
    ),
    (
        ("Permission denied", "Too many authentication failures"),
        "it does not accept the key for {user}",
        "add the public key to ~{user}/.ssh/authorized_keys there, or set codesensei:server.user",
    ),
    (
        ("Could not resolve", "Name or service not known", "nodename nor servname"),
        "its name cannot be resolved",
        "correct codesensei:server.host, or this machine's DNS",
    ),
    (
        ("Connection refused",),
        "nothing listens on port {port}",
        "start sshd there, or correct codesensei:server.port",
    ),
    (
        ("timed out", "No route to host", "Network is unreachable"),
        "it does not answer on port {port}",
        "check that the machine is on, its firewall, and codesensei:server.host and port",
    ),
)


def _unreachable(server: Server, said: str) -> RemoteError:
    thing = f"server {server.host}"
    for words, cause, cure in _KNOWN:
        if any(word in said for word in words):
            return RemoteError(thing, cause.format(**vars(server)), cure.format(**vars(server)))
    last = (said.strip().splitlines() or ["ssh said nothing"])[-1][:200]
    by_hand = f"try by hand: ssh -p {server.port} {server.user}@{server.host}"
    return RemoteError(thing, f"it cannot be reached: {last}", by_hand)
