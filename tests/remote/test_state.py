"""The stack's own state, as the engine tells it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from codesensei.remote import RemoteError
from codesensei.remote import state as module

HALF_WRITTEN = Exception("invoke of pulumi:pulumi:readStackOutputs failed: … failed to load checkpoint: EOF")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Answers of the engine, in their order; an exception is raised, the last one repeated."""
    answers: list[Any] = []

    def invoke(question: str, names: dict[str, str]) -> Any:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(value={"outputs": answer})

    monkeypatch.setattr(module, "invoke", invoke)
    monkeypatch.setattr(module, "PAUSES", (0, 0, 0))
    for name in ("organization", "project", "stack"):
        monkeypatch.setattr(pulumi, f"get_{name}", lambda name=name: name)
    return answers


def test_a_stack_without_state(engine: list[Any]) -> None:
    engine += [{}]
    assert module.read_state() == module.State()


def test_a_state_that_is_just_being_written_is_read_again(engine: list[Any]) -> None:
    """Stacks that share a folder are deployed at the same time."""
    engine += [HALF_WRITTEN, {"url": "x"}, HALF_WRITTEN, HALF_WRITTEN, {}]
    assert module.read_state() == module.State(whole=True)


def test_one_that_stays_so_is_an_error_without_traceback(engine: list[Any]) -> None:
    engine += [HALF_WRITTEN]
    with pytest.raises(RemoteError, match="the stack's state: it cannot be read"):
        module.read_state()


def test_other_failures_are_not_hidden(engine: list[Any]) -> None:
    engine += [ValueError("permission denied")]
    with pytest.raises(ValueError, match="permission denied"):
        module.read_state()
