"""The SSH agent of a run: the engine's provider and the look get the stack's key from it, and from nowhere else.

The provider is told one path relative to the program, the same in every run and on every machine, so neither a new key
nor another checkout changes a resource's inputs. The path is a link: to the agent that this run has started, whose name
is its own, or to the operator's agent. Two runs of one stack may go on at once: each replaces the link in one
rename, and a run that ends points it at an agent that is still alive (agent.sh).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import socket
import subprocess
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

from codesensei.remote.errors import RemoteError
from codesensei.wire.quick import dataclass

SCRIPT = Path(__file__).with_name("agent.sh")
FOLDER = Path(".codesensei")
# With the folder and the longest file name, a path stays under the 103 bytes that every system takes for a socket.
LONGEST_STACK_NAME = 40
START_SECONDS = 10.0
NO_KEY = (
    "no key to log in with: the stack has no codesensei:sshPrivateKey, and no SSH agent is running ($SSH_AUTH_SOCK)",
    "load one (ssh-add), or set one: pulumi config set --secret codesensei:sshPrivateKey < ~/.ssh/id_ed25519",
)

# An agent lives while its Popen holds the pipe, and the engine may need it until the very end of the program.
_held: list[Popen[str]] = []


@dataclass(frozen=True)
class Agent:
    """Where the agent listens: a path relative to the program. `has_keys` is False where there is no agent at all."""

    socket: str
    has_keys: bool


def start_agent(stack: str, key: str | None, *, linked: bool = True) -> Agent:
    """Make the agent of this run reachable: a new one with `key` in it, or the operator's own where `key` is None.

    What only asks a server leaves the link alone (`linked`): a deploy may be using it. RemoteError when OpenSSH is
    missing or does not take the key.
    """
    folder = folder_of(stack)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    link = folder / "agent.sock"
    if key is not None:
        own = folder / f"agent-{secrets.token_hex(4)}.sock"
        _remove_dead(folder)
        _start(own, link)
        _add(own, key)
        if linked:
            _lead(link, own.name)
        return Agent(str(link if linked else own), True)
    operators = os.environ.get("SSH_AUTH_SOCK")
    if not linked:
        return Agent(operators or "", bool(operators))
    if operators:
        _lead(link, str(Path(operators).absolute()))
    else:
        link.unlink(missing_ok=True)
    return Agent(str(link), bool(operators))


def folder_of(stack: str) -> Path:
    """The stack's own directory below the program, on this machine."""
    if len(stack) <= LONGEST_STACK_NAME:
        return FOLDER / stack
    return FOLDER / f"{stack[:27]}-{hashlib.sha256(stack.encode()).hexdigest()[:12]}"


def _remove_dead(folder: Path) -> None:
    """Remove the sockets that killed agents have left behind."""
    for path in folder.glob("agent-*.sock*"):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
            except (ConnectionRefusedError, FileNotFoundError):
                path.unlink(missing_ok=True)


def _start(own: Path, link: Path) -> None:
    try:
        # A session of its own: Ctrl-C in the terminal is for the engine, which may still need the agent.
        words = ["ssh-agent", "-a", str(own), "sh", str(SCRIPT), str(link)]
        process = Popen(words, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True, start_new_session=True)
    except FileNotFoundError:
        raise missing("ssh-agent") from None
    _held.append(process)
    assert process.stdout
    if process.stdout.readline().strip() != "ready":
        raise RemoteError("ssh-agent", f"it did not start at {own}", "run by hand: ssh-agent -d")


def _add(own: Path, key: str) -> None:
    """Give the key to the agent on standard input; it is in no file and in no argument."""
    environment = {name: value for name, value in os.environ.items() if name not in {"SSH_ASKPASS", "DISPLAY"}}
    try:
        done = subprocess.run(
            ["ssh-add", "-q", "-"],
            input=key.replace("\r\n", "\n").strip() + "\n",
            env={**environment, "SSH_AUTH_SOCK": str(own), "SSH_ASKPASS_REQUIRE": "never"},
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            # Without a terminal it cannot ask for a passphrase and wait forever.
            start_new_session=True,
            check=False,
        )
    except FileNotFoundError:
        raise missing("ssh-add") from None
    except subprocess.TimeoutExpired:
        raise RemoteError("ssh-add", "it did not take the key in time", "run pulumi again") from None
    if done.returncode != 0:
        raise _refused(done.stderr)


def _refused(said: str) -> RemoteError:
    thing = "codesensei:sshPrivateKey"
    if "passphrase" in said:
        fix = "remove this key and use the SSH agent, or set a key of its own without a passphrase"
        return RemoteError(thing, "has a passphrase, which nobody can type during a deploy", fix)
    fix = "set it from the file: pulumi config set --secret codesensei:sshPrivateKey < ~/.ssh/id_ed25519"
    return RemoteError(thing, "OpenSSH does not take it for a private key", fix)


def missing(program: str) -> RemoteError:
    """OpenSSH's client is not on this machine."""
    fix = "install it: apt-get install openssh-client"
    return RemoteError(program, "OpenSSH's client is not installed on this machine", fix)


def _lead(link: Path, target: str) -> None:
    """Point `link` at `target` in one rename, so that no run ever finds it absent."""
    temporary = link.with_name(f"{link.name}.{secrets.token_hex(4)}")
    temporary.symlink_to(target)
    temporary.replace(link)
