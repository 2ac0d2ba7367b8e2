"""Where things are kept, how they are named, and that they are complete or absent."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from tools.engine.cache import UNFINISHED, cache_lock, cache_root, digest, make_directory, tree_digest


def test_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The product's variable, else the desktop's, else the home directory."""
    assert cache_root() == tmp_path / "cache" / "engine"
    monkeypatch.delenv("CODESENSEI_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_root() == Path("/xdg/codesensei/engine")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache_root() == Path("/home/someone/.cache/codesensei/engine")


def test_digest(tmp_path: Path) -> None:
    """A name depends on every part, on the parts' borders, and on files' contents rather than places."""
    assert digest("ab", "c") != digest("a", "bc")
    file = tmp_path / "file"
    file.write_text("ab")
    assert digest(file, "c") == digest("ab", "c")
    before = tree_digest(tmp_path, [file])
    assert before == tree_digest(tmp_path, [file])
    assert tree_digest(tmp_path, [file.rename(tmp_path / "other")]) != before


def test_made_once(tmp_path: Path) -> None:
    """A directory is filled once and then taken as it is."""
    calls: list[Path] = []

    def fill(directory: Path) -> None:
        calls.append(directory)
        (directory / "file").write_text("1")

    target = tmp_path / "deep" / "target"
    assert make_directory(target, fill) == make_directory(target, fill) == target
    assert len(calls) == 1
    assert calls[0] != target
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    """A directory whose making fails does not exist, not even in part."""

    def fill(directory: Path) -> None:
        (directory / "half").write_text("1")
        raise ValueError("interrupted")

    with pytest.raises(ValueError, match="interrupted"):
        make_directory(tmp_path / "place" / "target", fill)
    assert list((tmp_path / "place").iterdir()) == []


def test_lock(cache: Path) -> None:
    """One holder at a time; what a killed run left unfinished is removed."""
    (cache / f"{UNFINISHED}old").mkdir(parents=True)
    with cache_lock():
        assert [path.name for path in cache.iterdir()] == [".lock"]
        with (cache / ".lock").open("w") as second, pytest.raises(BlockingIOError):
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with (cache / ".lock").open("w") as second:
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
