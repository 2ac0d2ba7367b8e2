"""The look: what each step did last, and what has changed since."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import proofs, units
from codesensei.scripts.base.step import write_json
from codesensei.scripts.base.units import UnitState
from codesensei.scripts.steps import look
from codesensei.wire import codec, paths
from codesensei.wire.steps import Seen, SeenStep
from tests.scripts.manifests import MAIL, PROJECT, SOCKET, WEB, kept_by_75650ac, manifest


def seen(capsys: pytest.CaptureFixture[str]) -> Seen:
    """What the operator's side reads."""
    assert look.run("shop", []) == 0
    return codec.from_text(Seen, capsys.readouterr().out, "look")


@pytest.fixture
def project(server: Path) -> Path:
    PROJECT.proofs.mkdir(parents=True)
    return server


def test_a_server_that_knows_nothing_of_the_project(server: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert seen(capsys) == Seen()


def test_a_file_changed_by_hand_and_one_that_is_gone(
    project: Path, make_step: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = {"stack": "organization/shop/prod", "identity": "i1", "user": "deploy", "names": {}}
    write_json(paths.SERVER.register, {"format": 1, "slugs": {"shop": entry}, "kept": {}})
    step = make_step("account")
    step.digest = "d1"
    changed, gone = project / "changed", project / "gone"
    for path in (changed, gone):
        path.write_text("")
        step.manage(path)
    proofs.begin(step)
    assert seen(capsys).steps["account"].drift == ("an earlier run was interrupted",)
    proofs.finish(step)
    assert seen(capsys) == Seen(identity="i1", steps={"account": SeenStep(applied="d1", drift=())})
    changed.write_text("by hand")
    gone.unlink()
    drift = (f"{changed} was changed by hand", f"{gone} is gone")
    assert seen(capsys).steps["account"].drift == drift
    proofs.begin(step)
    proofs.abandon(step)
    assert seen(capsys).steps["account"] == SeenStep(applied="d1", drift=drift)


def test_units_that_should_run(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    states = {
        WEB: UnitState(active="activating", file="enabled"),
        SOCKET: UnitState(active="active", file="disabled"),
        MAIL: UnitState(active="failed", file="enabled"),
    }
    monkeypatch.setattr(units, "show", states.__getitem__)
    write_json(PROJECT.live, kept_by_75650ac(manifest()))
    write_json(proofs.path_of(PROJECT, "switch"), {"applied": "d1", "files": {}, "shared": []})
    assert seen(capsys).steps["switch"].drift == (f"{MAIL} is failed", f"{SOCKET} is disabled")
