"""Everything that is wrong, told by one failure."""

from __future__ import annotations

import pytest

from codesensei.scripts.base.step import OURS_LINES, Failure
from codesensei.scripts.base.together import Failures, Together, raise_all


def refuse(thing: str) -> None:
    raise Failure(thing, "it is wrong", f"change {thing}")


def test_all_checks_run_and_all_refusals_are_told() -> None:
    checks = Together()
    for thing in ("a", "b"):
        with checks:
            refuse(thing)
    with checks:
        raise_all([Failure("c", "it is wrong"), Failure("d", "it is wrong")])
    with pytest.raises(Failure, match="a: it is wrong; b: it is wrong; c: it is wrong; d: it is wrong") as caught:
        checks.end()
    caught.value.served = "release x"
    lines = caught.value.text().splitlines()
    assert [line.split()[1] for line in lines if line.startswith("error: ")] == ["a", "b", "c", "d"]
    assert [line for line in lines if line.startswith("fix: ")] == ["fix: change a", "fix: change b"]
    assert lines[-1] == "still served: release x"


def test_another_exception_is_not_kept_for_later() -> None:
    with pytest.raises(KeyError), Together():
        raise KeyError("x")


def test_one_failure_is_itself_and_none_is_nothing() -> None:
    only = Failure("a", "it is wrong")
    with pytest.raises(Failure) as caught:
        raise_all([only])
    assert caught.value is only
    raise_all([])
    Together().end()


def test_a_long_list_stays_short_and_says_so() -> None:
    text = Failures([Failure(f"thing {number}", "it is wrong", "change it") for number in range(40)]).text()
    assert len(text.splitlines()) <= OURS_LINES
    assert text.splitlines()[-1] == "and 28 more, told once these are fixed"
