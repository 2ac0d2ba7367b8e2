"""The two directories of a release that is served from and prepared again."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesensei.scripts.base.paths import ProjectPaths
from codesensei.scripts.base.step import write_json
from codesensei.scripts.release import twins

NAME = "1234567-89abcde"


@pytest.fixture
def project(server: Path) -> ProjectPaths:
    """A release whose twin is complete and waits."""
    found = ProjectPaths("shop")
    for path, text in ((found.release(NAME), "old"), (found.twin(NAME), "new")):
        path.mkdir(parents=True)
        (path / "file").write_text(text)
    found.notes(NAME).parent.mkdir(parents=True, exist_ok=True)
    write_json(found.notes(NAME), {"twin": twins.identity(found.twin(NAME))})
    return found


def text(project: ProjectPaths) -> str:
    return (project.release(NAME) / "file").read_text()


def test_a_twin_waits_until_the_exchange(project: ProjectPaths) -> None:
    assert twins.waits(project, NAME)
    twins.exchange(project, NAME)
    assert text(project) == "new"
    assert not twins.waits(project, NAME)
    twins.prune(project)
    assert [folder.name for folder in project.releases.iterdir()] == [NAME]


def test_an_incomplete_twin_does_not_wait(project: ProjectPaths) -> None:
    write_json(project.notes(NAME), {"twin": None})
    assert not twins.waits(project, NAME)
    assert twins.journal(project, NAME) is None


@pytest.mark.parametrize("exchanged", [False, True])
def test_it_is_put_back_once(project: ProjectPaths, exchanged: bool) -> None:
    """However far the switch had come, and however often it is put back."""
    kept = twins.journal(project, NAME)
    if exchanged:
        twins.exchange(project, NAME)
    for _ in range(2):
        twins.put_back(project, kept)
        assert text(project) == "old"
        assert twins.waits(project, NAME)


def test_one_that_waits_is_kept(project: ProjectPaths) -> None:
    twins.prune(project)
    assert twins.waits(project, NAME)


def test_a_missing_directory_is_an_error_of_the_system(project: ProjectPaths) -> None:
    (project.twin(NAME) / "file").unlink()
    project.twin(NAME).rmdir()
    with pytest.raises(FileNotFoundError):
        twins.exchange(project, NAME)
