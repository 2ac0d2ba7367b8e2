"""Uvicorn as a candidate: each of its processes says what it serves with before it listens."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import uvicorn.config

candidate = runpy.run_path(str(Path(__file__).with_name("candidate.py")))
uvicorn_load = uvicorn.config.Config.load


def load(self: Any) -> None:
    uvicorn_load(self)
    candidate["say"]()


uvicorn.config.Config.load = load  # type: ignore[method-assign]
candidate["live"](__name__)
