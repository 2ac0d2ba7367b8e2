"""Whatever stands at whatever place of a stack file, the answer is a spec or a SpecError."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from codesensei.spec import SpecError
from tests.spec.engine import EXAMPLE, load_text

JUNK: list[Any] = [None, "", "\u0000", "ü x'\"$`", "postgres://", -1, 10**30, 1.5, True, [], [None], [{}], {}]
JUNK += [{"": {"a": []}}, {"secure": "clear:x"}, {"secure": 1, "b": 2}, {"kind": "acme"}]


def places(value: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, inner in value.items():
        yield (*at, key)
        if isinstance(inner, dict):
            yield from places(inner, (*at, key))


FILE = yaml.safe_load(EXAMPLE.read_text())


def error_of(directory: Path, text: str) -> SpecError | None:
    try:
        load_text(directory, text)
    except SpecError as error:
        return error
    return None


@pytest.mark.parametrize("place", list(places(FILE["config"])), ids=".".join)
def test_junk(place: tuple[str, ...], tmp_path: Path) -> None:
    errors = []
    for junk in JUNK:
        file = copy.deepcopy(FILE)
        below = file["config"]
        for part in place[:-1]:
            below = below[part]
        below[place[-1]] = junk
        if error := error_of(tmp_path, json.dumps(file)):
            errors.append(error)
    assert all(p.message and p.cure and p.path for error in errors for p in error.problems)
    assert all(error.problems for error in errors)
    assert errors
