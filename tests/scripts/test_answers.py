"""What the server answers to a person's commands."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import locks, proofs, units
from codesensei.scripts.base.units import UnitState
from codesensei.scripts.release import jobs
from codesensei.scripts.steps import recover, releases, status
from codesensei.wire import codec
from codesensei.wire.answers import Releases, ServerStatus
from codesensei.wire.names import job_unit
from codesensei.wire.paths import ProjectPaths
from tests.scripts.examples import each

SHOP = ProjectPaths("shop")
NOW, BEFORE, BROKEN, GONE = "aaaaaaa-1111111", "bbbbbbb-1111111", "ccccccc-1111111", "ddddddd-1111111"


def lines(path: Path, *entries: dict[str, Any]) -> None:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))


@pytest.fixture
def shop(server: Path) -> Path:
    """A project of which one release serves, one served before, one failed, and one was abandoned."""
    SHOP.record(NOW).parent.mkdir(parents=True)
    SHOP.proofs.mkdir()
    SHOP.releases.mkdir(parents=True)
    for name, entry in {
        NOW: {"state": "served", "revision": "a" * 40, "seconds": {"install": 3.0}},
        BEFORE: {"state": "served", "revision": "b" * 40},
        BROKEN: {"state": "unpacked", "failed": "build", "revision": "c" * 40},
        GONE: {"state": "abandoned"},
    }.items():
        SHOP.record(name).write_text(json.dumps(entry))
    run = {"step": "build", "result": "changed", "seconds": 1.0}
    lines(
        SHOP.steps,
        {**run, "time": "2026-11-28T05:00:00Z", "args": [BEFORE, "b" * 40]},
        {**run, "time": "2026-11-29T05:00:00Z", "args": [NOW, "a" * 40]},
        {**run, "time": "2026-11-29T05:30:00Z", "args": [NOW, "a" * 40], "result": "unchanged"},
    )
    switch = {"revision": "a" * 40, "seconds": {"candidate": 1.5}}
    lines(
        SHOP.history,
        {**switch, "time": "2026-11-28T05:01:00Z", "release": BEFORE},
        {**switch, "time": "2026-11-29T05:01:00Z", "release": NOW},
    )
    SHOP.current.symlink_to(f"releases/{NOW}")
    SHOP.previous.symlink_to(f"releases/{BEFORE}")
    return server


@pytest.mark.proves("console.releases")
def test_each_release_tells_how_it_went(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert releases.run("shop", []) == 0
    found = codec.from_text(Releases, capsys.readouterr().out, "releases").releases
    assert [(one.name, one.place, one.result, one.failed) for one in found] == [
        (NOW, "current", "served", ""),
        (BEFORE, "previous", "served", ""),
        (GONE, "", "abandoned", ""),
        (BROKEN, "", "failed", "build"),
    ]
    assert (found[0].built, found[0].served) == ("2026-11-29T05:00:00Z", "2026-11-29T05:01:00Z")
    assert found[0].seconds == {"install": 3.0, "candidate": 1.5}


def test_a_server_without_the_project_has_no_releases(server: Path) -> None:
    assert releases.of_project(SHOP) == Releases()


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The units that run."""
    running: set[str] = set()
    monkeypatch.setattr(
        units, "show_all", each(lambda name: UnitState(active="active" if name in running else "inactive"))
    )
    return running


def told(capsys: pytest.CaptureFixture[str]) -> ServerStatus:
    assert status.run("shop", []) == 0
    return codec.from_text(ServerStatus, capsys.readouterr().out, "status")


@pytest.mark.proves("console.status")
def test_what_a_killed_step_has_left(
    shop: Path, runs: set[str], make_step: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(capsys)
    assert (found.release, found.revision, found.served) == (NOW, "a" * 40, "2026-11-29T05:01:00Z")
    assert (found.holder, found.last_holder, found.orphan, found.interrupted, found.backups) == ("", "", "", (), None)
    step = make_step("build")
    step.digest = "d1"
    proofs.begin(step)
    locks.note("project-shop", step)
    runs.add(job_unit("shop"))
    with locks.file_of("project-shop").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        found = told(capsys)
        assert found.holder.startswith("build of shop (process ")
        assert (found.last_holder, found.orphan, found.interrupted) == ("", "", ())
    found = told(capsys)
    assert found.holder == ""
    assert found.last_holder.startswith("build of shop (process ")
    assert (found.orphan, found.interrupted, found.open_switch) == (job_unit("shop"), ("build",), False)


@pytest.mark.proves("console.recover")
def test_recover_ends_orphans_and_leaves_a_step_that_lives(
    shop: Path, make_step: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []
    monkeypatch.setattr(jobs, "end_orphans", lambda step: ended.append(step.slug))
    with locks.file_of("project-shop").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        locks.note("project-shop", make_step("build"))
        assert recover.run("shop", []) == 1
        assert "still runs" in capsys.readouterr().err
    assert ended == []
    assert recover.run("shop", []) == 0
    assert ended == ["shop"]
