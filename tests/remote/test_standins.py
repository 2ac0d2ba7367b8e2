"""Stand-ins for Pulumi's plugins say what they are, and a production stack refuses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesensei.remote import standins
from codesensei.remote.errors import RemoteError
from tools.engine import plugins


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the engine has official plugins alone."""
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    monkeypatch.delenv(standins.HOST_VARIABLE, raising=False)
    monkeypatch.delenv(standins.VARIABLE, raising=False)
    program = tmp_path / "plugins" / "resource-command-v1.2.1" / "pulumi-resource-command"
    program.parent.mkdir(parents=True)
    program.touch()
    return tmp_path


def test_official_plugins_are_taken_without_a_word(home: Path) -> None:
    standins.refuse_stand_ins()


@pytest.mark.proves("plugins.stand-ins")
def test_a_stand_in_of_a_resource_is_refused_by_its_name(home: Path) -> None:
    mark = home / "plugins" / "resource-command-v1.2.1" / plugins.MARK
    mark.touch()
    with pytest.raises(RemoteError, match=r"stand-ins for Pulumi's own plugins: resource-command-v1\.2\.1\n") as caught:
        standins.refuse_stand_ins()
    assert "CODESENSEI_STANDINS=accept" in caught.value.fix
    assert "make engine" in caught.value.fix


@pytest.mark.proves("plugins.stand-ins")
def test_a_stand_in_of_the_language_host_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(standins.HOST_VARIABLE, standins.MARK)
    with pytest.raises(RemoteError, match="plugins: the language host\n"):
        standins.refuse_stand_ins()


@pytest.mark.parametrize(("value", "accepted"), [("accept", True), ("1", False), ("", False)])
def test_only_one_word_accepts_them(home: Path, monkeypatch: pytest.MonkeyPatch, value: str, accepted: bool) -> None:
    monkeypatch.setenv(standins.HOST_VARIABLE, standins.MARK)
    monkeypatch.setenv(standins.VARIABLE, value)
    if accepted:
        standins.refuse_stand_ins()
    else:
        with pytest.raises(RemoteError):
            standins.refuse_stand_ins()
