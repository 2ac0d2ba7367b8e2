"""What a crowd of visitors notices while a site is changed: its code, variables, worker, hostnames, the program."""

from __future__ import annotations

import http.client
import math
import os
import random
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from tools.demo.history import History, begin_history
from tools.sandbox import Sandbox
from tools.trials.crowd import PATIENCE, Answer, Crowd
from tools.trials.report import put
from tools.trials.stack import Stack

PROJECT = Path(__file__).with_name("meter")
# Seconds of rest before each change, against which it is held.
REST = 20.0
# Between two requests of a visitor; of a long request, and for which a kept connection is idle.
PAUSE = 0.1
LONG = 10.0
IDLE = (3.0, 8.0)
# Bytes.
UPLOAD = 20 << 20
BYTES = {"Content-Type": "application/octet-stream"}
# With this code a server says that it restarts, so that a client comes again.
RESTARTS = 1012
TABLE = (
    "| change | seconds | requests | failed | p50 | p99 | slowest | p99 to that of a rest | WebSockets closed, each |",
    "|---|---|---|---|---|---|---|---|---|",
)


class Meter(Stack):
    """A stack of the project that such a crowd can visit: ASGI, PostgreSQL, a worker."""

    def make_history(self) -> History:
        """The repository, with one commit."""
        return begin_history(self.repository, PROJECT, "Count")

    def first_config(self, history: History) -> dict[str, Any]:
        """What the stack starts with."""
        config = super().first_config(history)
        config["codesensei:project"] |= {
            "name": "Meter",
            "settingsModule": "meter.settings",
            "server": "uvicorn",
            "static": "none",
            "workers": {"worker": "celery -A meter.celery worker -l info --concurrency 1"},
            "stopTimeout": {"web": 30, "workers": 30},
        }
        return config | {"codesensei:env": {"WEB_CONCURRENCY": "2", "GREETING": "Hello"}}


@dataclass
class Mixed(Crowd):
    """Readers, writers, long requests, uploads, kept connections that write after a rest, and WebSockets."""

    # How often each WebSocket was closed, by its number.
    closed: dict[int, int] = field(default_factory=dict)

    def habits(self) -> Iterator[Callable[[], None]]:
        """What each of them does."""
        habits = {self._read: 4, self._write: 2, self._wait_long: 2, self._upload: 1, self._keep: 6, self._talk: 4}
        for habit, count in habits.items():
            for number in range(count):
                yield partial(habit, number)

    def lost(self) -> set[str]:
        """What was acknowledged as written and is not in the database."""
        words = "cd / && runuser -u postgres -- psql -XAt -d meter -c 'SELECT text FROM notes_note'"
        return set(self.acknowledged) - set(self.server.console(words).stdout.splitlines())

    def _read(self, _: int) -> None:
        while self.goes_on(PAUSE):
            self.get("read", "/")

    def _write(self, number: int) -> None:
        while self.goes_on(PAUSE):
            self._note("write", f"writer {number} {time.time_ns()}")

    def _wait_long(self, _: int) -> None:
        while self.goes_on(PAUSE):
            self.get("long", f"/slow?seconds={LONG}", own=LONG)

    def _upload(self, _: int) -> None:
        while self.goes_on(10 * PAUSE):
            self.ask("upload", "POST", "/upload", b"0" * UPLOAD, BYTES, expected=str(UPLOAD))

    def _keep(self, number: int) -> None:
        """A browser that stays on a page and sends a form later, over the connection that it has kept."""
        chance, connection = random.Random(number), None
        while self.goes_on(PAUSE):
            if connection is None:
                connection = self.connection()
                well = not self.get("kept", "/", over=connection).problem
            else:
                self.goes_on(chance.uniform(*IDLE))
                well = not _is_closed(connection) and self._note("kept", f"kept {number} {time.time_ns()}", connection)
            if not well:
                connection = None

    def _note(self, kind: str, text: str, over: http.client.HTTPConnection | None = None) -> bool:
        if self.post(kind, "/notes", {"text": text}, over=over).problem:
            return False
        self.acknowledged.append(text)
        return True

    def _talk(self, number: int) -> None:
        self.closed[number] = 0
        while self.goes_on(PAUSE):
            began, problem = time.monotonic(), ""
            try:
                with self._socket() as talk:
                    self._say_hello(talk)
            except ConnectionClosed as closed:
                self.closed[number] += 1
                code = closed.rcvd.code if closed.rcvd else 0
                problem = "" if code == RESTARTS else f"closed with {code}"
            except (OSError, WebSocketException) as error:
                problem = repr(error)
            if problem:
                self.answers.append(Answer("socket", began, time.monotonic() - began, problem))

    def _socket(self) -> Connection:
        stream = socket.create_connection((self.server.host, 80), PATIENCE)
        address = f"ws://{self.hostname}/"
        return connect(address, sock=stream, open_timeout=PATIENCE, close_timeout=5, ping_interval=None)

    def _say_hello(self, talk: Connection) -> None:
        while self.goes_on(5 * PAUSE):
            began = time.monotonic()
            talk.send("hello")
            heard = talk.recv(PATIENCE)
            problem = "" if heard == "hello" else f"heard {heard!r}"
            self.answers.append(Answer("socket", began, time.monotonic() - began, problem))


def _is_closed(connection: http.client.HTTPConnection) -> bool:
    """Whether nginx has ended a kept connection: a browser sees that before it sends, and opens another one."""
    return connection.sock is None or bool(select.select([connection.sock], [], [], 0)[0])


@dataclass(frozen=True)
class Seen:
    """What the crowd noticed of one change."""

    change: str
    seconds: float
    answers: Sequence[Answer]
    closed: int

    @property
    def failed(self) -> list[Answer]:
        """The requests that were answered badly, or not at all."""
        return [answer for answer in self.answers if answer.problem]

    def quantile(self, share: float) -> float:
        """The time within which this share of the requests was answered, in milliseconds; uploads have their own."""
        times = sorted(answer.seconds for answer in self.answers if answer.kind != "upload")
        return 1000 * times[max(math.ceil(share * len(times)) - 1, 0)] if times else 0.0


def commit(stack: Stack) -> None:
    """A commit that changes a page."""
    views = (stack.repository / "notes/views.py").read_text()
    stack.set("project.source.revision", stack.commit({"notes/views.py": f"{views}\n# {time.time_ns()}\n"}))


def variable(stack: Stack) -> None:
    """A variable."""
    stack.set("env.GREETING", f"Hello at {time.time_ns()}")


def worker(stack: Stack) -> None:
    """The worker's line."""
    stack.set("project.workers.worker", "celery -A meter.celery worker -l warning --concurrency 1")


def domain(stack: Stack) -> None:
    """One more hostname."""
    stack.set("domains", [stack.hostname, "www.meter.example"])


def rollback(stack: Stack) -> None:
    """The first commit."""
    stack.use("main")


def upgrade(stack: Stack) -> None:
    """Another version of the program, as far as the server can tell."""
    path = stack.program / "codesensei/scripts/main.py"
    path.write_text(f"{path.read_text()}\n# {time.time_ns()}\n")


def everything(stack: Stack) -> None:
    """All at once."""
    for change in (commit, variable, upgrade):
        change(stack)
    stack.set("project.workers.worker", "celery -A meter.celery worker -l error --concurrency 1")
    stack.set("domains", [stack.hostname])


CHANGES: dict[str, Callable[[Stack], None]] = {
    "a commit": commit,
    "a variable": variable,
    "a worker": worker,
    "a hostname": domain,
    "a rollback": rollback,
    "an upgrade of the program": upgrade,
    "all at once": everything,
}


def measure(stack: Stack, rounds: int) -> Iterator[Seen]:
    """Let the crowd visit through every change, `rounds` times, with a rest before each."""
    for _ in range(rounds):
        for name, change in CHANGES.items():
            yield _seen(stack, "a rest", lambda crowd: crowd.goes_on(REST))
            change(stack)
            yield _seen(stack, name, lambda _: deploy(stack))


def deploy(stack: Stack) -> None:
    """Deploy the change; AssertionError where nothing was deployed."""
    assert stack.up().changes, "the change changed nothing"


def _seen(stack: Stack, change: str, happens: Callable[[Mixed], object]) -> Seen:
    crowd = Mixed(stack.server, stack.hostname)
    with crowd:
        began = time.monotonic()
        happens(crowd)
        seconds = time.monotonic() - began
    if lost := crowd.lost():
        crowd.answers.append(Answer("write", began, 0.0, f"{len(lost)} acknowledged notes are gone"))
    return Seen(change, seconds, tuple(crowd.answers), max(crowd.closed.values()))


def table(seen: Sequence[Seen]) -> list[str]:
    """The rows, one for each kind of change."""
    rows = []
    rest = Seen("a rest", 0.0, [answer for one in seen if one.change == "a rest" for answer in one.answers], 0)
    for name in dict.fromkeys(one.change for one in seen):
        those = [one for one in seen if one.change == name]
        whole = Seen(name, 0.0, [answer for one in those for answer in one.answers], max(one.closed for one in those))
        seconds = sum(one.seconds for one in those) / len(those)
        p99 = whole.quantile(0.99)
        rows.append(
            f"| {name} | {seconds:.1f} | {len(whole.answers)} | {len(whole.failed)} | {whole.quantile(0.5):.0f} ms"
            f" | {p99:.0f} ms | {whole.quantile(1):.0f} ms | {p99 / rest.quantile(0.99):.1f} | {whole.closed} |"
        )
    return rows


def described(answer: Answer) -> str:
    """A request that failed, in one line."""
    return f"    {answer.kind}, after {answer.seconds:.1f} s: {answer.problem}"


def run(debian: int, rounds: int, place: Path) -> int:
    """Measure on a sandbox server, and write docs/RELIABILITY.md; returns how many requests failed."""
    sandbox = Sandbox(place)
    sandbox.down_all()
    server = sandbox.up(f"meter-{debian}", debian)
    stack = Meter(server, place.resolve() / "meter-stack", slug="meter", hostname="meter.example")
    seen: list[Seen] = []
    try:
        stack.create()
        stack.up()
        for one in measure(stack, rounds):
            seen.append(one)
            sys.stdout.write("\n".join([*table(seen[-2:])[-1:], *map(described, one.failed[:5])]) + "\n")
            sys.stdout.flush()
    finally:
        sandbox.down_all()
    requests, failed = sum(len(one.answers) for one in seen), sum(len(one.failed) for one in seen)
    head = (
        f"Debian {debian}, {os.cpu_count()} processors, load {os.getloadavg()[2]:.1f}, {rounds} of each change:"
        f" {failed} of {requests} requests failed. Times are beyond a page's own duration, without uploads."
    )
    put("continuity", [head, "", *TABLE, *table(seen)])
    sys.stdout.write("\n".join([head, "", *TABLE, *table(seen)]) + "\n")
    return failed
