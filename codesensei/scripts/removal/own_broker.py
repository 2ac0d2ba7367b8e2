"""Remove the stack's own broker; what it keeps stays unless the stack config drops it."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from codesensei.scripts.base import files
from codesensei.scripts.base.own_broker import OwnBroker
from codesensei.scripts.base.redis_client import BrokerRefused
from codesensei.scripts.base.step import Step
from codesensei.scripts.serving import brokers


def remove(step: Step[object], drop: bool) -> list[Path]:
    """Stop it and remove its unit and configuration; return its data where that is kept."""
    own, data = OwnBroker(step.project), step.project.broker_data
    # One that is down may have something.
    keys = -1
    with contextlib.suppress(OSError, BrokerRefused), own.connect() as client:
        keys = sum(map(int, re.findall(rb"keys=(\d+)", client.ask("INFO", "keyspace"))))
    brokers.remove(step, own)
    if not data.is_dir():
        return []
    if drop or not keys:
        step.converge(files.remove_path(data), f"{data} removed")
        return []
    step.say(f"kept: {data}, the stack's own broker (a deployed onDestroy.database: drop removes it)")
    return [data]
