"""The stack's own state, as the engine tells it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from codesensei.remote import RemoteError
from codesensei.remote import state as module
from codesensei.remote.state import StepState
from codesensei.wire.digests import of_step

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


RUN = "/usr/local/lib/codesensei/shop/run"


def command(create: str | None, **outputs: Any) -> dict[str, Any]:
    return {"type": "command:remote:Command", "outputs": {"create": create, **outputs}}


@pytest.mark.proves("source.new-server")
def test_each_step_has_its_number_and_the_digest_of_its_inputs() -> None:
    resources = {
        "a": command("sh -s shop claim 1 acme/codesensei/prod x false 0123abc", stdin="the bundle"),
        "copied-first": {"type": "command:remote:CopyToRemote", "outputs": {"triggers": [4.0, 7.0, "a machine"]}},
        "b": command(f"sudo -n {RUN} build 1 'a b' 9c1e repair=3", stdin="data"),
        "c": command(f"{RUN} switch 1 a b mend=2", stdin=None),
        "teardown": command(None, delete=f"sh -c x sh {RUN} destroy 1", stdin="the end"),
        "hand-made": command("echo hello"),
        "copied-last": {"type": "command:remote:CopyToRemote", "outputs": {"triggers": [3.0, "203.0.113.7:22"]}},
        "local": {"type": "command:local:Command", "outputs": {"create": f"{RUN} build 1 x"}},
        "stack": {"type": "pulumi:pulumi:Stack", "outputs": {}},
        "server": {"type": "codesensei:index:Server", "outputs": {"host": "203.0.113.7", "identity": "an-identity"}},
    }
    assert module.State.of(resources) == module.State(
        whole=True,
        steps={
            "claim": StepState(0, of_step(["claim", "1", "acme/codesensei/prod", "x", "false", "0123abc"], "")),
            "build": StepState(3, of_step(["build", "1", "a b", "9c1e"], "data")),
            "switch": StepState(2, of_step(["switch", "1", "a", "b"], "")),
        },
        copy=4,
        identity="an-identity",
        destroy="the end",
    )


@pytest.mark.parametrize("sudo", ["", "sudo -n "])
def test_the_claim_that_reads_a_file_is_the_one_that_read_the_bundle(sudo: str) -> None:
    """A stack of the version before is taken over without drift."""
    rest = "shop claim 1 acme/codesensei/prod x false 0123abc repair=2"
    lines = (f"{sudo}sh -s {rest}", f"{sudo}sh -s .codesensei-shop-0123abc.sh {rest}")
    states = [module.State.of({"a": command(create)}) for create in lines]
    assert states[0].steps.keys() == {"claim"}
    assert states[1] == states[0]


def test_a_stack_without_state(engine: list[Any]) -> None:
    engine += [{}]
    assert module.read_state() == module.State()


def test_a_state_that_is_just_being_written_is_read_again(engine: list[Any]) -> None:
    """Stacks that share a folder are deployed at the same time."""
    engine += [HALF_WRITTEN, {"url": "x"}, HALF_WRITTEN, HALF_WRITTEN, {}]
    assert module.read_state() == module.State(whole=True, outputs={"url": "x"})


def test_one_that_stays_so_is_an_error_without_traceback(engine: list[Any]) -> None:
    engine += [HALF_WRITTEN]
    with pytest.raises(RemoteError, match="the stack's state: it cannot be read"):
        module.read_state()


def test_other_failures_are_not_hidden(engine: list[Any]) -> None:
    engine += [ValueError("permission denied")]
    with pytest.raises(ValueError, match="permission denied"):
        module.read_state()
