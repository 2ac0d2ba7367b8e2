# Follows the settings in a candidate's: what serves well while nobody is there, and not once it is live, is refused.
import pkgutil
from typing import Any

project_on_starting = globals().get("on_starting")


def on_starting(server: Any) -> None:
    """gunicorn's hook, when the class of its workers is known, wherever that is set; then the project's own."""
    for kind in server.worker_class.__mro__:
        if f"{kind.__module__}.".startswith(("uvicorn.workers.", "uvicorn_worker.")):
            raise SystemExit(f"gunicorn.conf.py: worker_class is {kind.__module__}.{kind.__name__}, which is refused")
    if project_on_starting:
        own = pkgutil.resolve_name(project_on_starting) if isinstance(project_on_starting, str) else project_on_starting
        own(server)
