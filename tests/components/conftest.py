"""The engine as it is before a program runs: a stack's full name is known when its file is read."""

from __future__ import annotations

import pytest

from tests.components import recorder


@pytest.fixture(autouse=True)
def selected_stack() -> None:
    recorder.select()
