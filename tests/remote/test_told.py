"""What a run tells the engine: warnings once, and the outputs that the stack has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import settings

from codesensei.remote import access, told
from codesensei.remote.state import State


@pytest.fixture
def warnings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the user is told; the stack's folder is a scratch directory."""
    said: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pulumi, "get_stack", lambda: "dev")
    monkeypatch.setattr(pulumi, "warn", said.append)
    return said


@pytest.mark.proves("warnings.once")
@pytest.mark.parametrize(
    ("preview", "update", "times"), [("127.0.0.1:7", "127.0.0.1:7", 1), ("127.0.0.1:7", "127.0.0.1:8", 2), ("", "", 2)]
)
def test_the_update_of_a_command_does_not_repeat_its_preview(
    warnings: list[str], monkeypatch: pytest.MonkeyPatch, preview: str, update: str, times: int
) -> None:
    for command, is_preview in ((preview, True), (update, False)):
        monkeypatch.setenv(told.COMMAND, command)
        monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda value=is_preview: value)
        told.warn("a")
    told.warn("b")
    assert warnings == ["a"] * times + ["b"]


@pytest.mark.proves("outputs.kept")
@pytest.mark.parametrize(
    ("outputs", "is_preview", "kept"), [({"url": "x"}, False, 1), ({}, False, 0), ({"a": 1}, True, 0)]
)
def test_an_update_begins_with_the_outputs_that_the_stack_has(
    monkeypatch: pytest.MonkeyPatch, outputs: dict[str, Any], is_preview: bool, kept: int
) -> None:
    registered: list[Any] = []

    class Root(pulumi.ComponentResource):
        def __init__(self) -> None:
            """Nothing is registered."""

        def register_outputs(self, outputs: Any) -> None:
            registered.append(outputs)

    monkeypatch.setattr(settings, "get_root_resource", Root)
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: is_preview)
    access._keep_outputs(State(outputs=outputs))
    assert registered == [outputs] * kept
