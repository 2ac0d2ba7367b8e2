"""A reload has happened when the old workers no longer accept, not when the signal is sent."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import nginx
from codesensei.scripts.base.commands import Result
from codesensei.wire import paths

MASTER = "100"


class Processes:
    """nginx's processes as /proc shows them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / MASTER / "task" / MASTER).mkdir(parents=True)

    def show(self, **titles: str) -> None:
        for name, title in titles.items():
            place = self.folder / name.removeprefix("p")
            place.mkdir(exist_ok=True)
            (place / "cmdline").write_text(f"nginx: {title}\0")
        children = " ".join(name.removeprefix("p") for name in titles)
        (self.folder / MASTER / "task" / MASTER / "children").write_text(children)


@pytest.fixture
def processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Processes:
    made = Processes(tmp_path)
    monkeypatch.setattr(paths, "SERVER", replace(paths.SERVER, processes=tmp_path))
    return made


def test_it_waits_until_the_old_workers_end(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    processes.show(p1="worker process", p2="worker process")
    told = threading.Event()

    def systemctl(*words: str, check: bool = True) -> Result:
        if words[0] == "reload":
            told.set()
        return Result(f"{MASTER}\n", "", 0)

    monkeypatch.setattr(nginx, "systemctl", systemctl)
    waiting = threading.Thread(target=nginx.reload)
    waiting.start()
    assert told.wait(5)
    processes.show(p1="worker process is shutting down", p2="worker process", p3="worker process")
    waiting.join(0.2)
    assert waiting.is_alive()
    processes.show(p1="worker process is shutting down", p3="worker process")
    waiting.join(5)
    assert not waiting.is_alive()


@pytest.mark.parametrize(("start", "said"), [(False, []), (True, ["start"])])
def test_a_stopped_one_is_started_on_demand_alone(
    monkeypatch: pytest.MonkeyPatch, start: bool, said: list[str]
) -> None:
    calls: list[str] = []

    def systemctl(*words: str, **options: Any) -> Result:
        calls.append(words[0])
        return Result("", "", int(words[0] == "is-active"))

    monkeypatch.setattr(nginx, "systemctl", systemctl)
    nginx.reload(start=start)
    assert calls == ["is-active", *said]
