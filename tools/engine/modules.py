"""Servers of the tests, built from pinned Go modules into the cache."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from .cache import cache_lock, cache_root, digest, make_directory
from .cli import go_command
from .errors import EngineError


def install(name: str, module: Path, packages: Sequence[str], said: str, say: Callable[[str], None]) -> Path:
    """The directory with the programs of these packages, built if need be. Raises EngineError.

    module: the directory with go.mod and go.sum, which pin them. said: what is told before it is built.
    """
    inputs = digest(module / "go.mod", module / "go.sum", platform.system(), platform.machine())
    target = cache_root() / f"{name}-{inputs}"
    if not target.is_dir():
        with cache_lock():
            make_directory(target, lambda directory: _build(name, module, packages, directory, said, say))
    return target


def _build(
    name: str, module: Path, packages: Sequence[str], directory: Path, said: str, say: Callable[[str], None]
) -> None:
    go = go_command(say, False)
    say(f"{name}: building {said}")
    environment = {
        **os.environ,
        "GOTOOLCHAIN": "local",
        "GOFLAGS": f"{os.environ.get('GOFLAGS', '')} -mod=readonly".strip(),
        "CGO_ENABLED": "0",
        "GOWORK": "off",
    }
    command = [str(go), "build", "-trimpath", "-ldflags", "-s -w", "-o", f"{directory}/", *packages]
    done = subprocess.run(command, cwd=module, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise EngineError(f"{name} could not be built from its Go module ({last}): see that the module proxy is there.")
