"""What a preview says of hardening before the first deploy, and what could not be closed afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesensei import remote
from codesensei.wire.register import Entry, Register
from components.base import warn_of
from tests.components import recorder, stacks

OTHER = Register(slugs={"blog": Entry(stack="acme/codesensei/blog", identity="x", user="blog", names={})})
CLOSES = "a firewall lets in SSH, 80 and 443 only, SSH takes keys only"


def told(folder: Path, monkeypatch: pytest.MonkeyPatch, hardening: str, look: remote.Look) -> list[str]:
    warnings: list[str] = []
    monkeypatch.setattr(remote, "warn", warnings.append)
    text = stacks.GIVEN.replace("host: 203.0.113.7, ", f"host: 203.0.113.7, hardening: {hardening}, ", 1)
    recorder.run(stacks.loaded(folder, text), look, monkeypatch)
    return [text for text in warnings if "firewall" in text]


@pytest.mark.proves("hardening.shown", "hardening.off")
@pytest.mark.parametrize(
    ("hardening", "look", "count"),
    [
        ("auto", remote.Look(blank=True), 1),
        ("auto", remote.Look(), 1),
        ("auto", remote.Look(blank=True, register=OTHER), 0),
        ("auto", remote.Look(repairs={"packages": 0}), 0),
        ("on", remote.Look(blank=True, register=OTHER), 1),
        ("on", remote.Look(repairs={"packages": 0}), 0),
        ("off", remote.Look(blank=True), 0),
    ],
)
def test_a_first_preview_says_what_will_be_closed(
    hardening: str, look: remote.Look, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = told(tmp_path, monkeypatch, hardening, look)
    assert len(found) == count
    for text in found:
        assert CLOSES in text
        assert ("if nothing but SSH runs there yet" in text) == (hardening == "auto")
        assert "set codesensei:server.hardening to off" in text


@pytest.mark.proves("hardening.firewall")
def test_what_could_not_be_closed_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(remote, "warn", warnings.append)
    for answer in ("unchanged", "", "installed nginx", '{"warnings": ["firewall: not set up"]}'):
        warn_of(answer, "step packages")
    assert warnings == ["firewall: not set up"]
