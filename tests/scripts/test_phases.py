"""How long each phase took: of this deploy alone, and all of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codesensei.scripts.release import phases
from codesensei.scripts.release.release import Release
from codesensei.wire.paths import ProjectPaths

NAME = "aaaaaaa-bbbbbbb"


@pytest.fixture
def release(server: Path) -> Release:
    (server / "memory/shop/release").mkdir(parents=True)
    found = Release(ProjectPaths("shop"), NAME, "deploy", ".", "config.settings")
    noted = {"code": 0.4, "packages": 20.0, "settings": 1.5, "migrate": 2.0, "static": 1.0}
    found.project.record(NAME).write_text(json.dumps({"state": "prepared", "seconds": noted}))
    return found


def log(server: Path, *steps: tuple[str, float, str]) -> None:
    runs = [
        json.dumps({"time": "", "args": [], "step": name, "seconds": seconds, "result": result})
        for name, seconds, result in steps
    ]
    (server / "memory/shop/steps.jsonl").write_text("".join(f"{run}\n" for run in runs) + '{"step": "torn')


def test_all_phases_with_their_parts(server: Path, release: Release) -> None:
    log(
        server,
        ("build", 99.0, "changed"),
        ("switch", 9.0, "changed"),
        ("packages", 1.04, "unchanged"),
        ("build", 3.0, "failed"),
        ("build", 22.0, "changed"),
        ("switch", 5.0, "failed"),
    )
    said = phases.describe(release.project, release, {"candidate": 2.0, "web": 3.25, "workers": 5.5})
    assert said == (
        "seconds: packages 1.0, build 22.0 (code 0.4, packages 20.0, settings 1.5, migrate 2.0, static 1.0),"
        " switch 10.8 (candidate 2.0, web 3.2, workers 5.5)"
    )


def test_a_release_that_was_built_before_shows_no_old_numbers(server: Path, release: Release) -> None:
    log(server, ("switch", 9.0, "unchanged"), ("build", 0.1, "unchanged"))
    assert phases.describe(release.project, release, {"web": 1.0}) == "seconds: build 0.1, switch 1.0 (web 1.0)"


def test_without_a_log(release: Release) -> None:
    assert phases.describe(release.project, release, {}) == "seconds: switch 0.0"
