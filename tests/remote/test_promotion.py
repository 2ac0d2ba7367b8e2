"""What another stack has served, as the engine tells of its state."""

from __future__ import annotations

import json
import re
from typing import Any

import pulumi
import pytest

from codesensei.remote import RemoteError, promotion, served_by
from codesensei.wire.steps import RESULT

RUN = "/usr/local/lib/codesensei/shop/run"
SERVED = {"1111111-1111111": "2026-03-01T10:00:00Z", "2222222-1111111": "2026-03-02T10:00:00Z"}

pytestmark = pytest.mark.proves("promotion.served", "promotion.preview")


def answer(served: Any) -> str:
    known = {} if served is None else {"served": served}
    return RESULT + json.dumps({"release": "a", "revision": "b", "url": "c", **known})


def resources(stderr: str) -> dict[str, Any]:
    """A step that is another, one of somebody else's, and the switch."""
    commands = {"a": f"{RUN} build 1 a b", "b": "echo switch", "c": f"sudo -n {RUN} switch 1 a b repair=2"}
    outputs = {name: {"create": line, "stdout": "", "stderr": stderr} for name, line in commands.items()}
    found = {name: {"type": "command:remote:Command", "outputs": given} for name, given in outputs.items()}
    return {"0": {"type": "pulumi:pulumi:Stack", "outputs": {"url": "c"}}, **found}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Its answers by the question."""
    answers: dict[str, Any] = {"readStackOutputs": {"url": "c"}}

    def ask(question: str, **names: str) -> Any:
        assert set(names.values()) == {"acme/codesensei/staging"}
        if isinstance(answers[question], Exception):
            raise answers[question]
        return answers[question]

    monkeypatch.setattr(promotion, "ask_engine", ask)
    monkeypatch.setattr(pulumi, "get_organization", lambda: "acme")
    monkeypatch.setattr(pulumi, "get_project", lambda: "codesensei")
    return answers


def test_the_latest_comes_first(engine: dict[str, Any]) -> None:
    engine["readStackResourceOutputs"] = resources(f"a banner\n{answer(SERVED)}\n")
    assert list(served_by("staging").items()) == list(reversed(SERVED.items()))


@pytest.mark.parametrize(
    ("question", "found", "cause"),
    [
        ("readStackOutputs", Exception('invoke failed: unknown stack "acme/codesensei/staging"'), "no such stack"),
        (
            "readStackOutputs",
            ValueError("failed: incorrect passphrase"),
            "cannot be read: failed: incorrect passphrase",
        ),
        ("readStackOutputs", {}, "it has deployed nothing yet"),
        ("readStackResourceOutputs", {}, "no switch that has ended"),
        ("readStackResourceOutputs", resources(answer(None)), "an earlier version"),
        ("readStackResourceOutputs", resources(answer({})), "an earlier version"),
        ("readStackResourceOutputs", resources("killed"), "an earlier version"),
    ],
)
def test_a_stack_that_does_not_tell_is_named(engine: dict[str, Any], question: str, found: Any, cause: str) -> None:
    engine["readStackResourceOutputs"] = {}
    engine[question] = found
    with pytest.raises(RemoteError, match=rf"^stack staging: .*{re.escape(cause)}"):
        served_by("staging")
