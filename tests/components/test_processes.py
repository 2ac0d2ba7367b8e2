"""What the switch is given of the processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pulumi.runtime import mocks

from codesensei.config import Stack, StackConfig
from codesensei.config.load import Secrets
from codesensei.render.programs import program
from codesensei.webservers import SERVERS
from codesensei.wire.manifest import Candidate, File, Unit
from components.processes import Processes, web_workers
from tests.components import recorder
from tests.source.test_code import HOST_KEY


def config(env: dict[str, str] | None = None, secret: tuple[str, ...] = (), **project: Any) -> StackConfig:
    source = {"path": ".", "revision": "main"}
    return StackConfig.model_validate(
        {
            "server": {"host": "203.0.113.7", "hostKey": HOST_KEY},
            "project": {"slug": "shop", "source": source, "settingsModule": "config.settings", **project},
            "env": env or {},
            "secretEnv": secret,
        }
    )


def processes(server: str, given: StackConfig) -> Processes:
    made: list[Processes] = []
    settings = replace(recorder.code().settings, django_directory="backend")
    code = recorder.code(server=SERVERS[server], settings=settings)
    # Database, broker and names are none of its business.
    stack = Stack(given, Secrets({}), "acme/codesensei/stack", None, None, ())  # type: ignore[arg-type]

    def declare() -> None:
        made.append(Processes(stack=stack, code=code))

    run: Callable[[], None] = mocks.test(declare)  # type: ignore[no-untyped-call]
    run()
    return made[0]


@pytest.mark.proves("web.unit", "workers.unit")
def test_all_that_runs() -> None:
    made = processes("gunicorn", config(workers={"mail": {"command": "celery -A x worker", "singleton": True}}))
    assert made.homes == ("web", "mail")
    assert made.units == [
        Unit(name="shop.socket", kind="socket", stop_timeout=40),
        Unit(name="shop.service", kind="web", stop_timeout=40),
        Unit(name="shop-mail.service", kind="worker", stop_timeout=600, singleton=True, command="celery -A x worker"),
    ]
    found = {file.path: file for file in made.files}
    assert set(found) == {
        *(f"/etc/systemd/system/shop{name}" for name in (".socket", ".service", "-mail.service")),
        *(f"/etc/codesensei/shop/programs/{name}" for name in ("gunicorn_conf.py", "stop_worker.sh")),
        "/etc/codesensei/shop/workers/mail.sh",
        "/etc/logrotate.d/codesensei-shop",
    }
    for path, renews in (
        ("/etc/codesensei/shop/programs/gunicorn_conf.py", "shop.service"),
        ("/etc/codesensei/shop/programs/stop_worker.sh", ""),
        ("/etc/codesensei/shop/workers/mail.sh", "shop-mail.service"),
    ):
        file = found[path]
        assert file == File(path=path, content=file.content, mode="0640", group="deploy", renews=renews)
    assert (
        "WorkingDirectory=/srv/codesensei/shop/current/backend\n" in found["/etc/systemd/system/shop.service"].content
    )


@pytest.mark.proves("workers.stop-signal", "config.stop-timeout")
@pytest.mark.parametrize(
    ("worker", "lines"),
    [
        ("celery -A x worker", ["TimeoutStopSec=90"]),
        ("manage.py run_huey", ["KillSignal=SIGINT", "SuccessExitStatus=SIGINT", "TimeoutStopSec=90"]),
        ({"command": "manage.py run_huey", "stopSignal": "SIGTERM"}, ["TimeoutStopSec=90"]),
        (
            {"command": "./work.sh", "stopSignal": "usr1", "stopTimeout": 7},
            ["KillSignal=SIGUSR1", "SuccessExitStatus=SIGUSR1", "TimeoutStopSec=7"],
        ),
    ],
)
def test_how_a_worker_is_stopped(worker: object, lines: list[str]) -> None:
    made = processes("gunicorn", config(workers={"mail": worker}, stopTimeout={"workers": 90}))
    text = next(file.content for file in made.files if file.path.endswith("shop-mail.service"))
    assert text.partition("KillMode=mixed\n")[2].partition("TasksMax=")[0].splitlines() == lines
    signal = lines[0].removeprefix("KillSignal=")
    told = f"-s {signal} $MAINPID\n" if "SIG" in signal else "stop_worker.sh $MAINPID\n"
    assert told in text
    assert made.units[-1].stop_timeout == int(lines[-1].partition("=")[2])


@pytest.mark.proves("processes.resources", "processes.loosened")
def test_what_the_processes_may_use_and_do() -> None:
    own = {"command": "work", "resources": {"memoryMax": "256M"}}
    bounds = {"web": {"memoryHigh": "400M", "memoryMax": "500M"}, "workers": {"tasksMax": 64, "cpuWeight": 20}}
    sandbox = {"PrivateTmp": False, "ReadWritePaths": ["/mnt/x"]}
    made = processes("gunicorn", config(workers={"mail": own, "beat": "tick"}, resources=bounds, sandbox=sandbox))
    found = {file.path.rpartition("/")[2]: file.content.splitlines() for file in made.files}
    web, mail, beat = (found[f"shop{name}.service"] for name in ("", "-mail", "-beat"))
    candidate = made.candidate.unit.splitlines()
    for unit in (web, candidate):
        assert {"MemoryHigh=400M", "MemoryMax=500M", "TasksMax=2048"} <= set(unit)
    assert {"MemoryMax=256M", "TasksMax=2048"} <= set(mail)
    assert {"TasksMax=64", "CPUWeight=20"} <= set(beat)
    assert [line for line in beat if line.startswith("Memory")] == []
    for unit in (web, mail, beat, candidate):
        assert [line for line in unit if "PrivateTmp" in line] == []
        (writable,) = (line for line in unit if line.startswith("ReadWritePaths="))
        assert writable.endswith(" /mnt/x /tmp /var/tmp")


def test_a_candidate_also_runs_with_what_is_refused_of_a_live_process() -> None:
    made = processes("gunicorn", config())
    live = next(file.content for file in made.files if file.path.endswith("gunicorn_conf.py"))
    assert live == program("gunicorn_conf.py")
    folder = "/run/codesensei-candidate/shop.programs"
    texts = {
        "gunicorn_conf.py": program("gunicorn_candidate.py"),
        "live.py": live,
        "candidate.py": program("candidate.py"),
    }
    files = tuple(File(path=f"{folder}/{name}", content=text) for name, text in texts.items())
    assert made.candidate == Candidate(unit=made.candidate.unit, files=files, workers=3)
    assert " --workers @workers@ " in made.candidate.unit


@pytest.mark.proves("web.workers", "asgi.uvicorn")
@pytest.mark.parametrize(
    ("server", "env", "secret", "count"),
    [
        ("gunicorn", {}, (), 3),
        ("gunicorn", {"GUNICORN_WORKERS": "5"}, (), 5),
        ("gunicorn", {"GUNICORN_WORKERS": "'5'"}, (), 5),
        ("gunicorn", {"WEB_CONCURRENCY": "auto"}, (), 3),
        ("gunicorn", {}, ("GUNICORN_WORKERS",), None),
        ("daphne", {"GUNICORN_WORKERS": "5", "WEB_CONCURRENCY": "5"}, (), None),
        ("uvicorn", {"GUNICORN_WORKERS": "5"}, (), 1),
        ("uvicorn", {"WEB_CONCURRENCY": "2"}, (), 2),
        ("uvicorn", {}, ("WEB_CONCURRENCY",), None),
    ],
)
def test_how_many_serve(server: str, env: dict[str, str], secret: tuple[str, ...], count: int | None) -> None:
    given = config(env, secret)
    assert web_workers(given, SERVERS[server]) == count
    assert processes(server, given).candidate.workers == count
