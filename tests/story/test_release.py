"""Another release, and other packages: what is said of two commits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codesensei.source import Checkout, Closure, History, Side, SourceError
from codesensei.source.archive import Origin
from codesensei.story import Served, of_packages, of_release, serving
from codesensei.wire import codec
from codesensei.wire.steps import Hooks
from tests.story.parts import RELEASE, REVISION, build, manifest

OTHER, WANTED = "3333333-2222222", "3" * 40
COMMITS = tuple(f"{number:07} Commit {number}" for number in range(10))


def checkout(revision: str = WANTED, branch: str | None = None) -> Checkout:
    return Checkout(revision, "Sell paper", branch, Path("/nowhere"), "")


def served(**changes: object) -> Served:
    given = {"build": build(), **changes}
    return Served(RELEASE, REVISION, **given)  # type: ignore[arg-type]


@pytest.mark.proves("story.release")
@pytest.mark.parametrize(
    ("found", "entries"),
    [
        (
            History(True, new=Side(1, 1, COMMITS[:1]), tags=("v1.2.0", "v1.3.0")),
            ("commit 1111111 -> 3333333, v1.2.0 -> v1.3.0, 1 commit by 1 person", "+ 0000000 Commit 0"),
        ),
        (
            History(True, new=Side(17, 2, COMMITS), tags=("", "v2")),
            (
                "commit 1111111 -> 3333333, no tag -> v2, 17 commits by 2 people",
                *(f"+ {commit}" for commit in COMMITS),
                "+ and 7 more",
            ),
        ),
        (
            History(True, lost=Side(3, 1, COMMITS[:3])),
            (
                "commit 1111111 -> 3333333, goes back over 3 commits to 3333333 Sell paper",
                *(f"- {commit}" for commit in COMMITS[:3]),
            ),
        ),
        (
            History(True, new=Side(1, 1, COMMITS[:1]), lost=Side(2, 1, COMMITS[1:3])),
            (
                "commit 1111111 -> 3333333, sideways to 3333333 Sell paper: 1 commit by 1 person,"
                " without 2 commits that serve now",
                *("+ 0000000 Commit 0", "- 0000001 Commit 1", "- 0000002 Commit 2"),
            ),
        ),
        (
            History(True, new=Side(1001, 3, COMMITS), whole=False),
            (
                "commit 1111111 -> 3333333, more than 1000 commits by 3 people,"
                " counted in a clone without its whole history",
                *(f"+ {commit}" for commit in COMMITS),
                "+ and many more",
            ),
        ),
        (
            History(False),
            ("to 3333333 Sell paper; 1111111, which serves, is not in this repository (git fetch brings it)",),
        ),
    ],
)
def test_the_way_from_one_commit_to_another(
    monkeypatch: pytest.MonkeyPatch, found: History, entries: tuple[str, ...]
) -> None:
    monkeypatch.setattr("codesensei.story.release.history", lambda *_: found)
    head, *others = of_release(served(), OTHER, checkout(), build()).entries
    assert (head, *others) == (f"{RELEASE} -> {OTHER}, {entries[0]}", *entries[1:])


@pytest.mark.proves("story.release")
def test_a_long_subject_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codesensei.story.release.history", lambda *_: History(False))
    long = replace(checkout(), subject="Sell paper " * 100)
    (head,) = of_release(served(), OTHER, long, build()).entries
    assert head.endswith("…; 1111111, which serves, is not in this repository (git fetch brings it)")


@pytest.mark.proves("story.unknown")
def test_nobody_is_told_to_fetch_what_a_url_s_repository_has_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codesensei.story.release.history", lambda *_: History(False))
    by_url = replace(checkout(), origin=Origin(Path(), "x", Path(), "https://example.com/shop.git"))
    (head,) = of_release(served(), OTHER, by_url, build()).entries
    assert head.endswith("; 1111111, which serves, is not in the repository any more")


@pytest.mark.proves("story.release")
def test_the_same_commit_with_other_parts() -> None:
    hooks = Hooks(before_migrate=("./a", "./b"), after_migrate=("./c",))
    other = build(python="3.13", installer="pip", hooks=hooks)
    before = served(build=build(hooks=Hooks(before_migrate=("./b",))))
    told = of_release(before, OTHER, checkout(REVISION, "main"), other)
    assert told.entries == (
        f"{RELEASE} -> {OTHER}, the same commit 1111111 Sell paper, branch main",
        "python the server's -> 3.13",
        "installer uv -> pip",
        "hook beforeMigrate + ./a",
        "hook afterMigrate + ./c",
    )


@pytest.mark.proves("story.silent")
def test_the_same_release_is_not_told() -> None:
    assert of_release(served(), RELEASE, checkout(REVISION), build()).entries == ()


@pytest.mark.proves("story.release")
def test_what_a_failed_deploy_left_in_the_state_is_not_what_serves() -> None:
    class Done:
        def __init__(self, kind: str, data: object, *words: str) -> None:
            self.words, self.data = (kind, "1", *words), codec.to_text(data)

    done = {
        "switch": Done("switch", manifest(), RELEASE, REVISION),
        "build": Done("build", build(), OTHER, WANTED),
        "environment": Done("environment", {"of": "another version"}, "2222222"),
    }
    found = Served.of(RELEASE, REVISION, done)
    assert found == Served(RELEASE, REVISION, manifest=manifest())
    assert Served.of(RELEASE, REVISION, {}) == Served(RELEASE, REVISION)


@pytest.mark.proves("story.unwritten")
def test_what_the_server_serves_is_known_as_far_as_the_state_has_it() -> None:
    class Done:
        def __init__(self, kind: str, data: object, *words: str) -> None:
            self.words, self.data = (kind, "1", *words), codec.to_text(data)

    state = Served(RELEASE, REVISION, manifest=manifest())
    assert serving(RELEASE, state, {}, {}) is state
    done = {"build": Done("build", build(), OTHER, WANTED), "switch": Done("switch", manifest(), RELEASE, REVISION)}
    assert serving(OTHER, state, done, {}) == Served(OTHER, WANTED, build=build())
    # The same code with other variables.
    assert serving("1111111-5555555", state, done, {"1111111": REVISION}) == Served("1111111-5555555", REVISION)
    assert serving("9999999-5555555", state, done, {"1111111": REVISION}) == Served("9999999-5555555", "")


def closure(digest: str, **asked: str) -> Closure:
    return Closure(
        ("requirements.txt",), digest, False, (), asked={name.replace("0", "-"): asked[name] for name in asked}
    )


def told_packages(monkeypatch: pytest.MonkeyPatch, was: Closure | None, wanted: Closure) -> tuple[str, ...]:
    monkeypatch.setattr("codesensei.story.served.at", lambda *_: was and checkout(REVISION))
    monkeypatch.setattr("codesensei.story.packages.requirements_closure", lambda *_: was)
    return of_packages(served(), checkout(), wanted, build()).entries


@pytest.mark.proves("story.packages")
def test_packages_by_name_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    was = closure("a", Django="==5.1.2", requests="==2.32", gone=">=1", dj_url="==1", celery="==5", kombu="==5.10")
    wanted = closure(
        "b",
        django="==5.2.8",
        httpx="==0.28",
        dj0url="==1",
        celery=">=5,<6",
        forms="git+https://x@1",
        kombu="==5.9",
    )
    assert told_packages(monkeypatch, was, wanted) == (
        "celery 5 -> >=5,<6",
        "django 5.1.2 -> 5.2.8",
        "+ forms git+https://x@1",
        "- gone >=1",
        "+ httpx 0.28",
        "kombu 5.10 -> 5.9 (older)",
        "- requests 2.32",
        "not pinned, so the newest that fits is installed: celery",
    )


@pytest.mark.proves("story.packages.same")
def test_a_version_with_zeros_at_its_end_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    was = closure("a", django="==5.2.0", celery="==5.0", kombu="==5.2.0", x="==2.0.1")
    wanted = closure("b", django="==5.2", celery="==5.0.0", kombu="==5.1", x="==2.1")
    assert told_packages(monkeypatch, was, wanted) == ("kombu 5.2.0 -> 5.1 (older)", "x 2.0.1 -> 2.1")


@pytest.mark.proves("story.bounded")
def test_many_packages_do_not_hide_that_some_are_not_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = closure("b", **{f"p{number:02}": ">=1" for number in range(1, 15)})
    entries = told_packages(monkeypatch, closure("a"), wanted)
    assert entries[10] == "+ and 4 more"
    assert entries[11].startswith("not pinned, so the newest that fits is installed: p")


@pytest.mark.proves("story.packages")
def test_packages_of_which_no_name_or_version_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = "requirements.txt changed, and asks for the same names and versions"
    assert told_packages(monkeypatch, closure("a", x="==1"), closure("b", x="==1")) == (entry,)
    assert told_packages(monkeypatch, closure("a", x="==1"), closure("a", x="==1")) == ()


@pytest.mark.proves("story.packages")
def test_packages_that_cannot_be_read_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    (entry,) = told_packages(monkeypatch, None, closure("a"))
    assert entry == "those that serve now are not known: this repository does not have their commit"

    def fail(*_: object) -> None:
        raise SourceError("requirements.txt", "is not in the commit", "commit it")

    monkeypatch.setattr("codesensei.story.served.at", fail)
    (entry,) = of_packages(served(), checkout(), closure("a"), build()).entries
    assert entry == "those that serve now cannot be read: requirements.txt: is not in the commit"
    assert of_packages(served(), checkout(REVISION), closure("b"), build()).entries == ()
