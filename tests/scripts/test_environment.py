"""The env file: verbatim, root's, and unchanged the second time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import files
from codesensei.scripts.base.step import Failure
from codesensei.scripts.release.release import variable_notes
from codesensei.scripts.serving import live
from codesensei.scripts.steps import environment
from codesensei.wire.steps import Environment
from tests.scripts.conftest import fingerprints

CONTENT = "A='it'\"'\"'s $x'\nB=\"line\nbreak\"\n"


@pytest.fixture
def write(server: Path, make_step: Any) -> Any:
    (server / "srv/shop/env").mkdir(parents=True)
    (server / "memory/shop/release").mkdir(parents=True)

    def run(content: str = CONTENT) -> Any:
        data = Environment(content=content, secret_names=("B",), managed_names=("A",), account=None, user="deploy")
        step = make_step("environment", "be01d70", data=data)
        environment.run(step)
        return step

    return run


@pytest.mark.proves("paths.env-file", "neighbors.files")
def test_the_file_is_verbatim_and_no_others(write: Any) -> None:
    path = write().project.env_file("4f2a9c1-be01d70")
    assert path.read_text() == CONTENT
    assert path.stat().st_mode & 0o777 == 0o640


def test_secret_names_are_noted_but_no_value(write: Any) -> None:
    project = write().project
    notes = variable_notes(project, "4f2a9c1-be01d70")
    assert (notes.secret_names, notes.managed_names, notes.user) == (("B",), ("A",), "deploy")
    note = project.variable_notes("4f2a9c1-be01d70")
    assert "it's" not in note.read_text()
    assert note.stat().st_mode & 0o777 == 0o600


def test_a_second_run_changes_nothing(write: Any, server: Path) -> None:
    write()
    before = fingerprints(server)
    assert write().changes == 0
    assert fingerprints(server) == before


def test_no_word_of_the_content_is_said(write: Any) -> None:
    assert "it's" not in " ".join(write("A=canary-9a31\n").said)
    assert "canary" not in " ".join(write("A=canary-9a32\n").said)


def test_a_user_that_is_not_there_is_named(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> int:
        raise OSError(name)

    monkeypatch.setattr(files, "group_id", absent)
    with pytest.raises(Failure, match="user deploy: there is no such user"):
        write()


@pytest.mark.proves("config.drift.variables")
@pytest.mark.parametrize(("release", "renews"), [("4f2a9c1-be01d70", True), ("4f2a9c1-0000000", False)])
def test_processes_with_variables_that_somebody_has_edited_are_to_be_renewed(
    write: Any, release: str, renews: bool
) -> None:
    project = write().project
    project.current.symlink_to(f"releases/{release}")
    assert not live.has_to_renew(project)
    write()
    assert not live.has_to_renew(project)
    project.env_file(release).parent.mkdir(exist_ok=True)
    project.env_file("x-be01d70").write_text("DEBUG='1'\n")
    write()
    assert live.has_to_renew(project) == renews
