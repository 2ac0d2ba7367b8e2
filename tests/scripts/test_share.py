"""Folders that outlive releases: what the programs that put links in their place really do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.release import jobs
from codesensei.scripts.release.jobs import Job, JobResult
from codesensei.scripts.release.release import Release
from codesensei.scripts.release.share import share
from codesensei.wire.paths import ProjectPaths
from tests.scripts.examples import NAME

SHOP = ProjectPaths("shop")
RELEASE = Release(SHOP, NAME, "deploy", ".", "config.settings")


@pytest.fixture
def ran(server: Path, monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The jobs that ran, for real."""
    found: list[Job] = []

    def run(step: Any, release: Any, job: Job) -> JobResult:
        found.append(job)
        done = subprocess.run(job.argv, cwd=job.directory, check=False, capture_output=True, text=True)
        return JobResult(done.returncode, done.stderr, Path("log"))

    monkeypatch.setattr(jobs, "run_job", run)
    RELEASE.path.mkdir(parents=True)
    (SHOP.shared / "var/media").mkdir(parents=True)
    return found


def unpack(*names: str) -> None:
    """What the commit has."""
    for name in names:
        path = RELEASE.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("of the commit")


def names_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


@pytest.mark.proves("shared-paths", "shared-paths.contents", "root.trust")
def test_a_release_has_a_link_and_its_files_come_along(ran: list[Job], make_step: Any) -> None:
    unpack("var/media/a.png", "var/media/deep/.b", "var/other")
    share(make_step("build"), RELEASE, ["var/media"])
    link = RELEASE.path / "var/media"
    assert os.readlink(link) == "../../../shared/var/media"
    assert names_in(SHOP.shared / "var/media") == ["a.png", "deep/.b"]
    assert (RELEASE.path / "var/other").exists()
    assert [(job.as_build_user, job.directory) for job in ran] == [(False, RELEASE.path), (True, RELEASE.path)]


@pytest.mark.proves("shared-paths")
def test_a_folder_that_the_commit_does_not_have_is_linked_too(ran: list[Job], make_step: Any) -> None:
    share(make_step("build"), RELEASE, ["var/media"])
    (RELEASE.path / "var/media/new").write_text("")
    assert names_in(SHOP.shared / "var/media") == ["new"]


@pytest.mark.proves("shared-paths.contents")
def test_what_is_there_already_stays_alone(ran: list[Job], make_step: Any) -> None:
    (SHOP.shared / "var/media/a.png").write_text("uploaded")
    unpack("var/media/a.png", "var/media/b.png")
    share(make_step("build"), RELEASE, ["var/media"])
    assert names_in(SHOP.shared / "var/media") == ["a.png"]
    assert (RELEASE.path / "var/media/a.png").read_text() == "uploaded"


@pytest.mark.proves("shared-paths.contents")
def test_what_the_app_removed_does_not_come_back(ran: list[Job], make_step: Any) -> None:
    serving = SHOP.release("0000000-0000000")
    (serving / "var").mkdir(parents=True)
    (serving / "var/media").symlink_to("../../../shared/var/media")
    SHOP.current.symlink_to("releases/0000000-0000000")
    unpack("var/media/a.png")
    share(make_step("build"), RELEASE, ["var/media"])
    assert names_in(SHOP.shared / "var/media") == []
    assert (RELEASE.path / "var/media").is_symlink()


@pytest.mark.proves("shared-paths.contents")
def test_a_copy_that_was_cut_off_starts_again(ran: list[Job], make_step: Any) -> None:
    (SHOP.shared / "var/media/.codesensei-part").mkdir()
    (SHOP.shared / "var/media/.codesensei-part/half").write_text("")
    unpack("var/media/a.png")
    share(make_step("build"), RELEASE, ["var/media"])
    assert names_in(SHOP.shared / "var/media") == ["a.png"]
