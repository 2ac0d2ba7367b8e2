"""Waivers in a story."""

from __future__ import annotations

import pytest

from codesensei import story
from tests.story.parts import build


@pytest.mark.proves("policy.listed")
def test_every_waiver_is_told_with_its_reason_and_those_that_have_gone() -> None:
    waived = {f"check.own.W{number:03}": f"reason {number}" for number in range(15)} | {"plainSecret.A": "public"}
    was, wanted = build(waived=("check.W004", "check.own.W000")), build(waived=tuple(sorted(waived)[:-1]))
    told = story.of_policy(was, wanted, waived)
    assert told.name == "policy"
    assert told.entries[0] == "check.own.W000 is waived: reason 0"
    assert told.entries[-2:] == ("plainSecret.A is waived: public", "- check.W004")
    assert len(told.entries) == 17
    assert story.of_policy(None, build(), {}).entries == ()


@pytest.mark.proves("policy.listed")
def test_another_set_of_waivers_is_a_change() -> None:
    assert story.changes_policy(build(), build(waived=("debug",)))
    assert not story.changes_policy(build(waived=("debug",)), build(waived=("debug",)))
    assert not story.changes_policy(None, build(waived=("debug",)))
