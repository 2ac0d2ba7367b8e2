"""One comment for a stack in a merge request, and the review that was merged, on both hosts."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest

from codesensei.story import REVIEWED
from codesensei.story.__main__ import mark_of
from tests.review.api import COMMIT, REQUEST, TOKEN, Api, GitHubApi, GitLabApi, served
from tools.review.__main__ import main

WORD, OTHER = "1111111.22222222.33333333.44444444", "aaaaaaa.22222222.33333333.44444444"
Run = Callable[..., tuple[int, str, str]]


def comment(word: str = WORD, stack: str = "prod") -> str:
    return f"{mark_of(stack)}\n<!-- review: {word} -->\n\nhello\n"


@pytest.fixture(params=[GitHubApi, GitLabApi], ids=["GitHub", "GitLab"])
def api(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The host of this job, at its merge request."""
    found = request.param()
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", REVIEWED):
        monkeypatch.delenv(name, raising=False)
    with served(found) as address:
        for name, value in found.variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("GITHUB_API_URL", address)
        monkeypatch.setenv("CI_API_V4_URL", address)
        monkeypatch.setenv("PULUMI_STACK", "prod")
        yield found


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run_with(what: str, text: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        code = main([what])
        return code, *capsys.readouterr()

    return run_with


@pytest.mark.proves("review.comment")
def test_one_comment_is_kept_for_each_stack(api: Api, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("comment", comment(OTHER)) == (0, "", "")
    monkeypatch.setenv("PULUMI_STACK", "staging")
    assert run("comment", comment(stack="staging")) == (0, "", "")
    monkeypatch.setenv("PULUMI_STACK", "prod")
    assert run("comment", comment()) == (0, "", "")
    assert api.by("bot") == [comment(), comment(stack="staging")]


@pytest.mark.proves("review.comment")
def test_what_was_merged_is_found(api: Api, run: Run) -> None:
    """Whatever others write, and beside merge requests that have not brought the commit."""
    api.add("alice", comment(OTHER))
    api.add("bot", comment(OTHER, "staging"))
    api.add("bot", comment())
    api.merged += [
        {"number": 3, "merged": False, "into": "main"},
        {"number": 4, "merged": True, "into": "release"},
    ]
    assert run("find") == (0, f"{WORD}\n", "")


@pytest.mark.proves("review.comment")
@pytest.mark.parametrize(
    ("merged", "text", "says"),
    [
        ([], comment(), "this commit: it came by no merge request, so no one preview of it was reviewed"),
        ([REQUEST, 13], comment(), f"this commit: it came by merge requests {REQUEST}, 13, so no one preview"),
        ([REQUEST], "", f"merge request {REQUEST}: no comment there shows a preview of the stack prod that has"),
        ([REQUEST], mark_of("prod"), f"merge request {REQUEST}: no comment there shows a preview of the stack prod"),
    ],
    ids=["pushed", "two", "no comment", "failed"],
)
def test_where_nothing_was_reviewed_it_says_so(api: Api, run: Run, merged: list[int], text: str, says: str) -> None:
    api.merged = [{"number": number, "merged": True, "into": "main"} for number in merged]
    api.add("bot", text)
    code, out, said = run("find")
    assert (code, out) == (1, "")
    assert said.startswith(says)
    assert said.endswith(f"fix: make preview-comment, then start this job by hand with {REVIEWED}=…\n")


@pytest.mark.proves("review.comment")
def test_one_that_was_given_by_hand_is_taken(api: Api, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REVIEWED, OTHER)
    assert run("find") == (0, f"{OTHER}\n", "")
    assert api.asked == []


def test_a_host_that_refuses_is_named_without_the_token(api: Api, run: Run) -> None:
    api.refused = 403
    code, _, said = run("comment", comment())
    assert code == 1
    assert "it answered 403: " in said
    assert said.endswith("fix: check that the token of this job may read and write comments of merge requests\n")
    assert TOKEN not in said


def test_a_host_that_does_not_answer(api: Api, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_API_URL", "CI_API_V4_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    code, _, said = run("find")
    assert code == 1
    assert said.startswith("GET http://127.0.0.1:9/")
    assert said.endswith("\nfix: check this job's network, then run it again\n")


@pytest.mark.parametrize(
    ("missing", "what", "thing"),
    [
        ("PULUMI_STACK", "comment", "PULUMI_STACK: it is not set"),
        ("TOKEN", "comment", "_TOKEN: this job has no token"),
        ("JOB", "find", "this machine: it runs no job of GitHub Actions or GitLab CI"),
        ("REQUEST", "comment", "this job is for no "),
    ],
)
def test_what_a_job_lacks_is_named(
    api: Api, run: Run, monkeypatch: pytest.MonkeyPatch, missing: str, what: str, thing: str
) -> None:
    names = {
        "PULUMI_STACK": ["PULUMI_STACK"],
        "TOKEN": ["GITHUB_TOKEN", "GITLAB_TOKEN"],
        "JOB": ["GITHUB_ACTIONS", "GITLAB_CI"],
        "REQUEST": ["CI_MERGE_REQUEST_IID"],
    }
    for name in names[missing]:
        monkeypatch.delenv(name, raising=False)
    if missing == "REQUEST":
        monkeypatch.setenv("GITHUB_REF", "refs/heads/main")
    code, _, said = run(what, comment())
    assert code == 1
    assert thing in said
    assert "\nfix: " in said
    assert COMMIT not in said


def test_another_text_is_no_comment(api: Api, run: Run) -> None:
    code, _, said = run("comment", comment(stack="staging"))
    assert code == 1
    assert said.startswith("standard input: it is no comment about the stack prod\n")
    assert api.by("bot") == []
