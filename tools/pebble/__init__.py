"""Pebble, the ACME authority of the tests, built from its Go module into the cache. Standard library only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.engine import modules

HERE = Path(__file__).parent
MODULE = "github.com/letsencrypt/pebble/v2"
PROGRAMS = ("pebble", "pebble-challtestsrv")

__all__ = ["Pebble", "install"]


@dataclass(frozen=True)
class Pebble:
    """The authority, and the DNS server that it asks."""

    pebble: Path
    dns: Path


def install(say: Callable[[str], None] = print) -> Pebble:
    """Pebble, built if need be. Raises EngineError."""
    packages = [f"{MODULE}/cmd/{name}" for name in PROGRAMS]
    said = "the ACME authority of the tests from its Go module (once, less than a minute)"
    target = modules.install("pebble", HERE, packages, said, say)
    return Pebble(*(target / name for name in PROGRAMS))
