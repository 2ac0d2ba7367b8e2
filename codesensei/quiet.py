"""How a run begins: soon, and so that the real error is easy to find when a deploy fails."""

from __future__ import annotations

import gc
import os
import signal

# The exit code of Pulumi's own Python host for a program that was told to stop.
_STOPPED = 32
# Objects that are new before Python looks for garbage; its own default is 700.
_NEW = 50_000


def stop_quietly_on_interrupt() -> None:
    """End the program without a traceback on SIGINT; call it first.

    When a resource fails, the engine interrupts the program, and Python would print a long traceback over the error.
    """
    signal.signal(signal.SIGINT, lambda *_: os._exit(_STOPPED))


def collect_seldom() -> None:
    """Look for garbage seldom: a run is short, and while modules load the search took a seventh of the time."""
    gc.set_threshold(_NEW)
