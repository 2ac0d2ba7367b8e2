"""The command that makes a comment, or JSON, of a preview."""

from __future__ import annotations

import io
import json

import pytest

from codesensei.story import Section, text_of
from codesensei.story.__main__ import NOTHING, main, mark_of

pytestmark = pytest.mark.proves("story.data")
MARK = mark_of("test")
STORY = text_of([Section("release", ("a -> b", "+ 1234567 ````<img> @everyone")), Section("switch", ("nothing",))])
URN = "urn:pulumi:test::codesensei::codesensei:index:Release$command:remote:Command::shop-build"


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, *arguments: str
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    code = main([*arguments])
    return code, *capsys.readouterr()


def preview(*said: tuple[str, str], steps: list[tuple[str, str]] | None = None) -> str:
    diagnostics = [{"severity": severity, "message": f"{message}\n"} for severity, message in said]
    return json.dumps({"steps": [{"op": op, "urn": urn} for op, urn in steps or []], "diagnostics": diagnostics})


def test_a_comment(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = preview(("info", "branch main is at x"), ("info", STORY), ("warning", "slow"), steps=[("update", URN)])
    code, out, _ = run(monkeypatch, capsys, text)
    fence = "`" * 5
    assert code == 0
    assert out.split("\n\n") == [
        MARK,
        f"{fence}text\n{STORY}\n{fence}",
        "**Warnings**",
        "```text\nslow\n```",
        "<details><summary>Steps of the engine: 1</summary>",
        "```text\n~ Command shop-build\n```",
        "</details>\n",
    ]


REVIEW = "1111111.22222222.33333333.44444444"


@pytest.mark.proves("review.named")
def test_a_comment_names_its_review(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = preview(("info", STORY), ("info", f"review {REVIEW}"), steps=[("same", URN)])
    _, comment, _ = run(monkeypatch, capsys, text)
    assert comment.startswith(f"{MARK}\n<!-- review: {REVIEW} -->\n\n")
    assert comment.endswith(f"`CODESENSEI_REVIEWED={REVIEW} pulumi up` deploys this and nothing else.\n")
    for given in (text, comment, comment.replace("\n", "\r\n")):
        assert run(monkeypatch, capsys, given, "--review") == (0, f"{REVIEW}\n", "")


@pytest.mark.proves("review.named")
@pytest.mark.parametrize(
    "text",
    [
        preview(("info", STORY)),
        preview(("warning", f"review {REVIEW}")),
        preview(("info", "review main")),
        f"{MARK}\n\n<!-- review: {REVIEW} -->\n",
        f"<!-- review: {REVIEW} -->\n{MARK}\n",
        f"Look:\n<!-- review: {REVIEW} -->\n",
        f"{MARK}\n<!-- review: main -->\n",
        MARK,
        "",
    ],
)
def test_another_place_names_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    code, out, said = run(monkeypatch, capsys, text, "--review")
    assert (code, out) == (1, "")
    assert said.startswith("standard input: it ")


@pytest.mark.proves("review.named")
def test_a_preview_that_failed_names_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = preview(("info", f"review {REVIEW}"), ("error", "no such server"))
    assert REVIEW not in run(monkeypatch, capsys, text)[1]
    assert run(monkeypatch, capsys, text, "--review")[:2] == (1, "")


def test_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(monkeypatch, capsys, preview(("info", STORY)), "--json")
    assert code == 0
    assert json.loads(out) == [
        {"section": "release", "entries": ["a -> b", "+ 1234567 ````<img> @everyone"]},
        {"section": "switch", "entries": ["nothing"]},
    ]
    assert run(monkeypatch, capsys, preview(), "--json")[1] == "[]\n"


def test_the_stack_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """By the preview, or where it has failed too early by whoever asked for it."""
    for text, words, mark in (
        (preview(steps=[("same", URN)]), [], MARK),
        (preview(("error", "x")), ["--stack", "test"], MARK),
        (preview(("error", "x")), [], "<!-- codesensei preview -->"),
    ):
        assert run(monkeypatch, capsys, text, *words)[1].startswith(f"{mark}\n")


def test_nothing_changes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, capsys, preview(steps=[("same", URN)])) == (0, f"{MARK}\n\n{NOTHING}\n", "")


def test_a_failed_preview_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(monkeypatch, capsys, preview(("error", "no such branch")))
    assert (code, NOTHING in out) == (1, False)
    assert "**The preview failed.**\n\n**Errors**\n\n```text\nno such branch\n```" in out


@pytest.mark.parametrize("text", ["", "error: no stack selected", "[]", '{"steps": [{}]}', '{"diagnostics": [1]}'])
def test_what_is_no_preview_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    code, out, err = run(monkeypatch, capsys, text)
    assert (code, out) == (1, "")
    assert err == "standard input: it is no preview\nfix: pipe pulumi preview --json into this command\n"


def test_many_steps_are_counted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(monkeypatch, capsys, preview(steps=[("create", URN)] * 130))
    assert out.count("+ Command shop-build") == 100
    assert "and 30 more" in out
