"""The chat of the Channels tutorial: Daphne, WebSockets, a channel layer in Redis."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from websockets.sync.client import connect
from websockets.sync.connection import Connection

from tests.host.projects import startproject
from tests.host.projects.chromium import Tab
from tests.host.projects.project import Json, Person, Project
from tests.host.projects.workshop import Workshop

CHANNELS = """
ASGI_APPLICATION = "mysite.asgi.application"
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"hosts": [os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")]},
    },
}
"""
SECONDS = 30.0


class Chat(Project):
    """Served by Daphne because the settings declare ASGI_APPLICATION."""

    slug = "chat"
    packages = ("channels[daphne]~=4.3", "channels-redis~=4.3", *startproject.DJANGO)
    first_page = "/chat/"
    style: ClassVar = ("label", "color", "rgb(128, 0, 0)")

    def make(self, workshop: Workshop, debian: int) -> None:
        """The tutorial, and an app for uploads."""
        startproject.start(workshop, ("chat", "library"))
        workshop.copy("chat", "library")
        startproject.install(workshop, "daphne", "chat", "library")
        startproject.route(workshop, "path('chat/', include('chat.urls'))")
        startproject.finish(workshop)
        workshop.append(startproject.SETTINGS, CHANNELS)

    def more_config(self) -> Json:
        """A number of the broker for the channel layer."""
        return {"codesensei:broker": {"env": {"REDIS_URL": "url"}}}

    def improve(self, workshop: Workshop) -> str:
        """Another question."""
        workshop.edit("chat/templates/chat/index.html", "Which room?", "Which room would you like?")
        return "Which room would you like?"

    def use(self, person: Person) -> Json:
        """A group of users, a document, a talk."""
        group = f"Friends {secrets.token_hex(4)}"
        person.fill("/admin/auth/group/add/", "name", {"name": group}).expect(200, "was added successfully")
        self._talk(person)
        return {"group": group, "document": startproject.upload_document(person)}

    def find(self, person: Person, used: Json) -> None:
        """The group, the document, and that people can talk."""
        person.get("/admin/auth/group/").expect(200, used["group"])
        startproject.find_document(person, used["document"])
        self._talk(person)

    def _talk(self, person: Person) -> None:
        """What one says in a room, all in it hear, and nobody else does."""
        words, later = secrets.token_hex(4), secrets.token_hex(4)
        with enter(person, "lobby") as one, enter(person, "lobby") as other, enter(person, "cellar") as elsewhere:
            say(one, words)
            assert hear(one) == words
            assert hear(other) == words
            say(elsewhere, later)
            assert hear(elsewhere) == later

    def look(self, tab: Tab, person: Person) -> None:
        """A talk between somebody with the browser and somebody else."""
        words, answer = secrets.token_hex(4), secrets.token_hex(4)
        with enter(person, "salon") as other:
            tab.open(f"{person.visitor.origin}/chat/salon/")
            tab.until("document.querySelector('#chat-log').dataset.open")
            tab.evaluate(f"document.querySelector('#chat-message-input').value = 'I say {words}'")
            tab.evaluate("document.querySelector('#chat-message-submit').click()")
            assert hear(other) == f"I say {words}"
            say(other, f"I answer {answer}")
            tab.until(f"document.querySelector('#chat-log').value.includes('I answer {answer}')")


@contextmanager
def enter(person: Person, room: str) -> Iterator[Connection]:
    """A WebSocket to a room, through the proxy."""
    visitor = person.visitor
    plain = socket.create_connection((visitor.address, 80), SECONDS)
    url = f"ws://{visitor.hostname}/ws/chat/{room}/"
    with connect(url, sock=plain, origin=visitor.origin, open_timeout=SECONDS) as connection:  # type: ignore[arg-type]
        yield connection


def say(connection: Connection, words: str) -> None:
    """Send a message as the page's script does."""
    connection.send(json.dumps({"message": words}))


def hear(connection: Connection) -> str:
    """The next message of the room."""
    return str(json.loads(connection.recv(timeout=SECONDS))["message"])
