"""What every one of the projects has: how it is made, what its stack file says, and how a person uses it."""

from __future__ import annotations

import secrets
import struct
import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.host.projects.chromium import Tab
from tests.host.projects.terminal import dialog
from tests.host.projects.visitor import Page, Upload, Visitor, VisitorError
from tests.host.projects.workshop import Workshop
from tools.sandbox import Server

Json = dict[str, Any]
MEDIA = "/srv/codesensei/{slug}/shared/media"
# What Django's deployment checklist asks of settings that `startproject` has made: nothing that differs between
# machines stays in them.
DEPLOYED_SETTINGS = """
# Deployment
import os

import dj_database_url

if "SECRET_KEY" in os.environ:
    SECRET_KEY = os.environ["SECRET_KEY"]
    DEBUG = False
    ALLOWED_HOSTS = os.environ["ALLOWED_HOSTS"].split(",")
DATABASES = {"default": dj_database_url.config(default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}", conn_max_age=60)}
STATIC_ROOT = BASE_DIR / "staticfiles"
MEDIA_ROOT = os.environ.get("MEDIA_ROOT", BASE_DIR / "media")
MEDIA_URL = "media/"
"""
DATABASE_PACKAGES = ("dj-database-url==3.1.2", "psycopg[binary]>=3.2")


@dataclass
class Person:
    """Somebody who may log in to the admin: with a browser, and with a shell on the server."""

    server: Server
    visitor: Visitor
    slug: str
    name: str = "ada"
    email: str = "ada@people.example"
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12))

    def manage(self, words: str) -> str:
        """Run the contract's helper as root; returns what it prints."""
        return self.server.console(f"/srv/codesensei/{self.slug}/manage {words}", timeout=120).stdout

    def get(self, path: str) -> Page:
        """A page that must be there."""
        return self.visitor.get(path).expect(200)

    def fill(
        self, path: str, form: str, values: Mapping[str, str | list[str]], files: Mapping[str, Upload] | None = None
    ) -> Page:
        """Open the page, fill in the form that has the field `form`, send it; the page that comes then."""
        return self.visitor.submit(self.get(path), form, values, files).expect(200)


class Project(ABC):
    """One project. What `use` returns is what `find` must find again, on the same site and much later."""

    slug: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]
    style: ClassVar[tuple[str, str, str]]
    """An element of the first page, and a style that it has only where the project's own sheet is applied."""
    settings: ClassVar[str] = "mysite.settings"
    first_page: ClassVar[str] = "/"
    admin: ClassVar[str] = "/admin/"
    scheme: ClassVar[str] = "http"

    @abstractmethod
    def make(self, workshop: Workshop, debian: int) -> None:
        """Run the generator, and make the changes that a deploy needs."""

    @abstractmethod
    def improve(self, workshop: Workshop) -> str:
        """Change what the first page says, for the next commit; returns the text that must be on it."""

    @abstractmethod
    def use(self, person: Person) -> Json:
        """Create an object, upload a file, run a task where the project has any."""

    @abstractmethod
    def find(self, person: Person, used: Json) -> None:
        """Raise unless everything that `use` made is there."""

    def look(self, tab: Tab, person: Person) -> None:  # noqa: B027  # most have nothing more
        """Whatever else must work in a browser on the first page."""

    def project_config(self) -> Json:
        """What the stack file says below `project`, beside what all of them say."""
        return {}

    def more_config(self) -> Json:
        """What the stack file says beside it."""
        return {}

    def config(self, hostname: str) -> Json:
        """The stack file's content, but for the server and the source."""
        return {
            "codesensei:project": {
                "slug": self.slug,
                "name": f"The {self.slug} project",
                "settingsModule": self.settings,
                "user": self.slug,
                "mediaServing": "proxy",
                "stopTimeout": {"web": 10, "workers": 10},
                **self.project_config(),
            },
            "codesensei:domains": [hostname],
            "codesensei:env": {
                "ALLOWED_HOSTS": hostname,
                "MEDIA_ROOT": MEDIA.format(slug=self.slug),
                "GUNICORN_WORKERS": "2",
            },
            "codesensei:generateSecrets": ["SECRET_KEY"],
            **self.more_config(),
        }

    def superuser(self, person: Person) -> list[tuple[str, str]]:
        """What `createsuperuser` asks at the terminal, and the answers."""
        return [
            ("Username", person.name),
            ("Email", person.email),
            ("Password:", person.password),
            ("Password (again):", person.password),
        ]

    def create_superuser(self, person: Person) -> None:
        """Make the account with the helper on the server, at a terminal."""
        shown = dialog(person.server, f"/srv/codesensei/{self.slug}/manage createsuperuser", self.superuser(person))
        assert "Superuser created successfully." in shown, shown
        assert person.password not in shown, "the password is shown at the terminal"

    def log_in(self, person: Person) -> None:
        """Log in through the admin's form, where a wrong password opens nothing."""
        login = person.get(self.admin)
        refused = person.visitor.submit(login, "password", {"username": self.login(person), "password": "wrong"})
        if person.visitor.cookie("sessionid"):
            raise VisitorError(f"a wrong password opens a session:\n{refused.body[:2000]}")
        values = {"username": self.login(person), "password": person.password}
        page = person.visitor.submit(refused, "password", values).expect(200)
        if not person.visitor.cookie("sessionid"):
            raise VisitorError(f"no session after the log-in:\n{page.body[:2000]}")

    def login(self, person: Person) -> str:
        """What the person types as a user name."""
        return person.name


def picture() -> bytes:
    """A PNG of one colour that no other has."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    side = 64
    rows = (b"\0" + secrets.token_bytes(3) * side) * side
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
