"""Keep the real error easy to find when a deploy fails."""

from __future__ import annotations

import os
import signal

# The exit code of Pulumi's own Python host for a program that was told to stop.
_STOPPED = 32


def stop_quietly_on_interrupt() -> None:
    """End the program without a traceback on SIGINT; call it first.

    When a resource fails, the engine interrupts the program, and Python would print a long traceback over the error.
    """
    signal.signal(signal.SIGINT, lambda *_: os._exit(_STOPPED))
