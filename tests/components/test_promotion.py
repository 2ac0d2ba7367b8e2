"""`promoteFrom`: only code that another stack has served."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from codesensei import remote
from codesensei.remote import RemoteError
from codesensei.wire import policy
from components import promotion
from tests.components import recorder

CODE = recorder.code()
OWN, OTHER = f"{CODE.id[:7]}-1111111", "7777777-1111111"
SINCE = {OTHER: "2026-03-02T10:00:00Z", OWN: "2026-03-01T10:00:00Z"}
PRODUCTION = {"promote_from": "staging", "production": True, "waive": {"backup": "of the tests"}}
FROM = {"promote_from": "staging"}
WAIVED = {"waive": {"promotion": "a night without staging"}}


@pytest.fixture
def selected_stack() -> None:
    """None: no resource is declared here, and an engine that waits for some would wait on."""


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the user is warned of."""
    told: list[str] = []
    monkeypatch.setattr(remote, "warn", told.append)
    monkeypatch.setattr(pulumi, "get_stack", lambda: "prod")
    return told


def require(
    monkeypatch: pytest.MonkeyPatch, served: dict[str, str] | RemoteError, config: dict[str, Any], *here: str
) -> str:
    """Ask of a stack with this config, whose server has served `here`."""

    def served_by(name: str) -> dict[str, str]:
        assert name == "staging"
        if isinstance(served, RemoteError):
            raise served
        return served

    monkeypatch.setattr(remote, "served_by", served_by)
    stack: Any = SimpleNamespace(
        config=SimpleNamespace(**{"promote_from": "", "production": False, "waive": {}, **config})
    )
    access: Any = SimpleNamespace(look=remote.Look(served=here))
    return promotion.require(stack, CODE, access)


@pytest.mark.proves("promotion.served")
@pytest.mark.parametrize(
    ("served", "says"),
    [
        (SINCE, "staging served this code, from 2026-03-01T10:00:00Z on"),
        ({OWN: SINCE[OWN]}, "staging serves this code, from 2026-03-01T10:00:00Z on"),
    ],
)
def test_what_the_other_stack_has_served_is_told(
    monkeypatch: pytest.MonkeyPatch, warnings: list[str], served: dict[str, str], says: str
) -> None:
    assert require(monkeypatch, served, PRODUCTION) == require(monkeypatch, served, PRODUCTION, OTHER) == says
    assert warnings == []


@pytest.mark.proves("promotion.refused")
def test_other_code_is_a_warning_and_in_production_refused_unless_waived(
    monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    served = {OTHER: SINCE[OTHER]}
    why = f"staging has not served this code: its latest is {OTHER}, since 2026-03-02T10:00:00Z"
    assert require(monkeypatch, served, FROM) == ""
    assert warnings.pop().startswith(f"codesensei:promoteFrom: {why}\nfix: deploy {CODE.checkout.short} there first")
    with pytest.raises(pulumi.RunError, match=f"^codesensei:promoteFrom: {why}") as refused:
        require(monkeypatch, served, PRODUCTION)
    assert policy.waiver(["promotion"]) in str(refused.value)
    assert require(monkeypatch, served, FROM | WAIVED) == f"not promoted: {why}"
    assert warnings == []


@pytest.mark.proves("promotion.refused")
def test_a_stack_that_is_not_there_has_served_nothing(monkeypatch: pytest.MonkeyPatch, warnings: list[str]) -> None:
    absent = RemoteError("stack staging", "there is no such stack in this backend", "name one that is there")
    assert require(monkeypatch, absent, FROM) == ""
    (warning,) = warnings
    assert "staging has not served this code: there is no such stack in this backend\nfix: name one" in warning
    with pytest.raises(pulumi.RunError, match="there is no such stack"):
        require(monkeypatch, absent, PRODUCTION)


@pytest.mark.proves("promotion.served")
def test_nothing_is_asked_where_nothing_is_promoted_or_the_code_was_here(
    monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    unasked = RemoteError("stack staging", "was asked", "do not")
    assert require(monkeypatch, unasked, {}) == ""
    assert require(monkeypatch, unasked, PRODUCTION, OTHER, f"{CODE.id[:7]}-9999999") == ""
    assert warnings == []


@pytest.mark.proves("policy.unused")
@pytest.mark.parametrize("config", [{}, FROM])
def test_a_waiver_without_use_is_told(
    monkeypatch: pytest.MonkeyPatch, warnings: list[str], config: dict[str, Any]
) -> None:
    require(monkeypatch, SINCE, config | WAIVED)
    assert warnings == [policy.unused("promotion")]


def test_a_stack_is_not_promoted_from_itself(monkeypatch: pytest.MonkeyPatch, warnings: list[str]) -> None:
    with pytest.raises(pulumi.RunError, match="this stack itself"):
        require(monkeypatch, SINCE, {"promote_from": "prod"})
