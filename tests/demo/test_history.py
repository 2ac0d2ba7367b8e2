"""The example's repository is the same each time, and its commits do what the demo says of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools.demo.errors import DemoError
from tools.demo.history import PROJECT, git, make_history, read_history


def test_the_hashes_are_the_same_whatever_the_users_git_is_set_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_history(tmp_path / "first")
    settings = tmp_path / "gitconfig"
    settings.write_text(
        "[user]\nname = Somebody\nemail = else@example.com\n"
        "[core]\nautocrlf = true\nhooksPath = /nonexistent\n[commit]\ngpgSign = true\n[init]\ndefaultBranch = trunk\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_AUTHOR_DATE", "2001-01-01T00:00:00Z")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    previous = os.umask(0o077)
    try:
        second = make_history(tmp_path / "second")
    finally:
        os.umask(previous)
    assert (second.commits, second.broken) == (first.commits, first.broken)
    assert read_history(tmp_path / "second") == second


def test_the_history_is_made_anew_over_an_old_one(tmp_path: Path) -> None:
    first = make_history(tmp_path / "guestbook")
    (tmp_path / "guestbook" / "manage.py").write_text("")
    assert make_history(tmp_path / "guestbook") == first
    assert git(first.path, "status", "--porcelain") == ""


def test_each_commit_is_what_the_demo_says(tmp_path: Path) -> None:
    history = make_history(tmp_path / "guestbook")
    subjects = [commit.subject for commit in history.commits]
    assert subjects == ["Open a guestbook", "Ask where the writer is from", "Give the page a warmer look"]

    def changed(commit: str) -> set[str]:
        return set(git(history.path, "show", "--format=", "--name-only", commit).split())

    assert "entries/migrations/0002_entry_place.py" in changed(history.commits[1].revision)
    assert not any("migrations" in name for name in changed(history.commits[2].revision))
    assert "static 'entries/logo.svg'" in git(history.path, "show", history.broken.revision)
    assert "entries/logo.svg" not in git(history.path, "ls-tree", "-r", "--name-only", history.broken.revision)


def test_the_first_commit_is_the_project_as_it_is_in_the_repository(tmp_path: Path) -> None:
    history = make_history(tmp_path / "guestbook")
    names = git(history.path, "ls-tree", "-r", "--name-only", history.commits[0].revision).split()
    for name in names:
        content = git(history.path, "show", f"{history.commits[0].revision}:{name}")
        assert content == (PROJECT / name).read_text(), name
    assert {"manage.py", "requirements.txt", "entries/tests.py"} <= set(names)


def test_a_patch_that_does_not_apply_is_named(tmp_path: Path) -> None:
    patches = tmp_path / "patches"
    patches.mkdir()
    (patches / "2-bad.patch").write_text("From: a <a@example.com>\nSubject: bad\n\nno diff\n")
    with pytest.raises(DemoError, match=r"2-bad\.patch"):
        make_history(tmp_path / "guestbook", patches=patches)
