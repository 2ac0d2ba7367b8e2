"""Pebble, the ACME authority of the tests, built from its Go module into the cache. Standard library only."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.engine.cache import cache_lock, cache_root, digest, make_directory
from tools.engine.cli import go_command
from tools.engine.errors import EngineError

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
    inputs = digest(HERE / "go.mod", HERE / "go.sum", platform.system(), platform.machine())
    target = cache_root() / f"pebble-{inputs}"
    if not target.is_dir():
        with cache_lock():
            make_directory(target, lambda directory: _build(directory, say))
    return Pebble(*(target / name for name in PROGRAMS))


def _build(directory: Path, say: Callable[[str], None]) -> None:
    go = go_command(say, False)
    say("pebble: building the ACME authority of the tests from its Go module (once, less than a minute)")
    environment = {
        **os.environ,
        "GOTOOLCHAIN": "local",
        "GOFLAGS": f"{os.environ.get('GOFLAGS', '')} -mod=readonly".strip(),
        "CGO_ENABLED": "0",
        "GOWORK": "off",
    }
    packages = [f"{MODULE}/cmd/{name}" for name in PROGRAMS]
    command = [str(go), "build", "-trimpath", "-ldflags", "-s -w", "-o", f"{directory}/", *packages]
    done = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise EngineError(f"Pebble could not be built from its Go module ({last}): see that the module proxy is there.")
