"""The server of a stack as a command reaches it: the stack's own address, pinned host key, jump host and login key."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from codesensei.config.load import parsed
from codesensei.config.server import ServerConfig
from codesensei.console.engine import Engine
from codesensei.console.errors import CommandError, Told
from codesensei.remote import openssh
from codesensei.remote.agent import NO_KEY, missing, start_agent
from codesensei.remote.errors import RemoteError
from codesensei.remote.look import answers, no_sudo, unreachable
from codesensei.render import shell
from codesensei.wire import codec
from codesensei.wire.codec import WireError
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass
from codesensei.wire.text import printable_lines

D = TypeVar("D")
ANSWER_SECONDS = 60.0
UP = "pulumi up brings the server to this version of the program"


@dataclass(frozen=True)
class Server:
    """One project on one server, and the agent that has the key."""

    config: ServerConfig
    slug: str
    agent_socket: str

    @classmethod
    def of(cls, engine: Engine) -> Server:
        """The server that the stack's config names. The key goes to an SSH agent and nowhere else."""
        found: dict[str, Any] = parsed(engine.config())
        try:
            config = ServerConfig.model_validate(found.get("server") or {})
            slug = str(found["project"]["slug"])
        except (ValidationError, KeyError, TypeError):
            fix = "pulumi preview tells what is wrong in it"
            raise CommandError(f"stack {engine.stack}", "its config names no server or project", fix) from None
        with _told():
            agent = start_agent(engine.name, found.get("sshPrivateKey"), linked=False)
            if not agent.has_keys:
                raise RemoteError(f"server {config.host}", *NO_KEY)
        return cls(config, slug, agent.socket)

    def ask(self, kind: type[D], *words: str) -> D:
        """The server's answer, which is one line of JSON."""
        with self._ssh(words) as process:
            try:
                out, err = process.communicate(timeout=ANSWER_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                cause = f"it did not answer within {ANSWER_SECONDS:.0f} s"
                raise CommandError(f"server {self.config.host}", cause, "look at its console, then try again") from None
        self._check(process.returncode, err)
        for answer in answers(out):
            return self._decoded(kind, answer)
        raise CommandError(f"server {self.config.host}", f"it does not know {words[0]}", UP)

    def do(self, say: Callable[[str], None], *words: str) -> None:
        """Run something that takes its time; each line that the server prints is passed on as it comes."""
        with tempfile.TemporaryFile("w+", errors="replace") as errors:
            with self._ssh(words, errors.fileno()) as process:
                assert process.stdout
                for line in process.stdout:
                    say(printable_lines(line.rstrip("\n")))
            errors.seek(0)
            self._check(process.returncode, errors.read())

    def send(self, file: Path, name: str) -> None:
        """Bring a file into the login user's home, which nobody else may read; whole or not at all."""
        part = f"{name}.part"
        words = f"umask 077; cat > {part} && mv {part} {name}"
        with openssh.client(self.config, self.agent_socket) as (start, variables), file.open("rb") as content:
            try:
                done = subprocess.run(
                    [*start, words], env=variables, stdin=content, capture_output=True, text=True, check=False
                )
            except FileNotFoundError:
                with _told():
                    raise missing("ssh") from None
        self._check(done.returncode, done.stderr)

    def _decoded(self, kind: type[D], answer: object) -> D:
        try:
            return codec.decode(kind, answer, "answer", kept=True)
        except WireError as error:
            raise CommandError(f"server {self.config.host}", f"its answer cannot be read: {error}", UP) from None

    def _check(self, code: int, said: str) -> None:
        host = f"server {self.config.host}"
        if code == 255:
            with _told():
                raise unreachable(self.config, said)
        if code == 0:
            return
        if "error: there is no step named" in said or "\nusage: backup" in f"\n{said}":
            raise CommandError(host, "its toolkit is of an earlier version", UP)
        if "error: " in said:
            raise Told(printable_lines(said[said.index("error: ") :].strip()))
        if "not found" in said or "No such file" in said:
            raise CommandError(host, f"nothing of {self.slug} is deployed there", "deploy first: pulumi up")
        if "sudo:" in said:
            with _told():
                raise no_sudo(self.config)
        last = (said.strip().splitlines() or ["it said nothing"])[-1][:200]
        raise CommandError(host, f"it ended with status {code}: {last}", "try again")

    @contextlib.contextmanager
    def _ssh(self, words: tuple[str, ...], errors: int = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
        command = f"{self.config.sudo}{shell.join([str(ProjectPaths(self.slug).launcher), *words])}"
        with openssh.client(self.config, self.agent_socket) as (start, variables):
            try:
                with subprocess.Popen(
                    [*start, command],
                    env=variables,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    errors="replace",
                ) as process:
                    yield process
            except FileNotFoundError:
                with _told():
                    raise missing("ssh") from None


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Errors of the connection as a command's own."""
    try:
        yield
    except RemoteError as error:
        raise CommandError(error.thing, error.cause, error.fix) from None
