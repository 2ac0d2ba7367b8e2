"""The text of a story, and what is read from it."""

from __future__ import annotations

import pytest

from codesensei.story import Section, read, text_of
from codesensei.story.section import LONGEST, MOST, apart, section

pytestmark = pytest.mark.proves("story.data")
STORY = (Section("release", ("a -> b, 1 commit", "+ 1234567 Sell more")), Section("switch", ("nothing restarts",)))
TEXT = """\
release     a -> b, 1 commit
            + 1234567 Sell more
switch      nothing restarts"""


def test_the_text_is_data() -> None:
    assert text_of(STORY) == TEXT
    assert read(TEXT) == STORY


@pytest.mark.parametrize("text", ["", "a warning: of something", "            an entry alone", "branch main is at x"])
def test_another_text_is_no_story(text: str) -> None:
    assert read(text) == ()


def test_what_does_not_change_is_not_told() -> None:
    assert text_of([Section("packages"), STORY[1]]) == "switch      nothing restarts"
    assert text_of([Section("packages")]) == ""


@pytest.mark.parametrize(
    ("count", "lines", "last"), [(MOST, 10, "9"), (MOST + 1, 11, "10"), (MOST + 7, 11, "and 7 more")]
)
def test_many_entries_are_counted(count: int, lines: int, last: str) -> None:
    told = section("packages", map(str, range(count))).entries
    assert (len(told), told[-1]) == (lines, last)


@pytest.mark.proves("story.bounded")
def test_a_long_list_hides_nothing_of_the_others() -> None:
    come, go = [f"+ {number}" for number in range(MOST + 2)], [f"- {number}" for number in range(MOST + 3)]
    told = section("site", come, go, ["http -> https"], [], ["uploads none -> /media/"]).entries
    assert told[:MOST] == tuple(come[:MOST])
    assert told[MOST] == "+ and 2 more"
    assert told[-3:] == ("- and 3 more", "http -> https", "uploads none -> /media/")


def test_an_entry_is_one_line_that_steers_no_terminal() -> None:
    (told, long) = section("variables", ["a\nrelease     b\x1b[2J\u202e", "x" * 1000]).entries
    assert told == r"a\nrelease     b\x1b[2J\u202e"
    assert (len(long), long[-1]) == (LONGEST, "…")


@pytest.mark.proves("story.apart")
@pytest.mark.parametrize(
    ("was", "wanted", "shown"),
    [
        ("a", "b", ("a", "b")),
        ("a" * 3, "b" * 17, ("a" * 3, "b" * 17)),
        ("x" * 30 + "old", "x" * 30 + "new", ("…xxxxold", "…xxxxnew")),
        ("x" * 30, "x" * 30 + "y" * 30, ("…xxxx", "…xxxxyyyy…")),
        ("old" + "x" * 30, "new" + "x" * 30, ("oldxxxxxx…", "newxxxxxx…")),
        ("\n" * 12 + "old", "\n" * 12 + "new", ("…\\n\\nold", "…\\n\\nnew")),
    ],
)
def test_two_long_texts_are_shown_where_they_differ(was: str, wanted: str, shown: tuple[str, str]) -> None:
    assert apart(was, wanted, 10) == shown
