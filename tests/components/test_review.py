"""`CODESENSEI_REVIEWED`: an update runs what was reviewed, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from codesensei import remote
from codesensei.remote.state import State, StepState
from codesensei.story import REVIEWED, Previewed
from codesensei.wire.steps import Drift
from components import deploy, review
from tests.components import recorder, stacks

CODE = recorder.code()
STACK: Any = SimpleNamespace(digest="d" * 64)
SERVED = f"{CODE.id[:7]}-1111111"
STATE = State(True, {"switch": StepState(0, "switched"), "packages": StepState(0, "installed")})
DRIFT = Drift(step="switch", thing="shop.service is inactive", lines=())


def access_of(state: State = STATE, served: str = SERVED, **look: Any) -> Any:
    return SimpleNamespace(state=state, served=served, look=remote.Look(**look))


@pytest.fixture
def selected_stack() -> None:
    """None: no resource is declared here, and an engine that waits for some would wait on."""


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is said in a preview that is asked to name its review."""
    lines: list[str] = []
    monkeypatch.setattr(pulumi, "info", lines.append)
    monkeypatch.setattr(remote, "warn", lines.append)
    monkeypatch.setattr(pulumi, "get_stack", lambda: "prod")
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    monkeypatch.setenv(review.ASKED, "1")
    monkeypatch.delenv(REVIEWED, raising=False)
    return lines


@pytest.fixture
def word(told: list[str]) -> str:
    """The word of what is previewed here."""
    review.hold(STACK, CODE, access_of())
    return told.pop().removeprefix("review ")


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch, word: str) -> Callable[..., str]:
    """What an update that is held to that word says; empty where it goes on."""
    monkeypatch.delenv(review.ASKED)
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: False)

    def hold(stack: Any = STACK, code: Any = CODE, access: Any = None, reviewed: str = word) -> str:
        monkeypatch.setenv(REVIEWED, reviewed)
        try:
            review.hold(stack, code, access or access_of())
        except pulumi.RunError as error:
            return str(error)
        return ""

    return hold


@pytest.mark.proves("review.held")
def test_what_was_reviewed_goes_on(held: Callable[..., str], told: list[str]) -> None:
    assert held() == ""
    assert told == []


@pytest.mark.proves("review.held")
def test_what_has_moved_is_named_and_nothing_runs(held: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\n    the code is " in held(code=replace(CODE, id="f" * 64))
    assert "\n    Pulumi.prod.yaml has changed" in held(stack=SimpleNamespace(digest="e" * 64))
    monkeypatch.setattr(review, "_program", lambda: "0" * 64)
    assert "\n    codesensei itself is another version\n" in held()


@pytest.mark.proves("review.held")
def test_before_any_resource_is_declared(
    held: Callable[..., str], word: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stack = replace(stacks.given(tmp_path), digest=STACK.digest)
    access = replace(recorder.access_of(stack, remote.Look(), STATE), served="7777777-1111111")
    monkeypatch.setattr("codesensei.source.read_code", lambda _: CODE)
    monkeypatch.setenv(REVIEWED, word)
    with pytest.raises(pulumi.RunError, match=f"^{REVIEWED}: this is not what was reviewed"):
        deploy(stack, access)


@pytest.mark.proves("review.held")
@pytest.mark.parametrize(
    "access",
    [
        access_of(served="7777777-1111111"),
        access_of(replace(STATE, steps={**STATE.steps, "switch": StepState(0, "again")})),
        access_of(drift=(DRIFT,)),
        access_of(blank=True),
    ],
    ids=["release", "switch", "drift", "another server"],
)
def test_a_server_that_has_moved(held: Callable[..., str], access: Any) -> None:
    said = held(access=access)
    assert said.startswith(f"{REVIEWED}: this is not what was reviewed, and nothing was run\n    what serves, ")
    assert said.endswith(f": {access.served} serves now\nfix: review a new preview, and deploy that")


@pytest.mark.proves("review.again")
def test_a_deploy_that_failed_before_its_switch_may_be_tried_again(held: Callable[..., str]) -> None:
    assert held(access=access_of(replace(STATE, steps={**STATE.steps, "packages": StepState(1, "others")}))) == ""
    blank, begun = access_of(State(), "", blank=True), access_of(State(), "")
    first = str(Previewed.of(CODE.id, STACK.digest, review._live(blank), review._program()))
    assert held(access=blank, reviewed=first) == held(access=begun, reviewed=first) == ""
    assert held(access=begun).endswith("nothing serves yet\nfix: review a new preview, and deploy that")


@pytest.mark.proves("review.held")
@pytest.mark.parametrize(
    ("reviewed", "cause"), [("", "it is empty, so nothing was reviewed"), ("main", "it names no review: 'main'")]
)
def test_a_word_that_is_none(held: Callable[..., str], reviewed: str, cause: str) -> None:
    said = held(reviewed=reviewed)
    assert said == f"{REVIEWED}: {cause}\nfix: take it from the comment that shows the preview"


@pytest.mark.proves("review.whole")
def test_a_secret_from_elsewhere(held: Callable[..., str], told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = SimpleNamespace(digest="")
    assert "a secret of this stack is not in its stack file" in held(stack=elsewhere)
    monkeypatch.delenv(REVIEWED)
    monkeypatch.setenv(review.ASKED, "1")
    review.hold(elsewhere, CODE, access_of())  # type: ignore[arg-type]
    assert [line.endswith("; none is named") for line in told] == [True]


@pytest.mark.parametrize("asked", ["yes", "true", WORD := "1111111.22222222.33333333.44444444"])
def test_another_way_to_ask_is_refused(monkeypatch: pytest.MonkeyPatch, told: list[str], asked: str) -> None:
    monkeypatch.setenv(review.ASKED, asked)
    with pytest.raises(pulumi.RunError, match="it is neither 1 nor 0"):
        review.hold(STACK, CODE, access_of())


@pytest.mark.parametrize("asked", [None, "", "0"])
def test_unasked_nothing_is_named(monkeypatch: pytest.MonkeyPatch, told: list[str], asked: str | None) -> None:
    monkeypatch.delenv(review.ASKED)
    if asked is not None:
        monkeypatch.setenv(review.ASKED, asked)
    review.hold(STACK, CODE, access_of())
    assert told == []


@pytest.mark.proves("review.held")
def test_every_file_of_the_program_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("__main__.py", "codesensei/templates/site.conf.j2", "components/stack.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    monkeypatch.setattr(review, "PROGRAM", tmp_path)
    found = {review._program()}
    for name in ("__main__.py", "codesensei/templates/site.conf.j2", "components/stack.py"):
        (tmp_path / name).write_text("2")
        found.add(review._program())
    assert len(found) == 4
    (tmp_path / "components" / "stack.cpython-311.pyc").write_text("3")
    # What macOS leaves in each folder that somebody has opened.
    (tmp_path / "codesensei" / ".DS_Store").write_bytes(b"\0\xff")
    assert review._program() in found
    (tmp_path / "codesensei" / "picture").write_bytes(b"\0\xff")
    assert review._program() not in found
