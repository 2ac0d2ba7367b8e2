"""Visitors of the example project who read and write while something happens, and remember every answer."""

from __future__ import annotations

import http.client
import re
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from urllib.parse import urlencode

from tools.sandbox import Server

# Seconds between two requests of a visitor, and how long one waits for an answer.
PAUSE = 0.05
PATIENCE = 60.0


@dataclass(frozen=True)
class Answer:
    """One request: when it began and how long it took, in seconds; `problem` is empty where it was answered well."""

    began: float
    seconds: float
    problem: str = ""


@dataclass
class Visitors:
    """`count` visitors of the guestbook; every fourth request of each writes an entry. They visit during the block."""

    server: Server
    hostname: str
    count: int = 2
    answers: list[Answer] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)

    def __enter__(self) -> Visitors:
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._visit, args=(n,), daemon=True) for n in range(self.count)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(PATIENCE + 10)

    @property
    def failed(self) -> list[Answer]:
        """The requests that were answered badly, or not at all."""
        return [answer for answer in self.answers if answer.problem]

    @property
    def away(self) -> float:
        """Seconds from the first failed request to the end of the last one."""
        failed = self.failed
        return max(answer.began + answer.seconds for answer in failed) - failed[0].began if failed else 0.0

    def lost(self) -> set[str]:
        """The entries that were acknowledged and are not in the database."""
        query = "SELECT message FROM entries_entry"
        words = f'cd / && runuser -u postgres -- psql -XAt -d guestbook -c "{query}"'
        return set(self.acknowledged) - set(self.server.console(words).stdout.splitlines())

    def _visit(self, number: int) -> None:
        count, token = 0, ""
        while not self._ended.wait(PAUSE):
            count += 1
            if count % 4 or not token:
                token = self._ask("", "") or token
            else:
                text = f"visitor {number} wrote {count} at {time.time_ns()}"
                if self._ask(token, text) is not None:
                    self.acknowledged.append(text)

    def _ask(self, token: str, text: str) -> str | None:
        """Read the page, or write an entry with the form's token; returns the token of the answer, None: it failed."""
        began = time.monotonic()
        problem, found = "", ""
        connection = http.client.HTTPConnection(self.server.host, timeout=PATIENCE)
        try:
            if text:
                fields = {"csrfmiddlewaretoken": token, "name": "A visitor", "place": "", "message": text}
                headers = {
                    "Host": self.hostname,
                    "Cookie": f"csrftoken={token}",
                    "Content-Type": "application/x-www-form-urlencoded",
                }
                connection.request("POST", "/", urlencode(fields), headers)
            else:
                connection.request("GET", "/", headers={"Host": self.hostname})
            response = connection.getresponse()
            body = response.read().decode(errors="replace")
            if response.status != (302 if text else 200):
                problem = f"status {response.status}: {body[:120]}"
            elif cookie := re.search(r"csrftoken=(\w+)", response.headers.get("set-cookie", "")):
                found = cookie.group(1)
        except (OSError, http.client.HTTPException) as error:
            problem = repr(error)
        finally:
            connection.close()
        self.answers.append(Answer(began, time.monotonic() - began, problem))
        return None if problem else found
