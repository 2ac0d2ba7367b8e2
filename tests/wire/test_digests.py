"""Keyed digests: known values, and that nothing can be moved from one place to another unseen."""

from __future__ import annotations

import re

import pytest

from codesensei.wire import digests as digest


def test_known_values() -> None:
    # Kept as they are: another value here makes every deployed release look changed.
    assert digest.env_id("key", {"A": "1", "B": "2"}) == ENV_ID
    assert digest.keyed("key", "value") == KEYED


@pytest.mark.proves("words.env-id")
def test_order_is_of_no_account() -> None:
    assert digest.env_id("key", {"B": "2", "A": "1"}) == digest.env_id("key", {"A": "1", "B": "2"})


@pytest.mark.proves("words.env-id")
@pytest.mark.parametrize(
    "other",
    [
        {"A": "1", "B": "3"},
        {"A": "1"},
        {"A": "1", "C": "2"},
        {"A": "1B", "": "2"},
        {"A": "", "1B": "2"},
        {"A": "1", "B": "2", "C": ""},
        {"A1": "", "B": "2"},
    ],
)
def test_any_other_variables_give_another_id(other: dict[str, str]) -> None:
    assert digest.env_id("key", other) != digest.env_id("key", {"A": "1", "B": "2"})


@pytest.mark.proves("words.env-id.key")
def test_the_key_counts() -> None:
    assert digest.keyed("key", "value") != digest.keyed("kez", "value")
    assert digest.env_id("key", {"A": "1"}) != digest.env_id("kez", {"A": "1"})


def test_shapes() -> None:
    assert re.fullmatch("[0-9a-f]{64}", digest.env_id("key", {}))
    assert re.fullmatch("[0-9a-f]{10}", digest.keyed("key", ""))


def test_no_digest_without_a_key() -> None:
    with pytest.raises(ValueError, match="needs a key"):
        digest.keyed("", "value")


ENV_ID = "22f4bf862c3cd6e74cd49f0d9f9277ebb51efd5398d969c87dac48ccbc9fe209"
KEYED = "6ab189838e"
