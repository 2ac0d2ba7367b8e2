"""A warning is told once in a `pulumi up`, which runs the program twice: for the preview, and for the update."""

from __future__ import annotations

import contextlib
import json
import os

import pulumi

from codesensei.remote.agent import folder_of
from codesensei.wire.text import printable_lines

# The engine's own address for logs: the same in both runs of one command, and another in the next command. Where an
# engine has none, both runs tell.
COMMAND = "PULUMI_LOG_OTLP_ENDPOINT"


def warn(text: str) -> None:
    """Tell the user, unless the preview of the same command has."""
    text, command = printable_lines(text), os.environ.get(COMMAND)
    note = folder_of(pulumi.get_stack()) / "told.json"
    known: dict[str, list[str]] = {}
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(note.read_text())
    told = known.get(command or "", [])
    if pulumi.runtime.is_dry_run() or text not in told:
        pulumi.warn(text)
    if pulumi.runtime.is_dry_run() and command:
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        note.write_text(json.dumps({command: [*told, text]}))
