"""A person with a browser that has no pictures and no scripts: connections, cookies, forms, redirects."""

from __future__ import annotations

import http.client
import json
import secrets
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urljoin, urlsplit

SECONDS = 60.0
REDIRECTS = 6
BODY_HEAD = 3000
SUBMITS = {"submit", "button", "image", "reset", "file"}


class VisitorError(AssertionError):
    """The site did not answer as a person would expect."""


@dataclass(frozen=True)
class Upload:
    """A file that a person chooses in a form."""

    name: str
    content: bytes
    kind: str = "application/octet-stream"


@dataclass
class Form:
    """A form as it is on the page: what is filled in, by name."""

    action: str = ""
    method: str = "get"
    fields: dict[str, list[str]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Page:
    """What came back; `path` is where the redirects ended, `headers` have lower-case names."""

    path: str
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def body(self) -> str:
        """The text of the page."""
        return self.content.decode("utf-8", "replace")

    def form(self, name: str) -> Form:
        """The form that has a field of this name."""
        for form in read_forms(self.body):
            if name in form.names:
                return form
        raise VisitorError(f"{self.path} has no form with a field {name!r}:\n{self.body[:BODY_HEAD]}")

    def expect(self, status: int, text: str = "") -> Page:
        """The page itself, if it has this status and this text."""
        if self.status != status or text not in self.body:
            wanted = f"{status}{f' and {text!r}' if text else ''}"
            raise VisitorError(f"{self.path} answers {self.status}, not {wanted}:\n{self.body[:BODY_HEAD]}")
        return self


class Visitor:
    """One person at one site: `hostname` is asked for, at `address`. Certificates are believed."""

    def __init__(self, address: str, hostname: str, scheme: str = "http") -> None:
        self.address = address
        self.hostname = hostname
        self.scheme = scheme
        self._cookies: dict[str, str] = {}

    @property
    def origin(self) -> str:
        """Scheme and host, as the browser's address line has them."""
        return f"{self.scheme}://{self.hostname}"

    def cookie(self, name: str) -> str:
        """A cookie that the site has set, or an empty text."""
        return self._cookies.get(name, "")

    def cookie_header(self) -> str:
        """All cookies, as a request carries them."""
        return "; ".join(f"{name}={value}" for name, value in self._cookies.items())

    def get(self, path: str) -> Page:
        """The page at `path`, at the end of its redirects."""
        return self._follow(self.ask("GET", path))

    def submit(
        self, page: Page, name: str, values: Mapping[str, str | list[str]], files: Mapping[str, Upload] | None = None
    ) -> Page:
        """Fill in the form that has the field `name`, leave the rest as it is, and send it."""
        form = page.form(name)
        unknown = [key for key in {**values, **(files or {})} if key not in form.names]
        if unknown:
            raise VisitorError(f"the form of {page.path} has no fields {unknown}; it has {sorted(form.names)}")
        return self.post(form.action or page.path, page.path, {**form.fields, **values}, files)

    def post(
        self,
        path: str,
        referer: str,
        values: Mapping[str, str | list[str]],
        files: Mapping[str, Upload] | None = None,
    ) -> Page:
        """Send fields as a form does."""
        pairs = [
            (key, item) for key, value in values.items() for item in (value if isinstance(value, list) else [value])
        ]
        kind, body = (
            multipart(pairs, files) if files else ("application/x-www-form-urlencoded", urlencode(pairs).encode())
        )
        headers = {"Content-Type": kind, "Origin": self.origin, "Referer": self.origin + referer}
        return self._follow(self.ask("POST", urljoin(referer, path), headers, body))

    def send(self, method: str, path: str, data: object, headers: Mapping[str, str] | None = None) -> Page:
        """Send JSON, as a script of the page does."""
        own = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Origin": self.origin,
            "Referer": f"{self.origin}/",
            "X-CSRFToken": self.cookie("csrftoken"),
        }
        return self.ask(method, path, {**own, **(headers or {})}, json.dumps(data).encode())

    def _follow(self, page: Page) -> Page:
        for _ in range(REDIRECTS):
            if page.status not in {301, 302, 303, 307, 308}:
                return page
            target = urlsplit(urljoin(self.origin + page.path, page.headers["location"]))
            if (target.scheme, target.netloc) != (self.scheme, self.hostname):
                raise VisitorError(f"{page.path} leads away, to {target.geturl()}")
            page = self.ask("GET", target._replace(scheme="", netloc="", fragment="").geturl())
        raise VisitorError(f"{page.path}: more than {REDIRECTS} redirects")

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Page:
        connection = self._connect()
        own = {"Host": self.hostname, "User-Agent": "a person", "Accept": "text/html,*/*"}
        if self._cookies:
            own["Cookie"] = self.cookie_header()
        try:
            connection.request(method, path, body, {**own, **(headers or {})})
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise VisitorError(f"{method} {self.origin}{path} got no answer: {error}") from None
        finally:
            connection.close()
        for line in answer.headers.get_all("Set-Cookie") or ():
            self._cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
        return Page(path, answer.status, {name.lower(): value for name, value in answer.headers.items()}, content)

    def _connect(self) -> http.client.HTTPConnection:
        if self.scheme == "http":
            return http.client.HTTPConnection(self.address, timeout=SECONDS)
        connection = http.client.HTTPConnection(self.address, 443, timeout=SECONDS)
        plain = socket.create_connection((self.address, 443), SECONDS)
        connection.sock = trusting().wrap_socket(plain, server_hostname=self.hostname)
        return connection


def trusting() -> ssl.SSLContext:
    """TLS with whoever answers: who signed the certificate is not in question here."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def multipart(pairs: list[tuple[str, str]], files: Mapping[str, Upload]) -> tuple[str, bytes]:
    """Fields and files as one body, and its Content-Type."""
    boundary = secrets.token_hex(16)
    parts = [f'name="{name}"\r\n\r\n'.encode() + value.encode() for name, value in pairs]
    parts += [
        f'name="{name}"; filename="{file.name}"\r\nContent-Type: {file.kind}\r\n\r\n'.encode() + file.content
        for name, file in files.items()
    ]
    start = f"--{boundary}\r\nContent-Disposition: form-data; ".encode()
    body = b"".join(start + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body


def read_forms(text: str) -> list[Form]:
    """The forms of a page, with what is filled in."""
    reader = _FormReader()
    reader.feed(text)
    return reader.forms


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._textarea: str | None = None
        self._select: str | None = None
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(given.get("action", ""), given.get("method", "get").lower())
            self.forms.append(self._form)
        if self._form is None:
            return
        name = given.get("name", "")
        if name:
            self._form.names.add(name)
        if tag == "input" and name:
            self._input(self._form, name, given)
        elif tag == "textarea" and name:
            self._textarea, self._text = name, ""
        elif tag == "select" and name:
            self._select = name
        elif tag == "option" and self._select and "selected" in given:
            self._form.fields.setdefault(self._select, []).append(given.get("value", ""))

    def _input(self, form: Form, name: str, given: Mapping[str, str]) -> None:
        kind = given.get("type", "text")
        if kind in SUBMITS or (kind in {"checkbox", "radio"} and "checked" not in given):
            return
        form.fields.setdefault(name, []).append(given.get("value", "on" if kind == "checkbox" else ""))

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag == "textarea" and self._textarea and self._form is not None:
            # HTML drops one newline right after the start tag.
            self._form.fields.setdefault(self._textarea, []).append(self._text.removeprefix("\n"))
            self._textarea = None
