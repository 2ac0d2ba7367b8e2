"""A candidate of each web server says what it serves with, as soon as it has loaded the project."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codesensei.programs import gunicorn_conf
from codesensei.scripts.release.settings import ASKING

PROGRAMS = Path(gunicorn_conf.__file__).parent
SECONDS = 30.0
DJANGO = """
def get_version():
    return "5.2"
"""
CONF = """
class settings:
    SETTINGS_MODULE = "shop.dev"
    DATABASES = {"default": {"ENGINE": "x.sqlite3", "NAME": "db", "PASSWORD": "secret-word"}}
    ALLOWED_HOSTS, INSTALLED_APPS, DEBUG, MEDIA_ROOT = ["*"], [], True, "/media"
    EMAIL_HOST, CITY, TITLE = "localhost", "Ghent, Belgium", "The Shop"
"""
# Loaded by the web server: changes variables as a committed .env does, and ends when it has been asked.
SHOP = """
import os
os.environ["GREETING"] = "from a file"
os.environ.pop("GONE", None)
async def application(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
"""
GIVEN = {"GREETING": "Hello", "GONE": "x", "KEPT": "y", "EMAIL_HOST": "mail.example.org", "CITY": "Ghent", "TITLE": ""}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a project, its HOME, and the programs of a candidate."""
    for name, text in {
        "django/__init__.py": DJANGO,
        "django/conf.py": CONF,
        "shop.py": SHOP,
        "programs/candidate.py": (PROGRAMS / "candidate.py").read_text(),
        **{f"programs/{script.name}": script.read_text() for script in ASKING},
        "home/x": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def bring(place: Path, program: str, live: str) -> Path:
    path = place / "programs" / program
    path.write_text((PROGRAMS / program).read_text())
    (place / "programs/live.py").write_text(live)
    return path


def run(place: Path, *words: str) -> subprocess.Popen[bytes]:
    variables = {"PATH": os.environ["PATH"], "HOME": str(place / "home"), "PYTHONPATH": str(place), **GIVEN}
    return subprocess.Popen([sys.executable, "-B", *words], cwd=place, env=variables, start_new_session=True)


def said(place: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place / "home/settings.json").read_text())
    return found


def check(place: Path) -> None:
    known = said(place)
    assert (known["settingsModule"], known["debug"], known["mediaRoot"]) == ("shop.dev", True, "/media")
    # Not those that are part of a setting, nor those that nobody has changed.
    assert set(known["overridden"]) & set(GIVEN) == {"GREETING", "GONE", "EMAIL_HOST"}
    assert "secret-word" not in json.dumps(known)
    # Another process of the candidate may be writing the same.
    deadline = time.monotonic() + SECONDS
    while list((place / "home").glob("settings.json.*")):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def ended() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.proves("switch.same-settings")
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.slow
def test_uvicorn(place: Path, ended: list[subprocess.Popen[bytes]], workers: str) -> None:
    program = bring(place, "uvicorn_candidate.py", (PROGRAMS / "serve_uvicorn.py").read_text())
    ended.append(run(place, str(program), "access.log", "--workers", workers, "--uds", "web.sock", "shop:application"))
    deadline = time.monotonic() + SECONDS
    while not (place / "home/settings.json").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    check(place)


@pytest.mark.proves("switch.same-settings")
def test_daphne(place: Path) -> None:
    """What its own program does when it has loaded the application: it makes a server and lets it run."""
    (place / "daphne").mkdir()
    (place / "daphne/__init__.py").touch()
    (place / "daphne/server.py").write_text("class Server:\n    def run(self): print('listens')\n")
    live = "import daphne.server, shop\nassert __name__ == '__main__'\ndaphne.server.Server().run()\n"
    assert run(place, str(bring(place, "daphne_candidate.py", live))).wait(SECONDS) == 0
    check(place)


@pytest.mark.proves("switch.same-settings")
@pytest.mark.parametrize(
    "own", ["def post_worker_init(worker): worker.seen = True\n", "post_worker_init = 'own.mark'\n", ""]
)
def test_gunicorn(place: Path, own: str) -> None:
    """gunicorn reads its settings from the program, loads the application and calls a hook."""
    (place / "gunicorn.conf.py").write_text(own)
    (place / "own.py").write_text("def mark(worker): worker.seen = True\n")
    program = bring(place, "gunicorn_candidate.py", (PROGRAMS / "gunicorn_conf.py").read_text())
    code = (
        "import runpy, types; worker = types.SimpleNamespace(seen=False)\n"
        f"found = runpy.run_path({str(program)!r}, run_name='__config__')\n"
        "import shop; found['post_worker_init'](worker)\n"
        f"assert worker.seen is {bool(own)}; assert found['workers'] == 3\n"
    )
    assert run(place, "-c", code).wait(SECONDS) == 0
    check(place)


def test_a_project_that_says_nothing_serves_all_the_same(place: Path) -> None:
    (place / "django/conf.py").write_text("settings = None\n")
    live = "import daphne.server, shop\ndaphne.server.Server().run()\n"
    (place / "daphne").mkdir()
    (place / "daphne/__init__.py").touch()
    (place / "daphne/server.py").write_text("class Server:\n    def run(self): print('listens')\n")
    assert run(place, str(bring(place, "daphne_candidate.py", live))).wait(SECONDS) == 0
    assert not (place / "home/settings.json").exists()
