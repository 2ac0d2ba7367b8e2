"""One read-only look at the server per run: what was changed by hand, and what an interrupted run left.

The engine knows its state and not the server. Where the two differ, the step's line gets the next number
(`repair=<n>`), a difference that the engine sees; from then on the state has that number, and the line keeps it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from subprocess import PIPE
from typing import Any, TypeVar

from codesensei.config.server import JumpHost, ServerConfig
from codesensei.remote import foresight, openssh
from codesensei.remote.agent import missing
from codesensei.remote.errors import RemoteError
from codesensei.remote.state import State
from codesensei.render import shell
from codesensei.wire import codec
from codesensei.wire.codec import WireError
from codesensei.wire.paths import SERVER
from codesensei.wire.quick import dataclass
from codesensei.wire.register import Register
from codesensei.wire.steps import (
    CLAIM,
    NOTHING_ASKED,
    OF_DATABASE,
    AskedOfDatabase,
    Drift,
    Finding,
    Memory,
    Preflight,
    Seen,
    SeenInDatabase,
    SeenStep,
)
from codesensei.wire.table_locks import Table

D = TypeVar("D")
LOOK_SECONDS = 15.0
SCRIPT = Path(__file__).with_name("look.sh")
# Begins the line of the answer that has the server's register.
REGISTER = "codesensei-register:"
# Begins the line that has the version of its Python.
PYTHON_MARK = "codesensei-python:"
NOTHING = SeenStep(applied="", drift=())


@dataclass(frozen=True)
class Look:
    """The number of each step's line, and of the triggers of what is copied, in this run.

    `others` is the number of the steps that the state does not hold.
    """

    repairs: Mapping[str, int] = field(default_factory=dict)
    copy: int = 0
    others: int = 0
    warnings: tuple[str, ...] = ()
    # What was changed there by hand, for the story; of a deploy that runs nothing.
    drift: tuple[Drift, ...] = ()
    # The releases that are there, and those that have served, the latest first; empty where nobody knows.
    releases: tuple[str, ...] = ()
    served: tuple[str, ...] = ()
    # Whether somebody is deploying the stack now.
    deploying: bool = False
    # The migrations whose new columns have their defaults in the database still; empty where nobody knows.
    kept_defaults: tuple[str, ...] = ()
    # The age of the newest backup in seconds; None where there is none, or nobody knows.
    backup_age: float | None = None
    memory: Memory | None = None
    # Rows and sizes of the tables that were asked for, by name; empty where nobody knows.
    tables: Mapping[str, Table] = field(default_factory=dict)
    # Those that were asked for and are applied; empty where nobody knows.
    migrations: tuple[str, ...] = ()
    blank: bool = False
    # Who owns what there; None where nobody looked.
    register: Register | None = None
    # The version of the system's own; empty where nobody knows.
    python: str = ""
    # What the first steps would refuse, where that was asked.
    refused: tuple[Finding, ...] = ()

    @classmethod
    def none(cls, state: State) -> Look:
        """Nobody looked, or nobody could: every line stays as the state has it."""
        return cls({step: done.repair for step, done in state.steps.items()}, state.copy)

    @classmethod
    def of(cls, state: State, answer: Seen, host: str) -> Look:
        """The look that the server's own answer means, held against the state."""
        found = answer.steps
        blank = not found
        repairs = {}
        found_wrong = [f"{host}: {finding.thing}: {finding.cause}; {finding.fix}" for finding in answer.findings]
        warnings, drifted = [*found_wrong], []
        for step, done in sorted(state.steps.items()):
            seen = found.get(step, NOTHING)
            drift, differs = seen.drift, seen.applied != done.digest
            repairs[step] = done.repair + bool(differs or drift)
            for thing in drift:
                then = "refuses it, and says how to go on" if thing in seen.refused else "repairs it"
                warnings.append(f"{host}: {thing} (step {step}); pulumi up {then}")
            drifted += [Drift(step=step, thing=thing, lines=seen.changes.get(thing, ())) for thing in drift]
            if differs and not drift and not blank:
                warnings.append(f"{host}: step {step} is not as the state has it; pulumi up runs it again")
        if blank and state.steps:
            brings = "pulumi up brings everything again, and no data"
            warnings.append(f"{host}: this server remembers nothing of the stack; {brings}")
        if answer.deploying:
            # What its steps have left so far looks like drift, or like an interrupted deploy.
            warnings = [*found_wrong, f"{host}: somebody is deploying this stack: {answer.deploying}; wait for that"]
            drifted = []
        forgotten = bool(state.steps) and not found.get(CLAIM.name, NOTHING).applied
        return cls(
            repairs,
            state.copy + forgotten,
            warnings=tuple(warnings),
            drift=tuple(drifted),
            releases=answer.releases,
            served=answer.served,
            deploying=bool(answer.deploying),
            kept_defaults=answer.kept_defaults,
            backup_age=answer.backup_age,
            memory=answer.memory,
            blank=blank,
        )

    @classmethod
    def unknown(cls, state: State, host: str) -> Look:
        """The server was reached and cannot tell: every step runs again, and each finds what is already done."""
        said = f"{host}: what is installed there cannot be asked; every step runs again"
        return cls({step: done.repair + 1 for step, done in state.steps.items()}, state.copy, warnings=(said,))

    @classmethod
    def again(cls) -> Look:
        """Every step runs, whatever the state holds: a number that no state can hold yet."""
        now = int(time.time())
        return cls(copy=now, others=now, blank=True)

    def repair(self, step: str) -> int:
        """The number of this step's line; 0 where it has none."""
        return self.repairs.get(step, self.others)


@dataclass(frozen=True)
class Asked:
    """A server that is telling what it knows, over one connection; `folder` has what its SSH client reads."""

    server: ServerConfig
    client: subprocess.Popen[str]
    folder: contextlib.ExitStack

    def look(self, state: State, asked: AskedOfDatabase = NOTHING_ASKED, wanted: Preflight | None = None) -> Look:
        """Wait for its answer, at most 15 s; `asked` is what is of use to the story.

        `wanted` is what the stack wants for itself, where the server is asked whether it may have that. RemoteError
        when it cannot be asked.
        """
        more = f"{shell.join(['ask', *words])}\n" if (words := asked.words()) else ""
        more += foresight.question(wanted) if wanted else ""
        with self.folder, self.client:
            said, complained = self._finish(more)
        if self.client.returncode == 255:
            raise unreachable(self.server, complained)
        lines, host = [*reversed(said.splitlines())], self.server.host
        for answer in answers(said):
            with contextlib.suppress(WireError):
                look = Look.of(state, codec.decode(Seen, answer, "look", kept=True), host)
                foreseen = foresight.answer(lines)
                in_database = _behind(OF_DATABASE, lines, SeenInDatabase)
                told = [*_said_by_shell(self.server, said), *look.warnings]
                told += [f"{host}: {warning}" for warning in foreseen.warnings]
                return replace(
                    look,
                    warnings=tuple(dict.fromkeys(told)),
                    tables=in_database.tables,
                    migrations=in_database.migrations,
                    register=_behind(REGISTER, lines, Register),
                    python=_python(lines),
                    refused=foreseen.refused,
                )
        # It also warns of a hostname that it cannot resolve, and goes on.
        if "sudo:" in complained:
            raise no_sudo(self.server)
        return Look.unknown(state, host)

    def _finish(self, more: str) -> tuple[str, str]:
        try:
            return self.client.communicate(more, timeout=LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            self.client.kill()
            fix = "look at its console, then run pulumi again"
            cause = f"it did not answer within {LOOK_SECONDS:.0f} s"
            raise RemoteError(f"server {self.server.host}", cause, fix) from None


def ask(server: ServerConfig, agent_socket: str, sudo: str, run: str) -> Asked:
    """Begin to ask what the server knows, `run` being its launcher. RemoteError without an SSH client."""
    command = f"{sudo}sh -s {shell.join([run, str(SERVER.register), REGISTER, PYTHON_MARK])}"
    with contextlib.ExitStack() as folder:
        ssh, variables = folder.enter_context(openssh.client(server, agent_socket))
        try:
            client = subprocess.Popen(
                [*ssh, command], env=variables, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True, errors="replace"
            )
        except FileNotFoundError:
            raise missing("ssh") from None
        assert client.stdin
        # A client that has ended by now says why, when it is asked. Unbuffered: else it would be written again then.
        with contextlib.suppress(BrokenPipeError):
            os.write(client.stdin.fileno(), SCRIPT.read_bytes())
        return Asked(server, client, folder.pop_all())


def answers(said: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in what a server has said, the last one first.

    A shell's profile may print before the answer, and after it.
    """
    for line in reversed(said.splitlines()):
        with contextlib.suppress(ValueError):
            if isinstance(answer := json.loads(line), dict):
                yield answer


def _said_by_shell(server: ServerConfig, said: str) -> Iterator[str]:
    """A warning where the login user's shell prints before each command: SFTP has no room for that."""
    lines = itertools.takewhile(lambda line: not line.startswith(("{", REGISTER, PYTHON_MARK)), said.splitlines())
    if words := next(filter(str.strip, lines), ""):
        file = f"~{server.user}/.bashrc (or what its shell reads instead)"
        yield (
            f'{server.host}: the shell of {server.user} prints "{words.strip()[:60]}" before each command, so SFTP may'
            f" fail there, which copies the files of a deploy (Max packet size exceeded, packet too long); begin {file}"
            " with the line: case $- in *i*) ;; *) return ;; esac"
        )


def no_sudo(server: ServerConfig) -> RemoteError:
    """The login user needs a password to become root."""
    fix = f"on the server: echo '{server.user} ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/{server.user}"
    return RemoteError(f"server {server.host}", f"{server.user} may not use sudo without a password", fix)


def _python(lines: Iterable[str]) -> str:
    """The version of the server's Python among the lines of an answer; empty where there is none."""
    found = (re.fullmatch(rf"{PYTHON_MARK}(3\.\d+)", line) for line in lines)
    return next((match[1] for match in found if match), "")


def _behind(mark: str, lines: Iterable[str], kind: type[D]) -> D:
    """What stands behind a mark among the lines of an answer; one that cannot be read is the steps' to tell."""
    for line in lines:
        with contextlib.suppress(ValueError, WireError):
            if line.startswith(mark):
                return codec.decode(kind, json.loads(line.removeprefix(mark)), "look", kept=True)
    return kind()


# First match wins: what ssh says, the cause, the fix. `place` is the key of the config that describes the machine.
_KNOWN = (
    (
        ("Host key verification failed", "host key is known", "IDENTIFICATION HAS CHANGED", "no matching host key"),
        "its host key is not the one in {place}.hostKey",
        "compare it on its console (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub); "
        "if the machine is a new one, set the new key",
    ),
    (
        ("Permission denied", "Too many authentication failures"),
        "it does not accept the key for {user}",
        "add the public key to ~{user}/.ssh/authorized_keys there, or set {place}.user",
    ),
    (
        ("Could not resolve", "Name or service not known", "nodename nor servname"),
        "its name cannot be resolved",
        "correct {place}.host, or this machine's DNS",
    ),
    (
        ("administratively prohibited",),
        "the jump host does not let connections through to it",
        "set AllowTcpForwarding yes in the jump host's sshd_config",
    ),
    (
        ("Connection refused",),
        "nothing listens on port {port}, or its firewall limits connections",
        "start sshd there, or correct {place}.port; after many connections in a short time, wait half a minute",
    ),
    (
        ("timed out", "No route to host", "Network is unreachable"),
        "it does not answer on port {port}",
        "check that the machine is on, its firewall, and {place}.host and port",
    ),
)


def unreachable(server: ServerConfig, said: str) -> RemoteError:
    """Why ssh could not connect, from its own words."""
    jump = server.proxy if _is_of_jump(server.proxy, said) else None
    place = "codesensei:server.proxy" if jump else "codesensei:server"
    host = jump or server
    thing = f"{'jump host' if jump else 'server'} {host.host}"
    facts = {"port": host.port, "user": host.user, "place": place}
    for words, cause, fix in _KNOWN:
        if any(word in said for word in words):
            return RemoteError(thing, cause.format(**facts), fix.format(**facts))
    last = (said.strip().splitlines() or ["ssh said nothing"])[-1][:200]
    fix = f"try by hand: ssh -p {host.port} {host.user}@{host.host}"
    return RemoteError(thing, f"it cannot be reached: {last}", fix)


def _is_of_jump(jump: JumpHost | None, said: str) -> bool:
    """Whether ssh complains of the jump host, and not of the server behind it."""
    if jump is None or "open failed" in said:
        return False
    host = jump.host
    named = ("known for jump ", "for jump has changed", f"@{host}: ", f"host {host} ", f"hostname {host}:")
    return any(words in said for words in named)
