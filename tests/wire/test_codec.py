"""What crosses the connection comes out as it went in, or the error names the key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from codesensei.wire import codec
from codesensei.wire.codec import WireError


@dataclass(frozen=True, kw_only=True)
class Part:
    name: str
    size: int = 3


@dataclass(frozen=True, kw_only=True)
class Whole:
    full_text: str
    parts: tuple[Part, ...]
    by_name: Mapping[str, int]
    kind: Literal["a", "b"]
    seconds: float
    one: Part | None
    flag: bool = False
    notes: Mapping[str, str] = field(default_factory=dict)


WHOLE = Whole(
    full_text="two\nlines\n",
    parts=(Part(name="x"), Part(name="y", size=0)),
    by_name={"lines": 1, "snake_case": 2},
    kind="b",
    seconds=1.5,
    one=None,
    notes={"lines": "one\ntwo"},
)


def test_it_comes_out_as_it_went_in() -> None:
    assert codec.from_text(Whole, codec.to_text(WHOLE), "step x") == WHOLE


def test_keys_are_camel_case_and_defaults_are_left_out() -> None:
    assert codec.encode(WHOLE) == {
        "fullText": "two\nlines\n",
        "parts": [{"name": "x"}, {"name": "y", "size": 0}],
        "byName": {"lines": 1, "snake_case": 2},
        "kind": "b",
        "seconds": 1.5,
        "one": None,
        "notes": {"lines": "one\ntwo"},
    }


def test_a_text_travels_line_by_line() -> None:
    """So that a preview shows a change of one line as one."""
    assert '"two",\n' in codec.to_text(WHOLE)
    assert not codec.to_text(WHOLE).startswith("{")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"typo": 1}, "step x: typo: it is not known"),
        ({"fullText": None}, "step x: fullText: it is not of type str"),
        ({"flag": 1}, "step x: flag: it is not of type bool"),
        ({"seconds": True}, "step x: seconds: it is not of type float"),
        ({"kind": "c"}, "step x: kind: it is not one of a, b"),
        ({"parts": [{"name": "x"}, {}]}, "step x: parts[1].name: it is missing"),
        ({"parts": {}}, "step x: parts: it is not a list"),
        ({"byName": {"k": "v"}}, "step x: byName.k: it is not of type int"),
        ({"one": {"name": "x", "more": 1}}, "step x: one.more: it is not known"),
        ({"one": []}, "step x: one: it is not a map"),
    ],
)
def test_another_form_is_refused_with_the_key(change: dict[str, Any], told: str) -> None:
    with pytest.raises(WireError) as caught:
        codec.decode(Whole, {**codec.encode(WHOLE), **change}, "step x")
    assert str(caught.value) == told


def test_a_missing_key_is_refused_by_its_name() -> None:
    data = codec.encode(WHOLE)
    del data["one"]
    with pytest.raises(WireError, match="step x: one: it is missing"):
        codec.decode(Whole, data, "step x")


def test_what_root_has_kept_may_have_keys_of_another_version() -> None:
    data = {**codec.encode(WHOLE), "retired": 1}
    assert codec.decode(Whole, data, "live.json", kept=True) == WHOLE


def test_what_is_no_json_is_refused_without_its_words() -> None:
    with pytest.raises(WireError, match="it is not JSON"):
        codec.from_text(Whole, "--- data\n{secret", "step x")


def test_only_known_kinds_of_values_travel() -> None:
    with pytest.raises(TypeError, match="set cannot be sent"):
        codec.encode({"x": {1}})
