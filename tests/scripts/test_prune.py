"""Releases that are kept no longer: never the serving one, the one before it, or what they stand on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.release import prune
from tests.scripts.manifests import PROJECT

RELEASES = [f"{number}{number}{number}{number}{number}{number}{number}-{number}aaaaaa" for number in range(6)]


@pytest.fixture
def project(server: Path, make_step: Any) -> Path:
    """Six releases, which have served one after the other; the first one serves, the second did before."""
    root, memory = server / "srv/shop", server / "memory/shop"
    for folder in (root / "env", memory / "release"):
        folder.mkdir(parents=True)
    for number, name in enumerate(RELEASES):
        (root / "releases" / name).mkdir(parents=True)
        (root / "venvs" / f"venv{number}").mkdir(parents=True)
        (root / f"env/{name[8:]}.env").write_text("")
        (memory / f"release/{name}.json").write_text(
            json.dumps({"state": "served", "venv": f"venv{number}", "revision": name[:7] * 5})
        )
    lines = [json.dumps({"time": "", "revision": "", "seconds": {}, "release": name}) for name in RELEASES]
    (memory / "history.jsonl").write_text("\n".join(lines) + "\n")
    (root / "current").symlink_to(f"releases/{RELEASES[0]}")
    (root / "previous").symlink_to(f"releases/{RELEASES[1]}")
    return root


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.proves("prune.keep")
@pytest.mark.parametrize(("keep", "left"), [(2, [0, 1, 4, 5]), (3, [0, 1, 3, 4, 5]), (9, [0, 1, 2, 3, 4, 5])])
def test_the_last_that_served_and_the_linked_ones_stay(
    project: Path, make_step: Any, keep: int, left: list[int]
) -> None:
    assert prune.made(PROJECT) == RELEASES
    prune.prune(make_step("switch"), keep)
    assert names(project / "releases") == [RELEASES[number] for number in left] == prune.made(PROJECT)
    assert names(project / "venvs") == [f"venv{number}" for number in left]
    assert names(project / "env") == [f"{RELEASES[number][8:]}.env" for number in left]


def test_what_never_served_goes_and_what_is_no_release_stays(project: Path, make_step: Any) -> None:
    for name in ("abcdef0-1234567", "notes"):
        (project / "releases" / name).mkdir()
    prune.prune(make_step("switch"), 9)
    assert set(names(project / "releases")) == {*RELEASES, "notes"}


@pytest.mark.proves("prune.keep")
def test_edits_of_variables_push_no_commit_out(project: Path, make_step: Any) -> None:
    """Five edits after three commits: each of the commits is kept with its newest variables."""
    newest = RELEASES[5][:7]
    with (project.parents[1] / "memory/shop/history.jsonl").open("a") as history:
        for number in range(5):
            name = f"{newest}-{number}bbbbbb"
            (project / "releases" / name).mkdir()
            history.write(json.dumps({"time": "", "revision": "", "seconds": {}, "release": name}) + "\n")
    prune.prune(make_step("switch"), 3)
    assert names(project / "releases") == sorted([*RELEASES[:2], *RELEASES[3:5], f"{newest}-4bbbbbb"])


@pytest.mark.proves("promotion.served")
def test_each_release_has_the_time_when_it_last_began_to_serve(project: Path) -> None:
    runs = [("a", RELEASES[0]), ("b", RELEASES[1]), ("c", RELEASES[2]), ("d", RELEASES[0])]
    lines = [json.dumps({"time": time, "revision": "", "seconds": {}, "release": name}) for time, name in runs]
    PROJECT.history.write_text("\n".join(lines) + "\n")
    assert prune.since(PROJECT, 2) == {RELEASES[0]: "d", RELEASES[2]: "c"}
