"""The demo's own failures."""

from __future__ import annotations


class DemoError(Exception):
    """What stops the demo. The text says what happened and what to do; no traceback is shown."""
