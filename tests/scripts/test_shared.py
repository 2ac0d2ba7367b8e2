"""Files of all projects: of two versions of the product on one server, the newer one's text wins and stays."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import proofs, shared

OLD, NEW = "# old\n", "# new\n"


@pytest.fixture
def bring(server: Path, make_step: Any) -> Any:
    """A function by which a project's step brings a text, as the steps `proxy` and `broker` do."""
    path = server / "etc/base.conf"

    def run(slug: str, text: str, version: int) -> str:
        step = make_step("proxy", slug=slug)
        (step.project.proofs).mkdir(parents=True, exist_ok=True)
        path.write_text(shared.newest(path, text, version))
        step.manage_shared(path)
        shared.remember(path, text, version)
        proofs.finish(step)
        return path.read_text()

    return run


def drift(make_step: Any, slug: str) -> list[str]:
    project = make_step("proxy", slug=slug).project
    return proofs.drift(proofs.read(project, "proxy"))


def test_the_newer_text_stays_whoever_comes_last(bring: Any) -> None:
    assert bring("shop", OLD, 1) == OLD
    assert bring("blog", NEW, 2) == NEW
    assert bring("shop", OLD, 1) == NEW
    assert bring("shop", NEW, 2) == NEW


def test_what_another_project_wrote_is_no_drift_and_a_hand_is(bring: Any, server: Path, make_step: Any) -> None:
    bring("shop", OLD, 1)
    bring("blog", NEW, 2)
    assert drift(make_step, "shop") == drift(make_step, "blog") == []
    (server / "etc/base.conf").write_text("# by hand\n")
    changed = [f"{server}/etc/base.conf was changed by hand"]
    assert drift(make_step, "shop") == drift(make_step, "blog") == changed
    assert bring("shop", OLD, 1) == NEW
    assert drift(make_step, "shop") == drift(make_step, "blog") == []


def test_the_same_version_brings_what_it_says(bring: Any) -> None:
    """While a product is made, its texts change without a new number."""
    bring("shop", OLD, 1)
    assert bring("shop", NEW, 1) == NEW


def test_the_note_of_an_earlier_version_is_read_and_one_of_ours_is_written_alike(bring: Any, server: Path) -> None:
    path = server / "etc/base.conf"
    note = server / "memory/newest" / f"{hashlib.sha256(str(path).encode()).hexdigest()[:16]}.json"
    note.parent.mkdir()
    kept = {"path": str(path), "version": 2, "text": NEW}
    note.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    assert bring("shop", OLD, 1) == NEW
    before = note.read_text()
    assert bring("shop", NEW, 2) == NEW
    assert note.read_text() == before
