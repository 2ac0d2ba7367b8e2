"""Names of the policy's rules, and what is no finding of a site."""

from __future__ import annotations

import re

import pytest
import yaml

from codesensei.wire import policy
from codesensei.wire.policy import RULES


@pytest.mark.proves("policy.found")
@pytest.mark.parametrize(
    ("check_id", "name"),
    [
        ("security.W004", "check.W004"),
        ("axes.W003", "check.axes.W003"),
        ("security.W009", "secretKey"),
        ("security.W018", "debug"),
        ("my app: 1", "check.my-app-1"),
    ],
)
def test_each_check_has_a_name_that_a_stack_file_can_waive(check_id: str, name: str) -> None:
    assert policy.of_check(check_id) == name
    assert policy.name_problem(name) == ""
    assert re.fullmatch(policy.NAME_PATTERN, name)


@pytest.mark.proves("policy.waive")
@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("hsts", "the rules are debug, secretKey, allowedHosts, backup, promotion, plainSecret.<variable>, or check"),
        ("plainSecret", "the rules are"),
        ("check.", "the rules are"),
        ("plainSecret.", "the rules are"),
        ("check.security.W004", "write check.W004"),
        ("check.W009", "write secretKey"),
        ("check.W018", "write debug"),
    ],
)
def test_another_name_is_none(name: str, fix: str) -> None:
    assert policy.name_problem(name).startswith(fix)


@pytest.mark.proves("policy.edge")
def test_what_nginx_serves_decides_which_rules_count() -> None:
    names = [name for name in RULES if name.startswith("check.W")]
    assert [name for name in names if policy.is_moot(name, plain_http=False)] == ["check.W008"]
    without = {name for name in names if policy.is_moot(name, plain_http=True)}
    assert without == {f"check.W{number}" for number in ("004", "005", "008", "010", "011", "012", "016", "021")}


@pytest.mark.proves("policy.found")
@pytest.mark.parametrize(
    ("key", "weak"),
    [
        ("abcde" * 10, False),
        ("abcde" * 9 + "abcd", True),
        ("abcd" * 20, True),
        ("django-insecure-" + "abcdefgh" * 10, True),
        ("", True),
    ],
)
def test_a_key_is_weak_as_django_has_it(key: str, weak: bool) -> None:
    assert policy.is_weak(key) is weak


@pytest.mark.proves("policy.found")
def test_what_is_to_be_pasted_is_a_part_of_a_stack_file() -> None:
    parsed = yaml.safe_load(policy.waiver(["debug", "check.axes.W003"]))
    assert parsed == {"codesensei:waive": {"debug": "…", "check.axes.W003": "…"}}


def test_every_rule_says_what_is_wrong_and_the_fix() -> None:
    words = {"module": "shop.settings", "variable": "TOKEN", "message": "it is odd", "stack": "staging", "why": "x"}
    for name in RULES:
        found = policy.finding(name, **words)
        assert found.thing == name
        assert found.cause
        assert found.fix
        assert not re.search(r"\{(module|variable|message)", policy.sentence(found))
