"""What the first page is made of: styles and scripts from the site itself that visitors do not get."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from urllib.parse import urldefrag, urljoin, urlsplit

from codesensei.scripts.base import probe
from codesensei.scripts.base.visits import Answer, Door
from codesensei.scripts.serving import edge
from codesensei.scripts.serving.health import Question
from codesensei.wire.manifest import HealthCheck
from codesensei.wire.names import is_pattern, is_served

# A page has a few; more would make a deploy longer, and the first ones tell.
MOST = 12
SHOWN = 3
SECONDS = 5.0


def warnings(health: HealthCheck) -> Iterator[str]:
    """A sentence where the first page names styles or scripts that the edge proxy answers with an error."""
    door = Door(address=edge.addresses(health)[0], plain=health.external_tls)
    page = Question(health, min(health.hosts, key=is_pattern)).ask(door, SECONDS).end
    if not 200 <= page.status < 300:
        return
    answers = [probe.ask(door, url, CookieJar(), SECONDS) for url in named(page, health.hosts)[:MOST]]
    if broken := [f"{urlsplit(answer.url).path} ({answer.words()})" for answer in answers if _is_lost(answer)]:
        more = f" and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
        yield (
            f"the page {urlsplit(page.url).path or '/'} names styles or scripts that visitors do not get:"
            f" {', '.join(broken[:SHOWN])}{more}; are they in the commit, or made by a hook (npm, compress), and"
            " collected below STATIC_URL?"
        )


def named(page: Answer, hosts: Sequence[str]) -> list[str]:
    """The addresses of a page's styles and scripts that are the site's own."""
    reader = _Reader()
    # What Python's parser does not take in a page, as <![x[, is no fault of the deploy: what stands before it counts.
    with suppress(AssertionError):
        reader.feed(page.body)
    found = dict.fromkeys(address for text in reader.found if (address := _joined(page.url, text)))
    scheme = urlsplit(page.url).scheme
    return [one for one in found if urlsplit(one).scheme == scheme and is_served(urlsplit(one).hostname or "", hosts)]


class _Reader(HTMLParser):
    """Collects what a page loads before it is shown; what stands in a comment is not loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "script":
            self.found.append(given.get("src", ""))
        elif tag == "link" and "stylesheet" in given.get("rel", "").lower().split():
            self.found.append(given.get("href", ""))


def _joined(base: str, text: str) -> str:
    """The address that a page means; empty for none."""
    try:
        return urldefrag(urljoin(base, text.strip()))[0] if text.strip() else ""
    except ValueError:
        return ""


def _is_lost(answer: Answer) -> bool:
    return bool(answer.error) or answer.status >= 400
