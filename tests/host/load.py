"""Visitors who ask again and again while something changes, and remember every answer."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from urllib.parse import urlencode

from tests.host.desks import Desk

SECONDS = 60.0
PAUSE = 0.05
LONG = 3.0


@dataclass(frozen=True)
class Answer:
    """One request: how long it took, and the process that answered; `problem` where it failed."""

    path: str
    seconds: float
    release: str = ""
    problem: str = ""


@dataclass
class Load:
    """Some visitors who read, some who write, one whose requests take long."""

    desk: Desk
    visitors: int = 3
    answers: list[Answer] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._ended = threading.Event()
        jobs = [*itertools.repeat(self._visit, self.visitors), self._wait_long]
        self._threads = [threading.Thread(target=job, args=(n,), daemon=True) for n, job in enumerate(jobs)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(SECONDS + 10)
            assert not thread.is_alive()

    @property
    def problems(self) -> list[Answer]:
        """The requests that failed."""
        return [answer for answer in self.answers if answer.problem]

    @property
    def releases(self) -> list[str]:
        """The releases that answered, in the order of their first answers."""
        return list(dict.fromkeys(answer.release for answer in self.answers if answer.release))

    def lost(self) -> set[str]:
        """What was acknowledged as written and is not there."""
        return set(self.written) - set(self.desk.asks("/notes")["notes"])

    def _visit(self, number: int) -> None:
        for count in itertools.count():
            if self._ended.wait(PAUSE):
                return
            if count % 4:
                self._ask("GET", "/")
            else:
                text = f"{number}-{count}-{time.time_ns()}"
                if self._ask("POST", "/notes", urlencode({"text": text})):
                    self.written.append(text)

    def _wait_long(self, _: int) -> None:
        while not self._ended.wait(PAUSE):
            self._ask("GET", f"/slow?seconds={LONG}")

    def _ask(self, method: str, path: str, body: str = "") -> bool:
        began = time.monotonic()
        connection = http.client.HTTPConnection(self.desk.server.host, timeout=SECONDS)
        headers = {"Host": self.desk.hostname, "Content-Type": "application/x-www-form-urlencoded"}
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            text = response.read().decode()
            problem = "" if response.status == 200 else f"status {response.status}: {text[:200]}"
        except (OSError, http.client.HTTPException) as error:
            problem = repr(error)
        finally:
            connection.close()
        release = "" if problem else json.loads(text)["cwd"].split("/")[5]
        self.answers.append(Answer(path, time.monotonic() - began, release, problem))
        return not problem
