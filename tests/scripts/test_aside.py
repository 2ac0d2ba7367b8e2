"""Questions that are asked side by side."""

from __future__ import annotations

import threading

import pytest

from codesensei.scripts.base.aside import begin


def test_both_are_asked_before_either_is_answered() -> None:
    met = threading.Barrier(2)
    first, second = (begin(lambda: met.wait(timeout=10)) for _ in range(2))
    assert sorted([first(), second()]) == [0, 1]


def test_what_a_question_raises_is_raised_where_its_answer_is_taken() -> None:
    answer = begin(lambda: int("nothing"))
    with pytest.raises(ValueError, match="nothing"):
        answer()
