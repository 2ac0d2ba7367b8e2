"""Visitors, each with a habit, who ask again and again while something happens, and remember every answer."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TypeVar
from urllib.parse import urlencode

from tools.sandbox import Server

# Seconds between two requests of a visitor, and how long one waits for an answer.
PAUSE = 0.05
PATIENCE = 60.0
# So much of a page is remembered.
REMEMBERED = 500
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NONE: Mapping[str, str] = {}
Kind = TypeVar("Kind", bound="Crowd")


@dataclass(frozen=True)
class Answer:
    """One request: its kind, when it began, and the seconds that it took beyond the page's own.

    `problem` is empty where it was answered well; `page` is the beginning of what came.
    """

    kind: str
    began: float
    seconds: float
    problem: str = ""
    page: str = ""


@dataclass(frozen=True)
class Reply:
    """What a visitor got; `problem` is empty where it is what was expected."""

    text: str
    cookie: str = ""
    problem: str = ""


@dataclass
class Crowd:
    """Visitors of one site during the block; a kind of crowd says what its `habits` are."""

    server: Server
    hostname: str
    answers: list[Answer] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)

    def habits(self) -> Iterator[Callable[[], None]]:
        """What each visitor does until the block ends."""
        raise NotImplementedError

    def __enter__(self: Kind) -> Kind:
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._follow, args=(habit,), daemon=True) for habit in self.habits()]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(2 * PATIENCE)
            if thread.is_alive():
                self.answers.append(Answer("wait", time.monotonic(), PATIENCE, "a visitor still waits"))

    def _follow(self, habit: Callable[[], None]) -> None:
        """Whatever ends a visitor is told as a failed request: fewer visitors are no better deploy."""
        try:
            habit()
        except Exception as error:  # noqa: BLE001
            self.answers.append(Answer("habit", time.monotonic(), 0.0, f"a visitor gave up: {error!r}"))

    @property
    def failed(self) -> list[Answer]:
        """The requests that were answered badly, or not at all."""
        return [answer for answer in self.answers if answer.problem]

    @property
    def away(self) -> float:
        """Seconds from the first failed request to the end of the last one."""
        failed = self.failed
        return max(answer.began + answer.seconds for answer in failed) - failed[0].began if failed else 0.0

    def goes_on(self, pause: float = PAUSE) -> bool:
        """Rest for a while; whether the block goes on."""
        return not self._ended.wait(pause)

    def connection(self) -> http.client.HTTPConnection:
        """A connection to the edge proxy."""
        return http.client.HTTPConnection(self.server.host, timeout=PATIENCE)

    def get(self, kind: str, path: str, *, own: float = 0.0, over: http.client.HTTPConnection | None = None) -> Reply:
        """Ask for a page, which itself takes `own` seconds."""
        return self.ask(kind, "GET", path, own=own, over=over)

    def post(
        self,
        kind: str,
        path: str,
        fields: Mapping[str, str],
        headers: Mapping[str, str] = NONE,
        *,
        status: int = 200,
        over: http.client.HTTPConnection | None = None,
    ) -> Reply:
        """Send a form."""
        return self.ask(kind, "POST", path, urlencode(fields).encode(), {**FORM, **headers}, status=status, over=over)

    def ask(
        self,
        kind: str,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] = NONE,
        *,
        status: int = 200,
        own: float = 0.0,
        expected: str = "",
        over: http.client.HTTPConnection | None = None,
    ) -> Reply:
        """Ask over a new connection, or `over` one that is kept, and write the answer down.

        It is a good one with this status and, if one is `expected`, this text.
        """
        connection = over or self.connection()
        began = time.monotonic()
        try:
            connection.request(method, path, body, {"Host": self.hostname, **headers})
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
            is_good = response.status == status and expected in ("", text)
            problem = "" if is_good else f"status {response.status}: {text[:120]}"
            reply = Reply(text, response.headers.get("set-cookie", ""), problem)
        except (OSError, http.client.HTTPException) as error:
            reply = Reply("", problem=repr(error))
        finally:
            if over is None:
                connection.close()
        taken = time.monotonic() - began - own
        self.answers.append(Answer(kind, began, taken, reply.problem, reply.text[:REMEMBERED]))
        return reply
