"""The candidate: which release it runs, how many processes it gets, and what it leaves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codesensei.scripts.base import host, units
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.visits import Answer, Door, Visit
from codesensei.scripts.release import jobs
from codesensei.scripts.release.release import Release
from codesensei.scripts.serving import candidate, said
from codesensei.scripts.serving.candidate import fitting_workers
from codesensei.scripts.serving.health import Question
from codesensei.wire import paths
from codesensei.wire.manifest import Unit
from codesensei.wire.paths import ServerPaths
from tests.scripts.manifests import PROJECT, manifest

MEBIBYTE = 2**20
WORKER = Unit(name="shop-worker.service", kind="worker", stop_timeout=600)


@pytest.mark.parametrize(
    ("wanted", "beside", "used", "available", "fitting"),
    [
        (3, 1, 400, 4000, 3),
        (3, 1, 400, 500, 3),
        (3, 1, 400, 400, 2),
        (3, 2, 400, 500, 2),
        (3, 2, 400, 700, 3),
        (3, 1, 400, 150, 1),
        (3, 2, 400, 0, 1),
        (1, 1, 100, 50, 1),
        (8, 1, 0, 100, 8),
    ],
)
def test_processes_fit_into_what_is_free(wanted: int, beside: int, used: int, available: int, fitting: int) -> None:
    assert fitting_workers(wanted, beside, used * MEBIBYTE, available * MEBIBYTE) == fitting


@pytest.mark.parametrize(
    ("workers", "used", "others", "words"),
    [
        (3, "[not set]", (), "--workers 3"),
        (3, str(400 * MEBIBYTE), (), "--workers 3"),
        (3, str(400 * MEBIBYTE), (WORKER,), "--workers 2"),
        (None, "1", (WORKER,), "--workers @workers@"),
    ],
)
def test_the_unit_runs_the_release_that_is_proved_with_what_fits(
    monkeypatch: pytest.MonkeyPatch, workers: int | None, used: str, others: tuple[Unit, ...], words: str
) -> None:
    monkeypatch.setattr(candidate, "systemctl", lambda *words, check: Result(f"{used}\n", "", 0))
    monkeypatch.setattr(host, "available_memory", lambda: 500 * MEBIBYTE)
    wanted = manifest()
    web = tuple(unit for unit in wanted.units if unit.kind != "worker")
    wanted = replace(wanted, units=(*web, *others), candidate=replace(wanted.candidate, workers=workers))
    release = Release(PROJECT, "4f2a9c1-8be01d7", "deploy", ".", "x")
    assert candidate.unit_text(release, wanted) == f"[Service]\nExecStart=web {words} 4f2a9c1-8be01d7\n"


@pytest.fixture
def machine(server: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every call of systemctl; nothing listens."""
    monkeypatch.setattr(paths, "SERVER", ServerPaths.below(server))
    for path in (paths.SERVER.runtime_units, paths.SERVER.candidates.parent, paths.SERVER.locks, PROJECT.root):
        path.mkdir(parents=True, exist_ok=True)
    calls: list[str] = []

    def systemctl(*words: str, check: bool = True) -> Result:
        calls.append(" ".join(words))
        return Result("", "", 0)

    monkeypatch.setattr(candidate, "systemctl", systemctl)
    monkeypatch.setattr(units, "systemctl", systemctl)
    return calls


def test_a_candidate_leaves_nothing(machine: list[str], make_step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = paths.SERVER.locks / "credentials-shop.env"

    def write() -> Path:
        credentials.write_text("X=1\n")
        return credentials

    monkeypatch.setattr(jobs, "write_credentials", lambda release: write())
    step = make_step("switch", data=manifest())
    unit = paths.SERVER.runtime_units / "codesensei-candidate-shop.service"
    with candidate.running(step, Release(PROJECT, "4f2a9c1-8be01d7", "deploy", ".", "x")):
        drop_in = unit.parent / f"{unit.name}.d" / "server.conf"
        assert drop_in.read_text() == f"[Service]\nEnvironmentFile={credentials}\n"
        assert (PROJECT.candidate_programs / "gunicorn_conf.py").exists()
        candidate.end_orphan(step)
    assert step.said == [f"ending {unit.name}, left by an interrupted run"]
    assert [path for path in (unit, drop_in.parent, PROJECT.candidate_programs, credentials) if path.exists()] == []
    candidate.end_orphan(step)
    assert len(step.said) == 1


def test_a_candidate_that_cannot_be_stopped_is_found_by_the_next_run(
    machine: list[str], make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = paths.SERVER.runtime_units / "codesensei-candidate-shop.service"
    unit.write_text("")
    monkeypatch.setattr(candidate, "systemctl", lambda *words, check=True: Result("", "", 1))
    step = make_step("switch", data=manifest())
    candidate.end_orphan(step)
    assert unit.exists()


@pytest.mark.proves("config.health-check")
def test_each_hostname_has_the_time_of_the_health_check_for_itself(
    machine: list[str], make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long those before it took."""
    wanted = manifest()
    hosts = tuple(f"club{number}.example.com" for number in range(5))
    wanted = replace(wanted, health=replace(wanted.health, hosts=hosts, timeout=5))
    now, asked = [1000.0], list[tuple[str, float]]()

    def ask(question: Question, door: Door, seconds: float) -> Visit:
        asked.append((question.host, seconds))
        now[0] += 4.0
        return Visit((Answer(200, url=question.url),))

    monkeypatch.setattr(candidate, "time", SimpleNamespace(time=lambda: now[0]))
    monkeypatch.setattr(Question, "ask", ask)
    monkeypatch.setattr(said, "hold", lambda step, release: None)
    PROJECT.candidate_socket.parent.mkdir(parents=True, exist_ok=True)
    PROJECT.candidate_socket.touch()
    release = Release(PROJECT, "4f2a9c1-8be01d7", "deploy", ".", "x")
    assert candidate.prove(make_step("switch", data=wanted), release, 1000.0) == 20.0
    assert asked == [(name, 5.0) for name in hosts]
