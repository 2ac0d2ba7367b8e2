"""The table of steps is what both sides have."""

from __future__ import annotations

import dataclasses
import importlib
import typing
from collections.abc import Mapping
from typing import Any

import pytest

from codesensei.wire import codec
from codesensei.wire.manifest import Manifest
from codesensei.wire.steps import STEPS, StepKind
from tests.scripts.examples import MANIFEST


@pytest.mark.parametrize("step", STEPS.values(), ids=lambda step: step.name)
def test_each_step_has_a_module_that_takes_its_data(step: StepKind[object]) -> None:
    module = importlib.import_module(f"codesensei.scripts.steps.{step.name}")
    (given,) = typing.get_args(typing.get_type_hints(module.run)["step"])
    assert given is step.data


def kinds_of(kind: Any) -> set[Any]:
    """All types in a dataclass, those in its parts too."""
    found = set()
    for hint in typing.get_type_hints(kind).values():
        for part in (hint, *typing.get_args(hint)):
            found |= {part} | (kinds_of(part) if dataclasses.is_dataclass(part) else set())
    return found


@pytest.mark.parametrize("step", STEPS.values(), ids=lambda step: step.name)
def test_no_step_takes_what_has_no_type(step: StepKind[object]) -> None:
    loose = {Any, dict, Mapping, list, tuple, object}
    assert not kinds_of(step.data) & loose
    assert all(field.kw_only for field in dataclasses.fields(step.data))  # type: ignore[arg-type]


def test_what_root_keeps_is_what_was_sent() -> None:
    assert codec.from_text(Manifest, codec.to_text(MANIFEST), "step switch") == MANIFEST
    assert codec.decode(Manifest, codec.encode(MANIFEST), "live.json", kept=True) == MANIFEST


def test_a_manifest_of_the_version_before_is_read() -> None:
    """It had more keys: hooks around collectstatic, and the candidate's unit and socket."""
    kept = codec.encode(MANIFEST)
    kept["staticHooks"] = []
    kept["candidate"] |= {"name": "codesensei-candidate-shop.service", "socket": "/srv/x/web.sock"}
    assert codec.decode(Manifest, kept, "live.json", kept=True) == MANIFEST
