"""The peers' own packages, in the cache: never in the checkout's environment."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.bench.tool import ToolError
from tools.engine.cache import cache_lock, cache_root, digest
from tools.engine.errors import EngineError
from tools.engine.python import make_venv


def python_of(requirements: Path) -> Path:
    """The Python that has a peer, installed at the first call; raises ToolError.

    The peer is run as a module: its script names the directory in which the environment was made.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    target = cache_root() / f"{requirements.parent.name}-{digest(requirements, version, sys.executable)}"
    try:
        with cache_lock():
            made = make_venv(target, ["-r", str(requirements)], _say, False, "--no-deps")
    except EngineError as error:
        raise ToolError(f"it cannot be installed: {error}") from None
    return made / "bin" / "python"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
