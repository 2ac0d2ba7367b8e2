"""What serves, and what is asked for, in the smallest form that a story can be told of."""

from __future__ import annotations

from typing import Any

from codesensei.wire import steps
from codesensei.wire.manifest import Candidate, File, HealthCheck, Manifest, RolePassword, Unit

UNITS, SITES = "/etc/systemd/system", "/etc/nginx/sites-available"
RELEASE, REVISION = "1111111-2222222", "1" * 40


def worker(key: str, command: str = "celery -A config worker", **changes: Any) -> Unit:
    return Unit(name=f"shop-{key}.service", kind="worker", stop_timeout=600, command=command, **changes)


def manifest(*workers: Unit, web: str = "", site: str = "", socket: str = "", **changes: Any) -> Manifest:
    """The manifest of a shop with these workers; the texts are those of its files."""
    files = (
        File(path=f"{UNITS}/shop.socket", content=socket),
        File(path=f"{UNITS}/shop.service", content=web),
        File(path=f"{SITES}/shop", content=site),
        *(File(path=f"/etc/codesensei/{one.name}.sh", content=one.command, renews=one.name) for one in workers),
    )
    units = (
        Unit(name="shop.socket", kind="socket", stop_timeout=40),
        Unit(name="shop.service", kind="web", stop_timeout=40),
        *workers,
    )
    health: dict[str, Any] = {
        "path": "/",
        "timeout": 60,
        "accept": ("2xx",),
        "hosts": ("shop.example.com",),
        "scheme": "http",
    }
    health |= {name: changes.pop(name) for name in [*health] if name in changes}
    given: dict[str, Any] = {
        "slug": "shop",
        "user": "deploy",
        "directory": ".",
        "settings_module": "config.settings",
        "files": files,
        "units": units,
        "homes": (),
        "candidate": Candidate(unit="", files=(), workers=changes.pop("web_workers", 3)),
        "health": HealthCheck(**health),
        "database": RolePassword(role="shop", digest="a"),
        "url": "http://shop.example.com/",
        "keep_releases": 5,
        "after_switch": (),
        "tls": None,
        "acme": False,
        "default_tls": None,
    }
    return Manifest(**{**given, **changes})


def build(**changes: Any) -> steps.Build:
    given: dict[str, Any] = {
        "user": "deploy",
        "source": steps.SourceArchive(tar="", sha256=""),
        "directory": ".",
        "settings_module": "config.settings",
        "requirements": "requirements.txt",
        "install_from": ".",
        "in_place": False,
        "venv_id": "",
        "python": "",
        "installer": "uv",
        "server": steps.WebServerPackage(name="gunicorn", version="1"),
        "asgi_declared": None,
        "wsgi_declared": None,
        "static": "serve",
        "static_url": "/static/",
        "media_url": None,
        "database": steps.BuildDatabase(kind="none", name="", role="", variables={}),
        "hooks": steps.Hooks(),
        "lock_timeout": 5,
    }
    return steps.Build(**{**given, **changes})
