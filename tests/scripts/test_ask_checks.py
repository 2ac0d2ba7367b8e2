"""What the program says that runs the project's checks for a deploy; with as little of Django as it needs."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from codesensei.scripts.release import checks

PROGRAM = Path(checks.__file__).with_name("ask_checks.py")
INFO, WARNING, ERROR = 20, 30, 40


class Message:
    """As Django's CheckMessage."""

    def __init__(self, check_id: str | None, level: int = WARNING, *, silenced: bool = False, hint: str | None = None):
        self.id, self.level, self.msg, self.hint, self.silenced = check_id, level, f"about {check_id}", hint, silenced

    def is_silenced(self) -> bool:
        return self.silenced


def found(monkeypatch: pytest.MonkeyPatch, usual: list[Any], deploying: list[Any]) -> list[dict[str, str]]:
    """What the program finds where these checks are registered."""
    calls: list[str] = []

    def get_checks(include_deployment_checks: bool = False) -> list[Any]:
        calls.append("asked")
        return [*usual, *(deploying if include_deployment_checks else [])]

    modules: dict[str, Any] = {name: ModuleType(name) for name in ("django", "django.core", "django.core.checks")}
    modules["django.core.checks"].WARNING = WARNING
    modules["django.core.checks.registry"] = ModuleType("django.core.checks.registry")
    modules["django.core.checks.registry"].registry = SimpleNamespace(get_checks=get_checks)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    said = runpy.run_path(str(PROGRAM))["found"]()
    assert json.loads(json.dumps(said)) == said
    return list(said)


def saying(*messages: Message) -> Any:
    return lambda app_configs, databases: list(messages)


@pytest.mark.proves("policy.found")
def test_only_what_is_found_for_a_deploy_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of these, warnings and errors; Django's own silence holds, but not for a weak key."""
    usual = [saying(Message("models.W042"))]
    deploying = [
        saying(Message("security.W012"), Message("security.I001", INFO), Message("security.W004", silenced=True)),
        saying(Message("security.W009", silenced=True), Message("axes.E001", ERROR, hint="do it")),
        lambda app_configs, databases: None,
        saying(Message(None)),
    ]
    assert [(one["id"], one["hint"]) for one in found(monkeypatch, usual, deploying)] == [
        ("axes.E001", "do it"),
        ("security.W009", ""),
        ("security.W012", ""),
        ("unnamed", ""),
    ]


@pytest.mark.proves("policy.found")
def test_a_check_that_fails_is_a_finding_and_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(app_configs: object, databases: object) -> None:
        raise KeyError("canary")

    (one,) = found(monkeypatch, [], [broken])
    assert one["id"].endswith("broken")
    assert one["message"] == "it ended with KeyError"
    assert "canary" not in json.dumps(one)
