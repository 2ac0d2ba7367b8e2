"""Two of the plans that `make migration-plans` tries, with a smaller table: one that is safe, and one that is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.host.debians import on_debian
from tools.sandbox import Server
from tools.trials.migrations import Ground
from tools.trials.plans import PLANS

pytestmark = [pytest.mark.host, pytest.mark.full]


@on_debian(13)
@pytest.mark.proves("migrations.before-switch", "migrations.destructive", "migrations.acknowledged")
def test_plans_under_readers_and_writers(fresh: Callable[[int], Server], place: Path, debian: int) -> None:
    """Nothing is lost, nobody fails, and what is destructive comes in two deploys once it was refused."""
    plans = {plan.name: plan for plan in PLANS}
    ground = Ground(fresh(debian), place / f"plans-{debian}", rows=2000)
    safe, destructive = (ground.run(plans[name]) for name in ("AddField, a Python default", "RemoveField"))
    assert safe.wrong == destructive.wrong == ()
    assert (safe.told, safe.refused, safe.deploys) == ("safe", False, 1)
    assert (destructive.told, destructive.refused, destructive.deploys) == ("destructive", True, 2)
    assert safe.failed == destructive.failed == 0
    assert 0 < safe.acknowledged == safe.found
