"""What holds for every test."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator

import pytest

# A shell's background job ignores Ctrl-C, and so would every program that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def loop_of_its_own() -> Iterator[None]:
    """Pulumi's outputs take the thread's event loop, which a test before may have used up."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()
