"""What of the policy is told on the operator's machine, and what the server is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pulumi import Output

from codesensei import remote
from codesensei.wire import codec, policy
from codesensei.wire.steps import Build
from components.release import Release
from tests.components import recorder, stacks

DEBUG = policy.finding("debug", module="config.settings")
WAIVE = "  codesensei:production: true\n  codesensei:waive: {backup: a trial, debug: a trial, plainSecret.A: public}\n"


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    told: list[str] = []
    monkeypatch.setattr(remote, "warn", told.append)
    return told


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str, **changes: Any) -> recorder.Run:
    stack = stacks.loaded(tmp_path, stacks.GIVEN + more)
    monkeypatch.setattr(remote, "refuse_stand_ins", lambda: None)
    return recorder.run(stack, remote.Look(), monkeypatch, findings=(DEBUG,), **changes)


@pytest.mark.proves("policy.preview")
@pytest.mark.slow
def test_what_the_settings_say_plainly_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    run(tmp_path, monkeypatch, "")
    run(tmp_path, monkeypatch, "  codesensei:production: true\n  codesensei:waive: {backup: a trial}\n")
    sentence = policy.sentence(DEBUG)
    told = [text for text in warnings if text.startswith("debug: ")]
    assert told == [sentence, f"{sentence}; pulumi up refuses it, because codesensei:production is true"]
    warnings.clear()
    run(tmp_path, monkeypatch, WAIVE)
    assert [text for text in warnings if text.startswith("debug: ")] == []


@pytest.mark.proves("policy.waive")
@pytest.mark.slow
def test_the_server_gets_the_names_that_it_judges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    for more, waived in (("", ("debug",)), ("  codesensei:backups: {to: /backups/shop}\n", ("backup", "debug"))):
        made = run(tmp_path, monkeypatch, WAIVE + more)
        data = codec.from_text(Build, str(recorder.opened(made.find("shop-build").inputs["stdin"])), "build")
        assert data.waived == waived
        assert data.backups == bool(more)


@pytest.mark.proves("policy.found")
@pytest.mark.parametrize(("answer", "count"), [("release x is built", 0), ('{"warnings": ["check.W004: x"]}', 1)])
def test_what_the_server_found_is_a_warning(
    answer: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    """A build that an earlier version has run says it to nobody."""
    monkeypatch.setattr(Release, "step", lambda self, access, kind, data, *args: Output.from_input(answer))
    run(tmp_path, monkeypatch, "")
    assert warnings.count("check.W004: x") == count
