"""Fixes that can be done at the moment when they are shown."""

from __future__ import annotations

from codesensei.scripts.base.fixes import again


def test_a_step_that_the_state_takes_for_done_is_run_again_by_name() -> None:
    assert (
        again("shop", "build", "switch") == "run it again: pulumi up --replace '**shop-build' --replace '**shop-switch'"
    )
