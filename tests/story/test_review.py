"""The word of a review: what it names, and what it says has moved."""

from __future__ import annotations

import pytest

from codesensei.story import Previewed

DIGESTS = {"code": "1" * 64, "file": "2" * 64, "live": "3" * 64, "program": "4" * 64}
WORD = "1111111.22222222.33333333.44444444"
SENTENCES = {
    "code": "the code is aaaaaaa, of commit c0ffee1; reviewed was 1111111",
    "file": "Pulumi.prod.yaml has changed, or a plain value that it takes from elsewhere",
    "live": "what serves, or what was changed by hand on the server, is not what it was: 5e5e5e5-1 serves now",
    "program": "codesensei itself is another version",
}


def moved(now: Previewed, served: str = "5e5e5e5-1") -> list[str]:
    return [*now.moved(Previewed.of(**DIGESTS), "c0ffee1", "Pulumi.prod.yaml", served)]


@pytest.mark.proves("review.held")
@pytest.mark.parametrize("part", DIGESTS)
def test_each_part_says_that_it_has_moved(part: str) -> None:
    assert moved(Previewed.of(**DIGESTS)) == []
    assert moved(Previewed.of(**{**DIGESTS, part: "a" * 64})) == [SENTENCES[part]]


@pytest.mark.proves("review.held")
def test_all_of_them() -> None:
    assert moved(Previewed.of(*["a" * 64] * 4)) == [*SENTENCES.values()]
    assert moved(Previewed.of(*["a" * 64] * 4), served="")[2].endswith(": nothing serves yet")


def test_a_word_is_read_as_it_was_written() -> None:
    made = Previewed.of(**DIGESTS)
    assert str(made) == WORD
    assert Previewed.read(WORD) == made


@pytest.mark.parametrize(
    "word", ["", "x", WORD[:-1], f"{WORD}0", f" {WORD}", f"{WORD}\n", WORD.replace("1", "g"), WORD.upper()[:0]]
)
def test_anything_else_is_none(word: str) -> None:
    assert Previewed.read(word) is None
