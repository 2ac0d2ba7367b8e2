"""Who deploys right now."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest

from codesensei.scripts.base import locks


@pytest.mark.proves("look.deploying")
@pytest.mark.parametrize(
    ("name", "slug", "told"), [("project-shop", "shop", 1), ("server", "shop", 1), ("server", "desk", 0)]
)
def test_a_held_lock_names_the_step_that_runs_and_since_when(server: Path, name: str, slug: str, told: int) -> None:
    file = locks.file_of(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    assert locks.deploying("shop") == ""
    note = {"step": "build", "slug": slug, "pid": 7, "since": "08:10:03"}
    locks.note_of(name).write_text(json.dumps(note))
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert locks.deploying("shop") == ("build of shop (process 7, since 08:10:03)" if told else "")
    assert locks.deploying("shop") == ""
