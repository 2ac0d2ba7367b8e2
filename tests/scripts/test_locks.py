"""Who deploys right now, and what may run beside it."""

from __future__ import annotations

import fcntl
import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.backups import back
from codesensei.scripts.base import locks
from codesensei.scripts.base.step import Failure


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


@pytest.mark.proves("backups.restore", "look.deploying")
def test_a_restore_and_a_deploy_keep_each_other_out(server: Path, make_step: Any) -> None:
    """Each says who the other is."""
    step = make_step("backup")
    with back._no_deploy(step):
        assert locks.deploying("shop").startswith(f"backup of shop (process {os.getpid()}, since ")
        with pytest.raises(Failure, match=r"backup of shop .* runs"), back._no_deploy(step):
            pass
    taken = partial(Failure, "other", "is not tried")
    with locks.held(locks.file_of("project-shop"), taken), pytest.raises(Failure), back._no_deploy(step):
        pass
    with back._no_deploy(step):
        pass
