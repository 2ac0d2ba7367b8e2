"""The commits between the one that serves and the one that is asked for."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from codesensei.source import Checkout, History, Side, SourceError, at, history, open_source
from codesensei.source.command import operators_git
from codesensei.source.history import MOST, NAMED
from tests.source.conftest import Repository, a_source, asked

Open = Callable[[str], Checkout]
NOBODY = "0123456789abcdef0123456789abcdef01234567"
pytestmark = pytest.mark.proves("story.release")


@pytest.fixture
def checkout(repository: Repository, tmp_path: Path) -> Open:
    """The project at a revision."""
    return lambda revision: open_source(
        asked(a_source(revision, path=repository.directory.name)), cache_dir=tmp_path / "cache", base=tmp_path
    )


def line(commit: str, subject: str) -> str:
    return f"{commit[:7]} {subject}"


@pytest.mark.slow
def test_forward_and_back(repository: Repository, checkout: Open) -> None:
    first = repository.commit({"a": "1"}, "One")
    repository.git("tag", "-a", "v1.2.0", "-m", "v1.2.0")
    second = repository.commit({"a": "2"}, "Two")
    repository.git("config", "user.email", "another@example.com")
    third = repository.commit({"a": "3"}, "Three")
    repository.git("tag", "v1.3.0")
    between = Side(2, 2, (line(third, "Three"), line(second, "Two")))
    assert history(checkout(third), first) == History(True, new=between, tags=("v1.2.0", "v1.3.0"))
    assert history(checkout(first), third) == History(True, lost=between, tags=("v1.3.0", "v1.2.0"))
    assert history(checkout(third), third) == History(True, tags=("v1.3.0", "v1.3.0"))


def test_sideways(repository: Repository, checkout: Open) -> None:
    repository.commit({"a": "1"}, "One")
    repository.git("checkout", "--quiet", "-b", "hotfix")
    hotfix = repository.commit({"a": "2"}, "Fix")
    repository.git("checkout", "--quiet", "main")
    main = repository.commit({"a": "3"}, "Go on")
    found = history(checkout(main), hotfix)
    assert (found.new.newest, found.lost.newest) == ((line(main, "Go on"),), (line(hotfix, "Fix"),))


def test_subjects_steer_no_terminal_and_may_be_empty(repository: Repository, checkout: Open) -> None:
    first = repository.commit({"a": "1"}, "One")
    repository.git("commit", "--quiet", "--allow-empty", "-m", "a \x1b[31mred\u202e word")
    repository.git("commit", "--quiet", "--allow-empty", "--allow-empty-message", "-m", "")
    last = repository.git("rev-parse", "HEAD")
    found = history(checkout(last), first).new
    assert (found.count, found.people, len(found.newest)) == (2, 1, 2)
    assert found.newest[0] == f"{last[:7]} "
    assert found.newest[1].endswith(r" a \x1b[31mred\u202e word")


def test_many_are_bounded(repository: Repository, checkout: Open) -> None:
    first = repository.commit({"a": "1"}, "One")
    head = f"committer T <t@example.com> 1 +0000\ndata 1\nx\nfrom {first}\n\n"
    commits = [f"commit refs/heads/main\n{head}"] + [
        "commit refs/heads/main\ncommitter T <t@example.com> 1 +0000\ndata 1\nx\n\n" for _ in range(MOST + 5)
    ]
    command = ["git", "-C", str(repository.directory), "fast-import", "--quiet"]
    subprocess.run(command, input="".join(commits), text=True, check=True)
    found = history(checkout("main"), first).new
    assert (found.count, len(found.newest), found.counted) == (MOST + 1, NAMED, f"more than {MOST} commits")


@pytest.mark.parametrize("served", [NOBODY, "", "--all", "HEAD"])
def test_a_commit_that_is_not_here_is_said(repository: Repository, checkout: Open, served: str) -> None:
    repository.commit({"a": "1"}, "One")
    assert history(checkout("main"), served) == History(known=False)
    assert at(checkout("main"), served) is None


def test_a_shallow_clone_is_said(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"a": "1"}, "One")
    second = repository.commit({"a": "2"}, "Two")
    third = repository.commit({"a": "3"}, "Three")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--depth=2", repository.url, str(clone)], check=True)
    project = asked(a_source(third, path="clone"))
    found = history(open_source(project, cache_dir=tmp_path / "cache", base=tmp_path), second)
    assert (found.known, found.whole, found.new.count) == (True, False, 1)


def test_a_repository_by_url(repository: Repository, tmp_path: Path) -> None:
    first = repository.commit({"a": "1"}, "One")
    repository.git("tag", "v1")
    second = repository.commit({"a": "2"}, "Two")
    found = open_source(asked(a_source(second, git=repository.url)), cache_dir=tmp_path / "cache")
    assert history(found, first) == History(True, new=Side(1, 1, (line(second, "Two"),)), tags=("v1", ""))
    before = at(found, first)
    assert before
    assert (before.revision, before.subject, before.read("a")) == (first, "One", "1")


@pytest.mark.proves("story.release.tags")
def test_tags_are_those_that_the_repository_has_now(repository: Repository, tmp_path: Path) -> None:
    """Also where the commits are known here since before they were tagged."""
    first, second = repository.commit({"a": "1"}, "One"), repository.commit({"a": "2"}, "Two")

    def tags(revision: str) -> tuple[str, str]:
        found = open_source(asked(a_source(revision, git=repository.url)), cache_dir=tmp_path / "cache")
        return history(found, first).tags

    repository.git("tag", "v1.2.0", first)
    assert tags("main") == ("v1.2.0", "")
    repository.git("tag", "-m", "of a tag", "v1.3.0", second)
    assert tags("v1.3.0") == tags("main") == ("v1.2.0", "v1.3.0")
    repository.git("tag", "--force", "v1.2.0", second)
    repository.git("tag", "--delete", "v1.3.0")
    assert tags("v1.2.0") == tags(second) == ("", "v1.2.0")


@pytest.mark.proves("story.release.tags")
def test_tags_that_are_known_are_not_fetched_again(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit({"a": "1"}, "One")
    repository.git("tag", "-m", "first", "v1")
    repository.git("tag", "-m", "of a tag", "v2", "v1")
    source = asked(a_source("main", git=repository.url))
    open_source(source, cache_dir=tmp_path / "cache")
    told: list[str] = []

    def listen(*words: str, **more: float) -> str:
        told.extend(words)
        return operators_git(*words, **more)

    monkeypatch.setattr("codesensei.source.git.operators_git", listen)
    open_source(source, cache_dir=tmp_path / "cache")
    assert ("ls-remote" in told, "fetch" in told) == (True, False)


@pytest.mark.proves("story.unknown")
def test_a_commit_that_serves_is_fetched_by_its_name(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its branch is gone, or was rewritten, and this machine has never seen it."""
    main = repository.commit({"a": "1"}, "One")
    repository.git("checkout", "--quiet", "-b", "hotfix")
    fix = repository.commit({"a": "2"}, "Fix")
    repository.git("checkout", "--quiet", "main")
    repository.git("branch", "-D", "hotfix")
    found = open_source(asked(a_source(main, git=repository.url)), cache_dir=tmp_path / "cache")
    assert history(found, fix) == History(True, lost=Side(1, 1, (line(fix, "Fix"),)))
    before = at(found, fix)
    assert before
    assert before.read("a") == "2"
    assert at(found, NOBODY) is None
    # Nothing is asked twice.
    monkeypatch.setattr("codesensei.source.git.operators_git", None)
    assert history(found, NOBODY) == History(known=False)


def test_what_no_archive_can_carry_is_an_error_of_the_source(repository: Repository, checkout: Open) -> None:
    first = repository.commit({".codesensei/x": "1"}, "One")
    repository.git("rm", "--quiet", "-r", ".codesensei")
    with pytest.raises(SourceError, match="the product's own folder"):
        at(checkout(repository.commit({"a": "1"}, "Two")), first)


def test_a_checkout_from_nowhere_has_no_history(repository: Repository, checkout: Open) -> None:
    first = repository.commit({"a": "1"}, "One")
    assert history(replace(checkout("main"), origin=None), first) == History(known=False)


def test_a_commit_without_its_files_is_an_error_of_the_source(repository: Repository, checkout: Open) -> None:
    """As a partial clone has it."""
    first = repository.commit({"a": "1"}, "One")
    lost = repository.git("rev-parse", f"{first}:a")
    found = checkout(repository.commit({"a": "2"}, "Two"))
    (repository.directory / ".git" / "objects" / lost[:2] / lost[2:]).unlink()
    with pytest.raises(SourceError):
        at(found, first)
