"""What is known of each web server, and that a new one is one file."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from codesensei.render.programs import program
from codesensei.webservers import SERVERS, Process, WebServer, web_server
from codesensei.webservers.base import START_LOGGED

ROOT = Path(__file__).parents[2]
# A server that nobody has heard of, with everything of its own.
MODULE = """
from codesensei.webservers.base import WebServer
from codesensei.wire.steps import WebServerPackage

SERVER = WebServer(
    interfaces=("asgi",),
    package=WebServerPackage(name="swan", version="1.0"),
    command=lambda process: [[f"{process.programs}/swan", process.socket, process.workers], [process.application]],
    workers_variable="SWANS",
    default_workers=7,
    reopen_signal="USR2",
    noise="honk",
)
"""
# All that the product does with it: config, schema, commit, units, rotation, errors.
USE = """
import json, sys
from pathlib import Path
from types import SimpleNamespace

from codesensei.config import StackConfig, schema
from codesensei.render import rotation, units
from codesensei.remote import toolkit
from codesensei.scripts.base import excerpt
from codesensei.webservers import web_server
from codesensei.wire.paths import ProjectPaths
from components.processes import web_workers

source = {"path": ".", "revision": "main"}
config = StackConfig.model_validate({
    "server": {"host": "203.0.113.7", "hostKey": sys.argv[1]},
    "project": {"slug": "shop", "source": source, "settingsModule": "config.settings", "server": "swan"},
})
server = web_server(config.project.server, "asgi")
paths = ProjectPaths("shop")
context = units.UnitContext(paths=paths, user="deploy", title="Shop", settings_module="config.settings", directory=".")
web = units.Web(server=server, application="a:b", workers=web_workers(config, server), stop_timeout=40)
print(json.dumps({
    "schema": "swan" in schema.text(),
    "unit": units.web_unit(context, web),
    "candidate": units.candidate_unit(context, web),
    "rotation": rotation.logrotate(paths, user="deploy", server=server),
    "error": excerpt.last_lines("honk\\nwhy\\n", 9),
    "toolkit": "codesensei/webservers/swan.py" in toolkit.pack().bundle,
}))
"""
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeg8v5YoCtgoPJ83jBCs53tPoFqv/okNt4s5bQHsXEI"


@pytest.mark.slow
def test_a_new_server_is_one_file(tmp_path: Path) -> None:
    for folder in ("codesensei", "components"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "codesensei/webservers/swan.py").write_text(MODULE)
    done = subprocess.run(
        [sys.executable, "-B", "-c", USE, HOST_KEY], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
    found = json.loads(done.stdout)
    venv = "/srv/codesensei/shop/shared/venv"
    assert f"ExecStart={venv}/bin/swan /srv/codesensei/shop/shared/gunicorn.sock 7 \\\n  a:b\n" in found["unit"]
    assert "/hand-over/candidate/web.sock @workers@ \\\n" in found["candidate"]
    assert "kill --signal=USR2 " in found["rotation"]
    assert (found["schema"], found["error"], found["toolkit"]) == (True, ["why"], True)


def test_nothing_else_of_the_product_knows_a_server() -> None:
    """But the socket's name and gunicorn's variable, which are the contract's, and words of errors and packages."""
    known = re.compile("|".join(SERVERS), re.IGNORECASE)
    theirs = (
        "codesensei/webservers/",
        "codesensei/programs/",
        "codesensei/scripts/release/causes.py",
        "codesensei/source/missing.py",
    )
    found = {
        f"{name}: {line.strip()}"
        for folder in ("codesensei", "components")
        for path in sorted((ROOT / folder).rglob("*.*"))
        if path.suffix in (".py", ".j2", ".sh") and not (name := str(path.relative_to(ROOT))).startswith(theirs)
        for line in path.read_text().splitlines()
        if known.search(re.sub(r"gunicorn\.sock|GUNICORN_WORKERS|\"gunicorn-workers\"", "", line))
    }
    assert not found


@pytest.mark.proves("asgi.daphne", "asgi.server")
def test_each_interface_has_a_server_of_its_own() -> None:
    assert web_server("auto", "wsgi").name == "gunicorn"
    assert web_server("auto", "asgi").name == "daphne"
    assert web_server("uvicorn", "asgi").name == "uvicorn"
    defaults = [interface for server in SERVERS.values() if server.is_default for interface in server.interfaces]
    assert sorted(defaults) == ["asgi", "wsgi"]


def words(server: WebServer, *, workers: str = "", error_log: str = "") -> list[str]:
    process = Process(
        programs="/venv/bin",
        program="/programs/x.py",
        application="config.asgi:application",
        socket="/web.sock",
        workers=workers,
        access_log="/access.log",
        error_log=error_log,
        drain=35,
    )
    return [word for line in server.command(process) for word in line]


@pytest.mark.proves("asgi.uvicorn")
@pytest.mark.parametrize("server", SERVERS.values(), ids=list(SERVERS))
def test_a_command_says_all_that_it_is_told(server: WebServer) -> None:
    live, candidate = words(server, workers="5", error_log="/error.log"), words(server, workers="5")
    for command in (live, candidate):
        assert command[-1] == "config.asgi:application"
        assert {"/access.log", "/programs/x.py", "35"} <= set(command)
        assert ("5" in command) is bool(server.workers_variable)
    assert "/error.log" in live
    assert {"/web.sock", "unix:/web.sock"} & set(candidate)
    # Only a live process is passed a socket, and has a file for what it says.
    assert ({"systemd:domain=UNIX:index=0", "3"} & set(live)) or server.name == "gunicorn"
    assert START_LOGGED not in candidate
    assert "--workers" not in words(server, error_log="/error.log")


@pytest.mark.parametrize("server", SERVERS.values(), ids=list(SERVERS))
def test_its_programs_can_be_read(server: WebServer) -> None:
    for name in filter(None, (server.program, server.candidate_program)):
        compile(program(name), name, "exec")
    if server.close_code == 1012 and server.name == "daphne":
        assert "SERVICE_RESTART = 1012" in program(server.program)
