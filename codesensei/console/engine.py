"""The engine's command, as far as a command needs it: the stack's config, its lock, and operations left pending."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from codesensei.config.problems import NAMESPACE
from codesensei.console.errors import CommandError, Interrupted
from codesensei.wire.quick import dataclass
from codesensei.wire.text import printable_lines

PROJECT = "codesensei"
SECONDS = 120.0
REFRESH_SECONDS = 900.0
MOST_INTERRUPTS = 2
# What this shell's environment says of the selected stack alone: a preview of it that was reviewed.
OF_OTHER_STACKS = frozenset({"CODESENSEI_REVIEWED", "CODESENSEI_REVIEW"})
TOOLS = 'eval "$(python3 -m tools.engine env)" in the checkout, and the variables of your stack (PULUMI_BACKEND_URL, …)'


@dataclass(frozen=True)
class EngineLock:
    """Who has locked the stack's state: a process of a machine. `lives` is None where nobody here can tell."""

    pid: int
    host: str
    user: str
    since: str
    lives: bool | None

    def __str__(self) -> str:
        return f"process {self.pid} of {self.user} on {self.host}, since {self.since}"


@dataclass(frozen=True)
class Engine:
    """The `pulumi` on PATH with one stack."""

    stack: str

    @classmethod
    def of(cls, stack: str | None) -> Engine:
        """The stack of this name, or the one that is selected ($PULUMI_STACK, or pulumi stack select)."""
        return cls(stack or _pulumi("stack", "--show-name").strip())

    @property
    def name(self) -> str:
        """The stack's name without organization and project."""
        return self.stack.rpartition("/")[2]

    def config(self) -> Mapping[str, Any]:
        """Each value of our namespace, secrets in clear: they stay in this process."""
        return self.opened()[0]

    def opened(self) -> tuple[Mapping[str, Any], set[str]]:
        """The same, and the keys at or below which something is encrypted."""
        found = json.loads(self._run("config", "--show-secrets", "--json"))
        own = {key.removeprefix(NAMESPACE): one for key, one in found.items() if key.startswith(NAMESPACE)}
        values = {key: one.get("objectValue", one.get("value")) for key, one in own.items()}
        return values, {key for key, one in own.items() if one.get("secret")}

    def pending(self) -> list[str]:
        """The resources at which the engine was when it was killed."""
        deployment = json.loads(self._run("stack", "export")).get("deployment") or {}
        found = deployment.get("pending_operations") or []
        return [f"{one.get('type', 'changing')} {one['resource']['urn'].rpartition('::')[2]}" for one in found]

    def locks(self) -> list[EngineLock] | None:
        """Who has locked the state; None where this backend shows it to nobody."""
        url = str(json.loads(_pulumi("whoami", "--verbose", "--json")).get("url", ""))
        if not url.startswith("file://"):
            return None
        folder = Path(url.removeprefix("file://").partition("?")[0]).expanduser()
        notes = sorted(folder.glob(f".pulumi/locks/*/{PROJECT}/{self.name}/*.json"))
        return [found for note in notes if (found := _lock(note))]

    def unlock(self) -> None:
        """Remove the lock, whoever has it."""
        self._run("cancel", "--yes")

    def clear_pending(self) -> None:
        """Forget creates that never ended, as the engine's own manual has it; the steps find what is done."""
        words = ("--clear-pending-creates", "--yes", "--skip-preview", "--non-interactive")
        self._run("refresh", *words, seconds=REFRESH_SECONDS)

    def state(self) -> Mapping[str, Any]:
        """What the engine knows of the stack, secrets encrypted; nothing where nothing was deployed yet."""
        found: Mapping[str, Any] = json.loads(self._run("stack", "export")).get("deployment") or {}
        return found

    def init(self) -> None:
        """Make the stack; the selected one stays that."""
        _pulumi("stack", "init", self.stack, "--no-select")

    def set_secret(self, file: Path, path: str, value: str) -> None:
        """Encrypt a value for the stack, in a file in the place of its own; the value goes through standard input."""
        words = ("config", "set", "--secret", "--raw", "--path", f"{PROJECT}:{path}", "--config-file", str(file))
        _pulumi(*words, "--stack", self.stack, said=value)

    def change(self, say: Callable[[str], None], *words: str) -> None:
        """Run a subcommand that changes something; each line that it prints is passed on as it comes."""
        argv = ["pulumi", *words, "--stack", self.stack, "--non-interactive", "--color", "never"]
        kept = {name: value for name, value in os.environ.items() if name not in OF_OTHER_STACKS}
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=kept
            )
        except FileNotFoundError:
            raise CommandError("pulumi", "it is not on PATH", TOOLS) from None
        with process:
            assert process.stdout
            interrupts = passed_on(process.stdout, say, words[0])
        if interrupts:
            raise self._interrupted(words[0], interrupts, process.returncode)
        if process.returncode:
            fix = "the reason is above; correct it, then do the same again"
            raise CommandError(f"pulumi {words[0]}", f"it ended with status {process.returncode}", fix)

    def _interrupted(self, word: str, times: int, code: int) -> Interrupted:
        cause = f"pulumi {word} has ended after the step that was under way, and what it has done stays"
        if not code:
            cause = f"pulumi {word} was at its end, so all of it is done"
        elif times > 1:
            cause = f"pulumi {word} has ended at once; the step that was under way goes on on the server"
        fix = "do the same again: it goes on from what is done, and waits for a step that still runs;\n"
        fix += f"if the state is locked or has pending operations: codesensei recover --stack {self.name}"
        return Interrupted(cause, fix)

    def remove(self) -> None:
        """Forget the stack, with its file; the engine refuses while it has resources."""
        self._run("stack", "rm", "--yes")

    def _run(self, *words: str, seconds: float = SECONDS) -> str:
        return _pulumi(*words, "--stack", self.stack, seconds=seconds)


def passed_on(lines: Iterable[bytes], say: Callable[[str], None], word: str) -> int:
    """Say each line; returns how often the terminal has interrupted this and with it the engine, which ends by itself.

    At the third time it is not waited for: something else may hold the pipe.
    """
    interrupts, waiting, coming = 0, list[bytes](), iter(lines)
    while interrupts <= MOST_INTERRUPTS:
        try:
            while True:
                # Read and kept without a line of Python between: Ctrl-C may come at any moment, and decoding is Python.
                waiting.extend(itertools.islice(coming, 0 if waiting else 1))
                if not waiting:
                    return interrupts
                say(printable_lines(waiting[0].decode("utf-8", "replace").rstrip("\n")))
                waiting.clear()
        except KeyboardInterrupt:
            interrupts += 1
            if interrupts == 1:
                say(f"interrupted: pulumi {word} ends after the step that is under way; Ctrl-C again leaves that alone")
    return interrupts


def stacks() -> list[str]:
    """The names of all stacks of the backend, without organization and project."""
    found = json.loads(_pulumi("stack", "ls", "--json"))
    return [str(one["name"]).rpartition("/")[2] for one in found]


def _lock(note: Path) -> EngineLock | None:
    """The lock that a note in a folder of states tells; None for one that has just gone."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        data = json.loads(note.read_text())
        pid, host = int(data["pid"]), str(data["hostname"])
        lives = _lives(pid) if host == socket.gethostname() else None
        return EngineLock(pid, host, str(data.get("username", "")), str(data.get("timestamp", ""))[:19], lives)
    return None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # The kernel may have given the number to another program since.
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().startswith("pulumi")
    return True


def _pulumi(*words: str, seconds: float = SECONDS, said: str = "") -> str:
    thing = f"pulumi {words[0]}"
    try:
        done = subprocess.run(
            ["pulumi", *words, "--color", "never"],
            input=said,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        raise CommandError("pulumi", "it is not on PATH", TOOLS) from None
    except subprocess.TimeoutExpired:
        raise CommandError(
            thing, f"it did not end within {seconds:.0f} s", "look whether the backend answers"
        ) from None
    if done.returncode != 0:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        cause = next((line for line in lines if line.startswith("error:")), (lines or ["it says nothing"])[-1])
        fix = "name the stack (--stack), or set what pulumi lacks; docs/operating.md has both"
        raise CommandError(thing, cause.removeprefix("error:").strip()[:300], fix)
    return done.stdout
