"""Root's own places: their owners and modes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts import main
from codesensei.scripts.base import host
from codesensei.scripts.steps import claim
from codesensei.wire import paths
from codesensei.wire.steps import STEPS


@pytest.mark.proves("root.locks")
def test_locks_are_where_root_alone_may_be(server: Path, make_step: Any) -> None:
    paths.SERVER.locks.rmdir()
    with main._lock(STEPS["claim"], make_step("claim")):
        found = [paths.SERVER.locks, *sorted(paths.SERVER.locks.iterdir())]
        assert [path.stat().st_mode & 0o777 for path in found] == [0o700, 0o600, 0o600]
        assert {path.stat().st_uid for path in found} == {os.getuid()}


@pytest.mark.proves("paths.root")
def test_the_projects_places_are_root_s(server: Path, make_step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    toolkit = paths.SERVER.toolkits / "new"
    toolkit.mkdir(parents=True)
    monkeypatch.setattr(claim, "own_toolkit", lambda: toolkit)
    monkeypatch.setattr(host, "mentions", lambda text, but="": False)
    paths.SERVER.projects.chmod(0o777)
    claim.run(make_step("claim", "org/codesensei/prod", "id1", "false", "hash"))
    modes = {"projects": 0o755, "memory": 0o711, "incoming": 0o711, "config": 0o755}
    assert {name: getattr(paths.SERVER, name).stat().st_mode & 0o777 for name in modes} == modes
