"""The engine as it is before a program runs: a stack's full name is known when its file is read."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from codesensei import remote
from tests.components import recorder


@pytest.fixture(autouse=True)
def selected_stack() -> None:
    recorder.select()


@pytest.fixture(autouse=True)
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The hostnames of each question for where they lead; no test here asks DNS."""
    asked: list[list[str]] = []

    def remarks(hostnames: Iterable[str], host: str) -> dict[str, str]:
        asked.append([*hostnames])
        return dict.fromkeys(asked[-1], f"leads past {host}")

    monkeypatch.setattr(remote, "remarks", remarks)
    return asked
