"""A crowd of visitors, each with a habit of its own, who remember every answer while something changes."""

from __future__ import annotations

import http.client
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from urllib.parse import urlencode

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from tools.sandbox import Server

PAUSE = 0.1
PATIENCE = 60.0
# Seconds of a long request, bytes of an upload, seconds for which a kept connection is idle.
LONG = 10.0
UPLOAD = 20 << 20
IDLE = (3.0, 8.0)
HABITS = {"read": 4, "write": 2, "long": 2, "upload": 1, "kept": 6, "socket": 4}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
BYTES = {"Content-Type": "application/octet-stream"}


@dataclass(frozen=True)
class Answer:
    """One request: its kind, when it began and how long it took beyond its own duration, in seconds.

    `problem` is empty where it was answered well.
    """

    kind: str
    began: float
    seconds: float
    problem: str = ""


@dataclass
class Crowd:
    """Readers, writers, long requests, uploads, kept connections that write after a rest, and WebSockets."""

    server: Server
    hostname: str
    answers: list[Answer] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    # How often each WebSocket was closed, by its number.
    closed: dict[int, int] = field(default_factory=dict)

    def __enter__(self) -> Crowd:
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=getattr(self, f"_{habit}"), args=(number,), daemon=True)
            for habit, count in HABITS.items()
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(PATIENCE + LONG)
            if thread.is_alive():
                self.answers.append(Answer("hang", time.monotonic(), PATIENCE, "a visitor still waits"))

    def wait(self, seconds: float) -> None:
        """Let the crowd visit for a while."""
        self._ended.wait(seconds)

    def lost(self) -> set[str]:
        """What was acknowledged as written and is not in the database."""
        words = "cd / && runuser -u postgres -- psql -XAt -d meter -c 'SELECT text FROM notes_note'"
        return set(self.acknowledged) - set(self.server.console(words).stdout.splitlines())

    def _read(self, _: int) -> None:
        while not self._ended.wait(PAUSE):
            self._once("read", lambda to: self._ask(to, "GET", "/"))

    def _write(self, number: int) -> None:
        while not self._ended.wait(PAUSE):
            self._once("write", lambda to: self._post(to, f"writer {number} {time.time_ns()}"))

    def _long(self, _: int) -> None:
        while not self._ended.wait(PAUSE):
            self._once("long", lambda to: self._ask(to, "GET", f"/slow?seconds={LONG}"), LONG)

    def _upload(self, _: int) -> None:
        while not self._ended.wait(10 * PAUSE):
            self._once("upload", lambda to: self._ask(to, "POST", "/upload", b"0" * UPLOAD, BYTES, str(UPLOAD)))

    def _kept(self, number: int) -> None:
        """A browser that stays on a page and sends a form later, over the connection that it has kept."""
        chance = random.Random(number)
        connection: http.client.HTTPConnection | None = None
        while not self._ended.is_set():
            if connection is None:
                connection = self._connection()
                if not self._timed("kept", lambda to: self._ask(to, "GET", "/"), connection):
                    connection = None
                    continue
            if self._ended.wait(chance.uniform(*IDLE)):
                return
            text = f"kept {number} {time.time_ns()}"
            if not self._timed("kept", partial(self._post, text=text), connection):
                connection = None

    def _socket(self, number: int) -> None:
        self.closed[number] = -1
        while not self._ended.is_set():
            self.closed[number] += 1
            try:
                with self._open_socket() as talk:
                    self._talk(talk)
            except (OSError, WebSocketException):
                self._ended.wait(PAUSE)

    def _talk(self, talk: Connection) -> None:
        while not self._ended.wait(5 * PAUSE):
            began = time.monotonic()
            talk.send("hello")
            heard = talk.recv(PATIENCE)
            problem = "" if heard == "hello" else f"heard {heard!r}"
            self.answers.append(Answer("socket", began, time.monotonic() - began, problem))

    def _open_socket(self) -> Connection:
        stream = socket.create_connection((self.server.host, 80), PATIENCE)
        return connect(
            f"ws://{self.hostname}/", sock=stream, open_timeout=PATIENCE, close_timeout=5, ping_interval=None
        )

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.server.host, timeout=PATIENCE)

    def _once(self, kind: str, ask: Callable[[http.client.HTTPConnection], str], own: float = 0.0) -> None:
        connection = self._connection()
        self._timed(kind, ask, connection, own)
        connection.close()

    def _timed(
        self,
        kind: str,
        ask: Callable[[http.client.HTTPConnection], str],
        to: http.client.HTTPConnection,
        own: float = 0.0,
    ) -> bool:
        """Ask, and write down the answer; `own` are the seconds that the page itself takes. Whether it was well."""
        began = time.monotonic()
        try:
            problem = ask(to)
        except (OSError, http.client.HTTPException) as error:
            problem = repr(error)
        self.answers.append(Answer(kind, began, time.monotonic() - began - own, problem))
        return not problem

    def _post(self, to: http.client.HTTPConnection, text: str) -> str:
        problem = self._ask(to, "POST", "/notes", urlencode({"text": text}).encode(), FORM, "written")
        if not problem:
            self.acknowledged.append(text)
        return problem

    def _ask(
        self,
        to: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        expected: str = "",
    ) -> str:
        to.request(method, path, body, {"Host": self.hostname, **(headers or {})})
        response = to.getresponse()
        text = response.read().decode(errors="replace")
        if response.status != 200 or expected not in text:
            return f"status {response.status}: {text[:120]}"
        return ""
