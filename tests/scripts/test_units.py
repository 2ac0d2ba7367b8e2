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


def test_several_units_are_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def systemctl(*words: str) -> Result:
        asked.append(words[2:])
        return Result("ActiveState=active\nMainPID=7\n\nActiveState=failed\nMainPID=0\n", "", 0)

    monkeypatch.setattr(units, "systemctl", systemctl)
    found = units.show_all(["shop.service", "shop-mail.service"])
    assert {name: state.active for name, state in found.items()} == {
        "shop.service": "active",
        "shop-mail.service": "failed",
    }
    assert units.show_all([]) == {}
    assert asked == [("shop.service", "shop-mail.service")]


@pytest.mark.parametrize(
    ("said", "enabled", "reads"),
    [
        ("NeedDaemonReload=no\nUnitFileState=enabled\n\nNeedDaemonReload=no\nUnitFileState=enabled\n", True, False),
        ("NeedDaemonReload=no\nUnitFileState=enabled\n\nNeedDaemonReload=yes\nUnitFileState=enabled\n", True, True),
        # It asked for the state before the unit was enabled, and goes on with that.
        ("NeedDaemonReload=no\nUnitFileState=enabled\n\nNeedDaemonReload=no\nUnitFileState=disabled\n", True, True),
        ("NeedDaemonReload=no\nUnitFileState=transient\n", False, False),
        ("NeedDaemonReload=yes\nUnitFileState=\n", False, True),
    ],
)
def test_systemd_reads_again_what_it_knows_otherwise(
    monkeypatch: pytest.MonkeyPatch, said: str, enabled: bool, reads: bool
) -> None:
    calls = []

    def systemctl(*words: str) -> Result:
        calls.append(words[0])
        return Result(said, "", 0)

    monkeypatch.setattr(units, "systemctl", systemctl)
    units.read_again(["shop.service"], enabled=enabled)
    assert calls == ["show", "daemon-reload"][: 1 + reads]
