"""How many processes a candidate gets."""

from __future__ import annotations

import pytest

from codesensei.scripts.serving.candidate import fitting_workers

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
