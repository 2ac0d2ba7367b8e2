"""Fixes that can be done at the moment when they are shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base.fixes import again
from codesensei.scripts.base.step import Failure
from codesensei.scripts.release import jobs
from codesensei.scripts.steps import prepare
from tests.scripts.examples import PREPARE


def test_a_step_that_the_state_takes_for_done_is_run_again_by_name() -> None:
    assert (
        again("shop", "build", "prepare")
        == "run it again: pulumi up --replace '**shop-build' --replace '**shop-prepare'"
    )


@pytest.mark.proves("errors.four")
def test_what_another_step_has_made_and_the_server_lost_names_that_step(
    server: Path, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "end_orphans", lambda step: None)
    step = make_step("prepare", "1234567-89abcde", "1" * 40, data=PREPARE)
    with pytest.raises(Failure, match="not built on this server") as caught:
        prepare.run(step)
    assert "--replace '**shop-build'" in caught.value.fix
