"""The candidate's unit: which release it runs, and how many processes it gets."""

from __future__ import annotations

import pytest

from codesensei.render import units
from codesensei.scripts.base.commands import Result
from codesensei.scripts.release.release import Release
from codesensei.scripts.serving import candidate
from codesensei.scripts.serving.candidate import fitting_workers
from codesensei.wire.paths import ProjectPaths
from tests.render.examples import names

MEBIBYTE = 2**20


@pytest.mark.parametrize(
    ("wanted", "used", "available", "fitting"),
    [
        (3, 400, 4000, 3),
        (3, 400, 500, 3),
        (3, 400, 400, 2),
        (3, 400, 150, 1),
        (3, 400, 0, 1),
        (1, 100, 50, 1),
        (8, 0, 100, 8),
    ],
)
def test_processes_fit_into_what_is_free(wanted: int, used: int, available: int, fitting: int) -> None:
    assert fitting_workers(wanted, used * MEBIBYTE, available * MEBIBYTE) == fitting


def test_the_unit_runs_the_release_that_is_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidate, "systemctl", lambda *words, check: Result("[not set]\n", "", 0))
    text = units.candidate_unit(
        names(), directory=".", title="Shop", settings_module="x", server="gunicorn", application="x:application"
    )
    manifest = {"candidate": {"unit": text, "workers": 3}, "units": [{"name": "shop.service", "kind": "web"}]}
    release = Release(ProjectPaths("shop"), "4f2a9c1-8be01d7", "deploy", ".", "x")
    unit = candidate.unit_text(release, manifest)
    assert "WorkingDirectory=/srv/codesensei/shop/releases/4f2a9c1-8be01d7\n" in unit
    assert units.RELEASE in text
    assert units.RELEASE not in unit
