"""Machines that were kept for copies end with the tests."""

from __future__ import annotations

from tests.scripts.machine import scenarios


def pytest_sessionfinish() -> None:
    scenarios.forget()
