"""What the demo proves through the edge proxy. Each check returns the sentence that says what was seen."""

from __future__ import annotations

import html
import re
import secrets
import time
from dataclasses import dataclass

from tools.demo.browser import Browser, Page
from tools.demo.errors import DemoError

JOB_SECONDS = 60.0
POLL_SECONDS = 0.5
CACHE_SECONDS = 31536000
UNKNOWN_HOST = "unknown.example"
BODY_LINES = 12


@dataclass(frozen=True)
class Entry:
    """One entry as the page shows it; `words` is None until the worker has counted them."""

    number: int
    text: str
    words: int | None


def check_page(browser: Browser, greeting: str) -> str:
    """The page is there and shows the variable GREETING."""
    page = browser.get("/")
    expect(page.status == 200, "the page answers 200", page)
    expect(html.escape(greeting) in page.body, f"the page shows GREETING ({greeting!r})", page)
    return f"the page answers 200 and shows GREETING: {greeting!r}"


def check_entry(browser: Browser) -> tuple[str, Entry]:
    """A row written through the form, CSRF token included, is on the page."""
    message = f"This run wrote {secrets.token_hex(8)}"
    blank = browser.get("/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', blank.body)
    expect(token is not None and bool(browser.cookie("csrftoken")), "the form has a CSRF token and cookie", blank)
    fields = {"csrfmiddlewaretoken": token.group(1) if token else "", "name": "The demo", "message": message}
    refused = browser.post("/", {**fields, "csrfmiddlewaretoken": "wrong" * 8})
    expect(refused.status == 403, "a form with a wrong CSRF token is refused", refused)
    accepted = browser.post("/", fields)
    expect(accepted.status == 302, "the form is accepted", accepted)
    page = browser.get("/")
    entry = find_entry(page.body, message)
    if entry is None:
        raise unlike("the page shows the entry that was just written", page)
    return f"the form (with CSRF) wrote entry {entry.number} and the page shows it: {message!r}", entry


def check_job(browser: Browser, entry: Entry) -> str:
    """The job that the form queued is finished by the worker."""
    started = time.monotonic()
    while True:
        page = browser.get("/")
        found = find_entry(page.body, entry.text)
        if found is not None and found.words is not None:
            break
        if time.monotonic() - started > JOB_SECONDS:
            raise unlike(f"the worker finishes the job of entry {entry.number} within {JOB_SECONDS:g} s", page)
        time.sleep(POLL_SECONDS)
    expect(found.words == len(entry.text.split()), f"the worker counts {len(entry.text.split())} words", page)
    return f"the worker finished the job that this form queued: {found.words} words"


def check_static(browser: Browser) -> str:
    """The stylesheet has a hashed name and may be kept for a year."""
    page = browser.get("/")
    link = re.search(r'<link rel="stylesheet" href="([^"]+\.[0-9a-f]{12}\.css)">', page.body)
    if link is None:
        raise unlike("the stylesheet has a hashed name", page)
    path = link.group(1)
    sheet = browser.get(path)
    cache = sheet.headers.get("cache-control", "")
    expect(sheet.status == 200 and "body" in sheet.body, f"{path} is served", sheet)
    expect(sheet.headers.get("content-type", "").startswith("text/css"), f"{path} is text/css", sheet)
    expect(f"max-age={CACHE_SECONDS}" in cache, f"{path} may be kept for a year", sheet)
    return f"{path} is 200, text/css, Cache-Control: {cache}"


def check_unknown_host(url: str, greeting: str) -> str:
    """A hostname that is not the stack's gets no project."""
    page = Browser(url, UNKNOWN_HOST).get("/")
    expect(400 <= page.status < 500 and html.escape(greeting) not in page.body, f"{UNKNOWN_HOST} gets no project", page)
    return f"the same server asked for {UNKNOWN_HOST} answers {page.status}"


def find_entry(body: str, text: str) -> Entry | None:
    """The entry with this text on the page."""
    for number, article in re.findall(r'<article id="entry-(\d+)">(.*?)</article>', body, re.DOTALL):
        if html.escape(text) in article:
            words = re.search(r'class="job done">(\d+) word', article)
            return Entry(int(number), text, int(words.group(1)) if words else None)
    return None


def expect(holds: bool, what: str, page: Page) -> None:
    """Raise DemoError, with the answer that was seen, unless the condition holds."""
    if not holds:
        raise unlike(what, page)


def unlike(what: str, page: Page) -> DemoError:
    """The error for an answer that is not as it should be."""
    headers = [f"  {name}: {value}" for name, value in page.headers.items() if name != "set-cookie"]
    body = [f"  {line}" for line in page.body.splitlines() if line.strip()][:BODY_LINES]
    return DemoError("\n".join([f"this does not hold: {what}. The answer was {page.status}:", *headers, *body]))
