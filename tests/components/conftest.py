"""The engine as it is before a program runs: a stack's full name is known when its file is read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.components import recorder


@pytest.fixture(autouse=True)
def selected_stack() -> None:
    recorder.select()


@pytest.fixture(autouse=True)
def an_event_loop() -> Iterator[None]:
    """Pulumi's mocks take the thread's loop, which a test of another room may have ended."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()
