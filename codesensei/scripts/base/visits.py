"""What a visitor meets: the answers on the way to a page. Without what it takes to ask: a look never does that."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from codesensei.wire.quick import dataclass

BODY_HEAD = 300
SLOW = "it did not answer in time"
CIRCLE = "it redirects in a circle"
ELSEWHERE = "it redirects to the host"


@dataclass(frozen=True)
class Answer:
    """A response; `error` instead of a status when there was none. `url` is what was asked for."""

    status: int = 0
    location: str = ""
    body: str = ""
    error: str = ""
    url: str = ""

    @property
    def redirects(self) -> bool:
        return 300 <= self.status < 400 and self.location != ""

    def words(self) -> str:
        return self.error or f"HTTP status {self.status}" + (f", Location: {self.location}" if self.location else "")


@dataclass(frozen=True)
class Visit:
    """The answers on the way from a page to where its redirects end; `problem` is why the last one leads nowhere."""

    answers: tuple[Answer, ...]
    problem: str = ""

    @property
    def end(self) -> Answer:
        return self.answers[-1]


@dataclass(frozen=True)
class Door:
    """The way to a web process: its own socket, or the edge proxy at an address of this server's.

    `word` is said to the edge proxy, which writes it into its log. `plain`: HTTPS ends before it, so it takes HTTP.
    """

    socket: str = ""
    address: str = ""
    word: str = ""
    plain: bool = False


def url_of(scheme: str, host: str, path: str) -> str:
    """The address of a page; IPv6 gets its brackets."""
    return f"{scheme}://[{host}]{path}" if ":" in host else f"{scheme}://{host}{path}"


def head_of(body: str) -> str:
    """The first words of a page, without its markup."""
    plain = re.sub(r"(?is)<(head|style|script|svg)\b.*?(</\1>|$)|<!--.*?-->|<[^>]*>", " ", body)
    words = " ".join(html.unescape(plain).split())
    return words if len(words) <= BODY_HEAD else words[:BODY_HEAD] + "..."


def is_nginx_own(answer: Answer) -> bool:
    """Whether the answer is nginx's own error page: an unknown host, or no process behind the socket."""
    return answer.status >= 400 and "<hr><center>nginx" in answer.body


def accepted(answer: Answer, patterns: Sequence[str]) -> bool:
    """Whether the status is one of `patterns` ("2xx", "404")."""
    return any(f"{answer.status:03d}" == pattern or pattern == f"{answer.status // 100}xx" for pattern in patterns)
