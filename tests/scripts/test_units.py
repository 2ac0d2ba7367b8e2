"""What systemd says of units."""

from __future__ import annotations

import pytest

from codesensei.scripts.base import units
from codesensei.scripts.base.commands import Result


@pytest.mark.parametrize(
    ("said", "active", "ended"),
    [
        ("ActiveState=active\nSubState=running\nInvocationID=0a1b\nMainPID=7\n", True, False),
        ("ActiveState=inactive\nSubState=dead\nInvocationID=\n", False, True),
        ("ActiveState=failed\nResult=exit-code\n", False, True),
        ("ActiveState=deactivating\n", False, False),
    ],
)
def test_the_state_of_a_unit(monkeypatch: pytest.MonkeyPatch, said: str, active: bool, ended: bool) -> None:
    monkeypatch.setattr(units, "systemctl", lambda *_: Result(said, "", 0))
    state = units.show("shop.service")
    assert (units.is_active("shop.service"), state.has_ended) == (active, ended)
    if active:
        assert (state.invocation, state.main_pid, state.restarts) == ("0a1b", "7", "")
