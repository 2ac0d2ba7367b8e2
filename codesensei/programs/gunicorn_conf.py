"""gunicorn's settings: the project's own gunicorn.conf.py without what is not the project's to decide.

Runs inside the project's own Python. What the unit's command line says wins over all of this.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pkgutil
import shlex
import sys
from collections.abc import Callable
from ipaddress import ip_address
from types import ModuleType
from typing import Any

# Socket, processes, user and directory are the unit's, TLS is the edge proxy's; with the rest nothing would be served.
UNIT_DECIDES = frozenset(
    {
        "bind",
        "workers",
        "reuse_port",
        "chdir",
        "daemon",
        "pidfile",
        "user",
        "group",
        "initgroups",
        "reload",
        "certfile",
        "keyfile",
        "ssl_context",
        "proxy_protocol",
        "protocol",
        "check_config",
        "print_config",
        "wsgi_app",
        "graceful_timeout",
        "accesslog",
        "errorlog",
        "control_socket",
    }
)
UNIT_SETS = frozenset({"PATH", "HOME", "VIRTUAL_ENV", "DJANGO_SETTINGS_MODULE", "PYTHONUNBUFFERED"})
DEFAULT_FILE = "gunicorn.conf.py"


def project_place() -> str:
    """Where the project's own settings are: as GUNICORN_CMD_ARGS says, else beside manage.py; empty without any."""
    words = shlex.split(os.environ.get("GUNICORN_CMD_ARGS", ""))
    for number, word in enumerate(words):
        if word in ("-c", "--config") and number + 1 < len(words):
            return words[number + 1]
        if word.startswith("--config="):
            return word.partition("=")[2]
    return DEFAULT_FILE if os.path.exists(DEFAULT_FILE) else ""


def project_settings(place: str) -> ModuleType:
    """The project's settings, run as gunicorn itself would."""
    if place.startswith("python:"):
        return importlib.import_module(place[len("python:") :])
    path = os.path.abspath(place[len("file:") :] if place.startswith("file:") else place)
    spec = importlib.util.spec_from_file_location("__config__", path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules["__config__"] = module
    spec.loader.exec_module(module)
    return module


def allowed(settings: dict[str, object]) -> dict[str, object]:
    """What of `settings` may hold."""
    kept = {name: value for name, value in settings.items() if name[:1] != "_" and name not in UNIT_DECIDES}
    if isinstance(kept.get("raw_env"), str):
        kept["raw_env"] = [kept["raw_env"]]
    given = kept.get("raw_env")
    if isinstance(given, (list, tuple)):
        kept["raw_env"] = [text for text in given if str(text).partition("=")[0] not in UNIT_SETS]
    return kept


def say_who_asks(request: Any) -> None:
    """Give a request that came by the socket its client's address (REMOTE_ADDR), as the edge proxy knows it.

    gunicorn has one way to say so: as if the proxy had used the PROXY protocol.
    """
    address = dict(request.headers).get("X-REAL-IP", "")
    try:
        version = ip_address(address).version
    except ValueError:
        return
    request.proxy_protocol_info = {
        "proxy_protocol": "TCP6" if version == 6 else "TCP4",
        "client_addr": address,
        "client_port": 0,
        "proxy_addr": "",
        "proxy_port": 0,
    }


def before_request(own: Callable[[Any, Any], None] | str | None) -> Callable[[Any, Any], None]:
    """gunicorn's hook `pre_request`: ours, then the project's own, which may be the name of one."""
    own = pkgutil.resolve_name(own) if isinstance(own, str) else own

    def pre_request(worker: Any, req: Any) -> None:
        say_who_asks(req)
        if own:
            own(worker, req)
        else:
            worker.log.debug("%s %s", req.method, req.path)

    return pre_request


if place := project_place():
    globals().update(allowed(vars(project_settings(place))))
# Nobody but the edge proxy reaches the socket; gunicorn believes it anyway, workers of other packages ask for this.
globals().setdefault("forwarded_allow_ips", os.environ.get("FORWARDED_ALLOW_IPS", "*"))
pre_request = before_request(globals().get("pre_request"))
# Counts where the command line is silent about it: a secret value must not be in it.
workers = int(os.environ.get("GUNICORN_WORKERS") or 3)
