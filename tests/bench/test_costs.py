"""How a deploy's costs are held against the kept ones."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace

import pytest

from tests.host.costs import MARK, SAYING, Cost, differences, to_text

COST = Cost(connections=5, steps=["build", "switch"], starts=7, kilobytes=100.0)


def test_the_file_that_is_kept_says_the_costs() -> None:
    found = {"code": COST, "nothing": replace(COST, steps=[], starts=0)}
    kept = json.loads(to_text(found))
    assert kept == {case: asdict(each) for case, each in found.items()}
    assert differences(found, kept) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"connections": 6}, "code: connections 5 became 6"),
        ({"connections": 4}, "code: connections 5 became 4"),
        (
            {"steps": ["build", "environment", "switch"]},
            r"code: steps .*'switch'\] became \['build', 'environment', 'switch'\]",
        ),
        ({"starts": 8}, "code: starts 7 became 8"),
        ({"kilobytes": 111.0}, "code: kilobytes 100.0 became 111.0"),
        ({"kilobytes": 89.0}, "code: kilobytes 100.0 became 89.0"),
    ],
)
def test_each_other_number_is_told(change: dict[str, object], words: str) -> None:
    (found,) = differences({"code": Cost(**{**asdict(COST), **change})}, {"code": asdict(COST)})
    assert re.fullmatch(words, found)


def test_a_little_more_to_send_is_no_other_way() -> None:
    assert differences({"code": replace(COST, kilobytes=108.0)}, {"code": asdict(COST)}) == []


def test_a_case_on_one_side_alone_is_told() -> None:
    assert differences({"code": COST}, {"other": asdict(COST)}) == [
        "code is not kept",
        "other is kept and was not measured",
    ]


def test_the_settings_that_say_so_are_python() -> None:
    assert MARK in str(compile(SAYING, "settings", "exec").co_consts)
