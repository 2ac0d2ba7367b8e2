"""Daphne and Uvicorn for a project whose settings declare ASGI_APPLICATION, WebSockets, and their end."""

from __future__ import annotations

import socket
import threading

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.host.debians import on_debian
from tests.host.desks import Desk
from tests.host.load import Load
from tools.trials.stack import eventually

pytestmark = [pytest.mark.host, on_debian(13)]

ROOT = "/srv/codesensei/desk"
ROUTING = """
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path

from jobs.models import Note
from jobs.socket import echo

application = ProtocolTypeRouter({"http": get_asgi_application(), "websocket": URLRouter([path("echo", echo)])})
"""
ASGI = """
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "desk.settings.production")
django.setup()

from desk.routing import application
"""
ECHO = """
import os


async def echo(scope, receive, send):
    while True:
        message = await receive()
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        elif message["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": f"{message['text']} {os.getpid()}"})
        else:
            return
"""
PRODUCTION = """
from .base import *

DEBUG = False
if INSTALLED_APPS:
    ASGI_APPLICATION = "desk.routing.application"
"""


def open_socket(desk: Desk) -> ClientConnection:
    """A WebSocket through the edge proxy."""
    stream = socket.create_connection((desk.server.host, 80), 60)
    return connect(f"ws://{desk.hostname}/echo", sock=stream, open_timeout=60, close_timeout=10)


DAPHNE = pytest.param("daphne", marks=[pytest.mark.full, pytest.mark.proves("asgi.daphne", "asgi.interface")])
UVICORN = pytest.param("uvicorn", marks=pytest.mark.proves("asgi.uvicorn", "asgi.server"))


@pytest.mark.proves("asgi.application", "asgi.websockets", "logs.rotation")
@pytest.mark.parametrize("name", [DAPHNE, UVICORN])
def test_a_channels_project(changing_desk: Desk, name: str) -> None:
    desk, server = changing_desk, changing_desk.server
    if name != "daphne":
        desk.set("project.server", name)
    requirements = (desk.repository / "requirements.txt").read_text()
    files = {
        # Celery's Redis transport imports packaging without requiring it; gunicorn and Daphne bring it along.
        "requirements.txt": f"{requirements}channels==4.3.2\npackaging==25.0\n",
        "backend/desk/routing.py": ROUTING,
        "backend/desk/asgi.py": ASGI,
        "backend/jobs/socket.py": ECHO,
        "backend/desk/settings/production.py": PRODUCTION,
    }
    desk.set("project.source.revision", desk.commit(files, subject="Talk over WebSockets"))
    with Load(desk) as load:
        done = desk.up()
    assert load.failed == []
    assert "ASGI_APPLICATION is set under a condition, and taken as set" in done.output
    assert "desk.asgi:application" in server.console("systemctl show -P ExecStart desk.service").stdout
    assert server.console(f"cat {ROOT}/shared/venv/bin/{name} | head -1").stdout.startswith("#!")
    told, seen = desk.asks_from()
    assert told == seen
    with open_socket(desk) as talk:
        talk.send("hello")
        assert talk.recv(30) == f"hello {desk.main_process()}"
    # The log that it has open is copied and emptied.
    server.console("logrotate --force /etc/logrotate.d/codesensei-desk")
    desk.asks()
    eventually(server, f"grep -q 'GET /' {ROOT}/shared/logs/access.log")
    # Another release: requests in progress are answered, WebSockets are told to come again.
    codes: list[int] = []
    talk = open_socket(desk)
    old = desk.main_process()
    desk.set("env.GREETING", "Good evening")
    listener = threading.Thread(target=lambda: codes.append(close_code(talk)), daemon=True)
    listener.start()
    with Load(desk) as load:
        desk.up()
    listener.join(30)
    assert load.failed == []
    assert load.lost() == set()
    assert codes == [1012]
    assert desk.main_process() != old
    with open_socket(desk) as again:
        again.send("back")
        assert again.recv(30) == f"back {desk.main_process()}"
    desk.up_without_changes()
    # What the stack config says wins over the settings.
    desk.set("project.interface", "wsgi")
    if name == "uvicorn":
        assert "uvicorn does not serve wsgi, which project.interface says" in desk.preview(succeed=False).said("error")
        desk.set("project.server", "auto")
    assert "gunicorn desk.wsgi:application, 2 workers" in desk.preview("--diff").output


def close_code(talk: ClientConnection) -> int:
    """The code with which the server ends a WebSocket."""
    try:
        talk.recv(300)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 0
    return -1
