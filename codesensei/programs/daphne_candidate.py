"""Daphne as a candidate: it says what it serves with before it listens."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import daphne.server  # before anything of Twisted: it chooses the reactor

candidate = runpy.run_path(str(Path(__file__).with_name("candidate.py")))
daphne_run = daphne.server.Server.run


def run(self: Any) -> None:
    candidate["say"]()
    daphne_run(self)


daphne.server.Server.run = run
candidate["live"](__name__)
