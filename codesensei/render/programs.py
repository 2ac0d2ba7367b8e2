"""The programs in `codesensei/programs`, sent to the server unchanged."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "programs"
STOP_WORKER = "stop_worker.sh"
# What a candidate's program begins with, and how it finds that of the live process.
CANDIDATE, LIVE = "candidate.py", "live.py"


def program(name: str) -> str:
    """The text of a program."""
    return (FOLDER / name).read_text()
