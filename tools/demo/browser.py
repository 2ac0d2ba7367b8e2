"""A browser for the checks: connections, cookies, forms. No redirect is followed without being asked for."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

from tools.demo.errors import DemoError

REQUEST_SECONDS = 30.0


@dataclass(frozen=True)
class Page:
    """What came back: `headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: str


class Browser:
    """One visitor of one site. `hostname` is what the site is asked for, by default the one in the URL."""

    def __init__(self, url: str, hostname: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise DemoError(f"{url!r} is not a URL that a browser opens.")
        self._url = url
        self._secure = parts.scheme == "https"
        self._address = parts.hostname
        self._port = parts.port
        self._host = hostname or parts.netloc
        self._cookies: dict[str, str] = {}

    def get(self, path: str) -> Page:
        """The page at `path`; raises DemoError where nobody answers."""
        return self._request("GET", path, "")

    def post(self, path: str, fields: Mapping[str, str]) -> Page:
        """Send a form's fields, with the headers that a browser sends; raises DemoError where nobody answers."""
        return self._request("POST", path, urlencode(fields))

    def cookie(self, name: str) -> str:
        """A cookie that the site has set, or an empty text."""
        return self._cookies.get(name, "")

    def _request(self, method: str, path: str, body: str) -> Page:
        connect = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = connect(self._address, self._port, timeout=REQUEST_SECONDS)
        scheme = "https" if self._secure else "http"
        headers = {
            "Host": self._host,
            "Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items()),
            "User-Agent": "codesensei-demo",
        }
        if method == "POST":
            headers |= {
                "Content-Type": "application/x-www-form-urlencoded",
                "Origin": f"{scheme}://{self._host}",
                "Referer": f"{scheme}://{self._host}{path}",
            }
        try:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise DemoError(f"{method} {path} at {self._url} got no answer: {error}") from None
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie") or ():
            self._cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
        return Page(answer.status, {name.lower(): value for name, value in answer.headers.items()}, text)
