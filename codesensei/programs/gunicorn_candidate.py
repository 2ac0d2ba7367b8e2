"""gunicorn as a candidate: it says what it serves with, and refuses what would not serve well once it is live."""

from __future__ import annotations

import pkgutil
import runpy
from pathlib import Path
from typing import Any

# Names that no gunicorn.conf.py can have here.
_candidate = runpy.run_path(str(Path(__file__).with_name("candidate.py")))
_live = _candidate["live"](__name__)
globals().update({name: value for name, value in _live.items() if not name.startswith("__")})


def call_own(hook: str, subject: Any) -> None:
    """The project's own function for a hook of gunicorn's, which may be given by its name."""
    if own := _live.get(hook):
        (pkgutil.resolve_name(own) if isinstance(own, str) else own)(subject)


def on_starting(server: Any) -> None:
    """When the class of its workers is known, wherever that is set."""
    for kind in server.worker_class.__mro__:
        if f"{kind.__module__}.".startswith(("uvicorn.workers.", "uvicorn_worker.")):
            raise SystemExit(f"gunicorn.conf.py: worker_class is {kind.__module__}.{kind.__name__}, which is refused")
    call_own("on_starting", server)


def post_worker_init(worker: Any) -> None:
    """When a worker has loaded the project."""
    call_own("post_worker_init", worker)
    _candidate["say"]()
