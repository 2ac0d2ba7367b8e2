"""Whatever stands at whatever place of a stack file, the answer is a config or a BadConfig."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pulumi.runtime import set_all_config

from codesensei.config import BadConfig, load
from tests.config.engine import EXAMPLE, config_from

JUNK: list[Any] = [None, "", "\u0000", "ü x'\"$`", "postgres://", -1, 10**30, 1.5, True, [], [None], [{}], {}]
JUNK += [{"": {"a": []}}, {"secure": "clear:x"}, {"secure": 1, "b": 2}, {"kind": "acme"}]


def places(value: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, inner in value.items():
        yield (*at, key)
        if isinstance(inner, dict):
            yield from places(inner, (*at, key))


CONFIG = yaml.safe_load(EXAMPLE.read_text())["config"]


def error_of(config: dict[str, Any]) -> BadConfig | None:
    set_all_config(*config_from(config))
    try:
        load()
    except BadConfig as error:
        return error
    return None


@pytest.mark.slow
@pytest.mark.parametrize("place", list(places(CONFIG)), ids=".".join)
def test_junk(place: tuple[str, ...]) -> None:
    errors = []
    for junk in JUNK:
        config = copy.deepcopy(CONFIG)
        below = config
        for part in place[:-1]:
            below = below[part]
        below[place[-1]] = junk
        if error := error_of(config):
            errors.append(error)
    assert all(p.message and p.fix and p.path for error in errors for p in error.problems)
    assert all(error.problems for error in errors)
    assert errors
