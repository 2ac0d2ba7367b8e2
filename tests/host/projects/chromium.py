"""A headless Chromium, led by its DevTools protocol: what a page has loaded, what it says, how it looks."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from websockets.sync.client import connect
from websockets.sync.connection import Connection

from tools.sandbox import machine

# A program or file, and the Debian package that brings it.
PACKAGES = {"chromium": "chromium", "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf": "fonts-dejavu-core"}
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--ignore-certificate-errors",
    "--window-size=1280,900",
    "--remote-debugging-port=0",
)
SECONDS = 60.0
POLL_SECONDS = 0.05


class ChromiumError(AssertionError):
    """The browser did not start, or a page did not do what it should."""


@dataclass
class Request:
    """One request of a page: its status, 0 where none came, and why it failed."""

    url: str
    status: int = 0
    kind: str = ""
    failure: str = ""


@dataclass
class Tab:
    """The browser's only page."""

    _socket: Connection
    requests: dict[str, Request] = field(default_factory=dict)
    _events: list[dict[str, Any]] = field(default_factory=list)
    _number: int = 0

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and its result."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        deadline = time.monotonic() + SECONDS
        while True:
            message = self._receive(deadline)
            if message.get("id") == self._number:
                if "error" in message:
                    raise ChromiumError(f"{method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result

    def _receive(self, deadline: float) -> dict[str, Any]:
        try:
            message: dict[str, Any] = json.loads(self._socket.recv(timeout=max(0.0, deadline - time.monotonic())))
        except TimeoutError:
            pending = [request.url for request in self.requests.values() if not request.status and not request.failure]
            raise ChromiumError(f"nothing happened for {SECONDS:g} s; waiting for {pending}") from None
        if "method" in message:
            self._note(message["method"], message["params"])
        return message

    def _note(self, method: str, parameters: dict[str, Any]) -> None:
        self._events.append({"method": method, **parameters})
        number = parameters.get("requestId", "")
        if method == "Network.requestWillBeSent":
            self.requests[number] = Request(parameters["request"]["url"], kind=parameters.get("type", ""))
        elif method == "Network.responseReceived" and number in self.requests:
            self.requests[number].status = parameters["response"]["status"]
        elif method == "Network.loadingFailed" and number in self.requests:
            self.requests[number].failure = parameters["errorText"]

    def open(self, url: str) -> None:
        """Go to `url` and wait until the page is quiet."""
        self.requests.clear()
        self._events.clear()
        started = self.call("Page.navigate", url=url)
        if "errorText" in started:
            raise ChromiumError(f"{url}: {started['errorText']}")
        deadline = time.monotonic() + SECONDS
        while not any(self._is_idle(event, started["loaderId"]) for event in self._events):
            self._receive(deadline)

    @staticmethod
    def _is_idle(event: Mapping[str, Any], loader: str) -> bool:
        return (event["method"], event.get("name"), event.get("loaderId")) == (
            "Page.lifecycleEvent",
            "networkIdle",
            loader,
        )

    def set_cookie(self, hostname: str, name: str, value: str) -> None:
        """Be somebody who has logged in."""
        self.call("Network.setCookie", name=name, value=value, domain=hostname, path="/")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page; a promise is waited for."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise ChromiumError(f"{expression}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until a JavaScript expression is true in the page."""
        deadline = time.monotonic() + SECONDS
        while not self.evaluate(f"Boolean({expression})"):
            if time.monotonic() > deadline:
                raise ChromiumError(f"not so after {SECONDS:g} s: {expression}\n{self.text()}")
            time.sleep(POLL_SECONDS)

    def text(self) -> str:
        """What a person reads on the page."""
        return str(self.evaluate("document.body.innerText"))

    def style(self, selector: str, name: str) -> str:
        """The computed value of a style of the first element that the selector finds."""
        expression = f"getComputedStyle(document.querySelector({json.dumps(selector)})).getPropertyValue('{name}')"
        return str(self.evaluate(expression))

    def failed(self, hostname: str) -> list[str]:
        """The requests to this host that got no good answer."""
        return [
            f"{request.url}: {request.failure or request.status}"
            for request in self.requests.values()
            if urlsplit(request.url).hostname == hostname
            and (request.failure or request.status >= 400)
            # Asked for by the browser unbidden, whatever the page says.
            and urlsplit(request.url).path.rstrip("/") != "/favicon.ico"
        ]

    def loaded(self, hostname: str, kind: str) -> list[str]:
        """The URLs of this kind (`Stylesheet`, `Script`…) that came from this host."""
        return [
            request.url
            for request in self.requests.values()
            if urlsplit(request.url).hostname == hostname and request.kind == kind and request.status == 200
        ]

    def screenshot(self, path: Path) -> None:
        """Keep how the page looks, as a PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def chromium(addresses: Mapping[str, str]) -> Iterator[Tab]:
    """A browser with a fresh profile that finds these host names, and no others."""
    machine.install_missing(PACKAGES, "Screenshots need")
    rules = [f"MAP {name} {address}" for name, address in addresses.items()]
    profile = Path(tempfile.mkdtemp(prefix="codesensei-chromium-"))
    log = profile / "log"
    command = ["chromium", *FLAGS, f"--host-resolver-rules={', '.join([*rules, 'MAP * ~NOTFOUND'])}"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}", "about:blank"], stdout=output, stderr=subprocess.STDOUT
        )
    try:
        with connect(_page(profile, process, log), max_size=None, open_timeout=SECONDS) as socket:
            tab = Tab(socket)
            for domain in ("Network", "Page", "Runtime"):
                tab.call(f"{domain}.enable")
            tab.call("Page.setLifecycleEventsEnabled", enabled=True)
            yield tab
    finally:
        process.terminate()
        process.wait(SECONDS)
        shutil.rmtree(profile, ignore_errors=True)


def _page(profile: Path, process: subprocess.Popen[bytes], log: Path) -> str:
    """The DevTools address of the browser's page."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        port = profile / "DevToolsActivePort"
        if port.exists() and port.read_text().strip():
            with urllib.request.urlopen(f"http://127.0.0.1:{port.read_text().split()[0]}/json/list") as answer:
                pages = [page for page in json.load(answer) if page["type"] == "page"]
            if pages:
                return str(pages[0]["webSocketDebuggerUrl"])
        time.sleep(POLL_SECONDS)
    raise ChromiumError(f"chromium does not start:\n{log.read_text(errors='replace')[-2000:]}")
