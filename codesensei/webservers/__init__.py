"""The web servers that can serve a project, each a module in this package, found by being there.

Standard library only: this package is part of the toolkit.
"""

from __future__ import annotations

import importlib
import pkgutil

from codesensei.webservers.base import Interface, Process, WebServer

__all__ = ["SERVERS", "Interface", "Process", "WebServer", "web_server"]


def _found() -> dict[str, WebServer]:
    modules = sorted(found.name for found in pkgutil.iter_modules(__path__) if found.name != "base")
    servers: list[WebServer] = [importlib.import_module(f"{__name__}.{name}").SERVER for name in modules]
    return {server.name: server for server in servers}


SERVERS = _found()


def web_server(name: str, interface: Interface) -> WebServer:
    """The server of that name; for `auto` the one that serves `interface` by default."""
    if name != "auto":
        return SERVERS[name]
    return next(server for server in SERVERS.values() if server.is_default and interface in server.interfaces)
