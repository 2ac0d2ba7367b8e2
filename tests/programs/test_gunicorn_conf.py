"""gunicorn's settings: the project's own, without what is not the project's to decide."""

from __future__ import annotations

import os
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codesensei.programs import gunicorn_conf
from codesensei.scripts.release.settings import ASKING

FILE = Path(gunicorn_conf.__file__)
CANDIDATE = FILE.with_name("gunicorn_candidate.py")
HOSTILE = Path(__file__).parents[1] / "host/desk/backend/gunicorn.conf.py"
# What the hostile one sets, and has no business to.
DECIDED = {
    *("bind", "chdir", "daemon", "user", "group", "pidfile", "reload", "reuse_port", "certfile", "proxy_protocol"),
    *("check_config", "graceful_timeout", "accesslog", "errorlog"),
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GUNICORN_CMD_ARGS", raising=False)
    monkeypatch.delenv("GUNICORN_WORKERS", raising=False)
    return tmp_path


def settings() -> dict[str, Any]:
    return runpy.run_path(str(FILE))


def test_a_project_without_its_own(project: Path) -> None:
    found = settings()
    assert (found["workers"], found["forwarded_allow_ips"]) == (3, "*")
    assert set(found) & DECIDED == set()


@pytest.mark.proves("web.gunicorn-conf")
def test_a_hostile_one_keeps_its_harmless_settings(project: Path) -> None:
    (project / "gunicorn.conf.py").write_text(HOSTILE.read_text())
    found = settings()
    assert set(found) & DECIDED == set()
    assert found["workers"] == 3
    assert (found["timeout"], found["threads"], found["forwarded_allow_ips"]) == (77, 2, "198.51.100.1")
    assert found["raw_env"] == ["FROM_CONF=kept"]
    assert callable(found["post_worker_init"])


def test_a_hook_keeps_the_names_of_its_file(project: Path) -> None:
    (project / "gunicorn.conf.py").write_text("_name = 'x'\nname = 'y'\ndef on_starting(server): return _name, name\n")
    assert settings()["on_starting"](None) == ("x", "y")


@pytest.mark.parametrize(
    "words",
    ["-c other.py", "--config other.py", "--config=other.py", "--config file:other.py", "--timeout 5 -c python:other"],
)
def test_the_place_that_a_variable_names(project: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    (project / "gunicorn.conf.py").write_text("timeout = 1\n")
    (project / "other.py").write_text("timeout = 2\nbind = 'x'\n")
    monkeypatch.setenv("GUNICORN_CMD_ARGS", words)
    monkeypatch.syspath_prepend(project)
    assert settings()["timeout"] == 2
    assert "bind" not in settings()


@pytest.mark.parametrize(("value", "workers"), [("7", 7), ("", 3)])
def test_workers_are_of_the_variable(project: Path, monkeypatch: pytest.MonkeyPatch, value: str, workers: int) -> None:
    monkeypatch.setenv("GUNICORN_WORKERS", value)
    assert settings()["workers"] == workers


def test_one_that_cannot_be_run_says_so(project: Path) -> None:
    (project / "gunicorn.conf.py").write_text("import no_such_module\n")
    with pytest.raises(ModuleNotFoundError):
        settings()
    assert os.getcwd() == str(project)


def asked(headers: list[tuple[str, str]]) -> Any:
    """A request with these headers, after the hook that runs before each."""
    request = SimpleNamespace(headers=headers, proxy_protocol_info=None, method="GET", path="/")
    worker = SimpleNamespace(log=SimpleNamespace(debug=lambda *_: None))
    settings()["pre_request"](worker, request)
    return request


@pytest.mark.parametrize(("address", "protocol"), [("198.51.100.7", "TCP4"), ("2001:db8::7", "TCP6")])
def test_a_request_has_its_client_s_address(project: Path, address: str, protocol: str) -> None:
    told = asked([("HOST", "shop.example.com"), ("X-REAL-IP", address)]).proxy_protocol_info
    assert (told["client_addr"], told["proxy_protocol"]) == (address, protocol)


@pytest.mark.parametrize("headers", [[], [("X-REAL-IP", "")], [("X-REAL-IP", "unix:")], [("X-REAL-IP", "a, b")]])
def test_no_address_is_invented(project: Path, headers: list[tuple[str, str]]) -> None:
    assert asked(headers).proxy_protocol_info is None


@pytest.mark.parametrize("own", ["def pre_request(worker, req): req.seen = True\n", "pre_request = 'hooks.mark'\n"])
def test_the_project_s_own_hook_runs_too(project: Path, monkeypatch: pytest.MonkeyPatch, own: str) -> None:
    (project / "gunicorn.conf.py").write_text(own)
    (project / "hooks.py").write_text("def mark(worker, req): req.seen = True\n")
    monkeypatch.syspath_prepend(project)
    request = asked([("X-REAL-IP", "198.51.100.7")])
    assert request.seen
    assert request.proxy_protocol_info["client_addr"] == "198.51.100.7"


def starting(place: Path, module: str) -> None:
    """A candidate's gunicorn is about to start with workers of a class whose parent is in this module."""
    for name, program in {
        "live.py": FILE,
        "candidate.py": FILE.with_name("candidate.py"),
        **{script.name: script for script in ASKING},
    }.items():
        (place / name).write_text(program.read_text())
    (place / "gunicorn_candidate.py").write_text(CANDIDATE.read_text())
    parent = type("UvicornWorker", (), {"__module__": module})
    server = SimpleNamespace(worker_class=type("Worker", (parent,), {"__module__": "shop.workers"}), seen=False)
    runpy.run_path(str(place / "gunicorn_candidate.py"))["on_starting"](server)
    assert server.seen


@pytest.mark.proves("web.gunicorn-conf")
@pytest.mark.parametrize("own", ["def on_starting(server): server.seen = True\n", "on_starting = 'marks.mark'\n"])
def test_a_candidate_runs_no_workers_of_uvicorns(project: Path, monkeypatch: pytest.MonkeyPatch, own: str) -> None:
    """Wherever they are set: in a file, in a variable, or in a class of the project's own."""
    (project / "gunicorn.conf.py").write_text(own)
    (project / "marks.py").write_text("def mark(server): server.seen = True\n")
    monkeypatch.syspath_prepend(project)
    starting(project, "gunicorn.workers.sync")
    starting(project, "uvicorn_workers_of_ours")
    for module in ("uvicorn.workers", "uvicorn_worker", "uvicorn_worker._workers"):
        with pytest.raises(
            SystemExit, match=rf"^gunicorn\.conf\.py: worker_class is {module}.UvicornWorker, which is refused"
        ):
            starting(project, module)
