"""A release that somebody has changed, or removed, by hand."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from codesensei.scripts.release import record
from codesensei.scripts.release.edited import edited, gone
from tests.scripts.manifests import PROJECT

NAME = "aaaaaaa-bbbbbbb"


@pytest.fixture
def tree(server: Path) -> Path:
    """A sealed release of some time ago, with its packages."""
    tree, own = PROJECT.release(NAME), PROJECT.own_folder(NAME)
    (tree / "config").mkdir(parents=True)
    own.mkdir()
    for name in ("config/urls.py", "config/wsgi.py", ".codesensei/REVISION", "REVISION"):
        (tree / name).touch()
    (tree / "link").symlink_to("config")
    ago = time.time() - 3600
    for path in (*tree.rglob("*"), tree):
        os.utime(path, (ago, ago), follow_symlinks=False)
    PROJECT.record(NAME).parent.mkdir(parents=True)
    record.begin(PROJECT, NAME, revision="c", settings_module="s", user="deploy")
    record.uses(PROJECT, NAME, "v1")
    (PROJECT.venvs / "v1").mkdir(parents=True)
    (PROJECT.venvs / "v1" / ".complete").touch()
    return tree


def copied(tree: Path) -> None:
    """As a copy to another disk does that keeps no times."""
    for name in ("config/urls.py", "config/wsgi.py", "REVISION"):
        (tree / name).touch()


@pytest.mark.proves("look.edited")
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda tree: None, []),
        (lambda tree: (tree / "config/urls.py").write_text("# a hotfix"), ["config/urls.py"]),
        (lambda tree: (tree / "config/new.py").touch(), ["config/new.py"]),
        (lambda tree: (tree / "config/urls.py").unlink(), ["config"]),
        (lambda tree: (tree / ".codesensei/note").touch(), []),
        (lambda tree: (tree / "config/urls.py").chmod(0o600), []),
        (copied, []),
    ],
)
def test_what_somebody_has_written_since(tree: Path, change: Callable[[Path], object], told: list[str]) -> None:
    change(tree)
    assert edited(PROJECT, NAME) == told


def test_of_a_release_that_was_never_sealed_nobody_knows(tree: Path) -> None:
    shutil.rmtree(PROJECT.own_folder(NAME))
    (tree / "config/urls.py").write_text("# another")
    assert edited(PROJECT, NAME) == []


@pytest.mark.proves("look.release-gone")
def test_what_is_gone(tree: Path) -> None:
    assert [*gone(PROJECT, NAME)] == []
    (PROJECT.venvs / "v1" / ".complete").unlink()
    assert [*gone(PROJECT, NAME)] == [f"the packages of release {NAME} are gone"]
    shutil.rmtree(tree)
    assert [*gone(PROJECT, NAME)] == [f"release {NAME} is gone"]
