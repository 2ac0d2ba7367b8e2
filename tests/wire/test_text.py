"""What comes from a repository, a project or a log on its way to somebody's terminal."""

from __future__ import annotations

import json

import pytest

from codesensei.config.problems import BadConfig, Problem
from codesensei.remote.errors import RemoteError
from codesensei.scripts.base.step import Failure, Step
from codesensei.source import SourceError
from codesensei.story.section import shortened
from codesensei.wire import codec
from codesensei.wire.said import Said, to_line
from codesensei.wire.text import MARK, printable, printable_lines

pytestmark = pytest.mark.proves("errors.terminal")

NASTY = {
    "\x1b]0;a title\x07": r"\x1b]0;a title\x07",
    "\x1b[2J\x1b[H": r"\x1b[2J\x1b[H",
    "\x1b]8;;https://evil.example\x1b\\here": r"\x1b]8;;https://evil.example\x1b\here",
    "\x9b31m": r"\x9b31m",
    "over\rwritten": r"over\rwritten",
    "a\bb\x7f": r"a\x08b\x7f",
    "tail \u202egnp.exe": r"tail \u202egnp.exe",
    "\u2028\u2029\x85\x0b\x0c": r"\u2028\u2029\x85\x0b\x0c",
    "\ufeff\u200b\xad": r"\ufeff\u200b\xad",
    "\udce9": r"\xe9",
    "Grüße, 日本語 🙂": "Grüße, 日本語 🙂",
}


@pytest.mark.parametrize("text", NASTY)
def test_what_steers_a_terminal_is_spelled_out(text: str) -> None:
    assert printable(text) == printable_lines(text) == NASTY[text]


def test_a_program_s_words_keep_their_lines_and_lose_their_colors() -> None:
    said = "\x1b[31;1mRed\x1b[0m\r\n\tindented\n"
    assert printable_lines(said) == "Red\n    indented\n"


@pytest.mark.parametrize("text", NASTY)
def test_no_way_out_of_a_step_lets_it_through(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    Step("shop", "build", (), None).say(f"pip says {text}")
    failure = Failure("build", f"said {text}", f"look at {text}", f"first\n{text}", where=text).text()
    warnings = json.loads(to_line(Said(warnings=(text,))))["warnings"][0]
    error = str(RemoteError("server", text, "log in"))
    for way in (capfd.readouterr().out.removesuffix("\n"), failure, warnings, error):
        assert [letter for letter in way if not letter.isprintable() and letter != "\n"] == []


MARKS = {
    "Render <{% url %} safely": "Render <{ % url %} safely",
    "<{%reset%}>": "<{ %reset%}>",
    "<{<{%%": "<{<{ %%",
    "<\x1b[0m{%": "<{ %",
}


@pytest.mark.proves("errors.marks")
@pytest.mark.parametrize("text", MARKS)
def test_no_text_is_a_mark_of_pulumi_s(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert printable_lines(text) == MARKS[text]
    assert MARK not in printable(text) + shortened(text * 100)
    Step("shop", "build", (), None).say(text)
    failure = Failure("build", text, text, text, where=text).text()
    warnings = json.loads(to_line(Said(warnings=(text,))))["warnings"][0]
    errors = [RemoteError(text, text, text), SourceError(text, text, text), BadConfig((Problem("a", "b", text, text),))]
    for way in (capfd.readouterr().out, failure, warnings, *map(str, errors)):
        assert MARK not in way


@pytest.mark.proves("errors.marks")
def test_a_step_gets_it_as_it_is() -> None:
    said = Said(warnings=tuple(MARKS))
    assert MARK not in codec.to_text(said)
    assert codec.from_text(Said, codec.to_text(said), "step x") == said
