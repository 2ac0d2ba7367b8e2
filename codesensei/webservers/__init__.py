"""The web servers that can serve a project, each a module of this package: it is found by being there."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping

from codesensei.webservers.base import Interface, Process, WebServer, process_count

__all__ = ["NAMES", "SERVERS", "Interface", "Process", "WebServer", "default", "named", "process_count"]


def _found() -> Mapping[str, WebServer]:
    modules = sorted(found.name for found in pkgutil.iter_modules(__path__) if found.name != "base")
    servers: list[WebServer] = [importlib.import_module(f"{__name__}.{name}").SERVER for name in modules]
    return {server.name: server for server in servers}


SERVERS = _found()
NAMES = tuple(SERVERS)


def named(name: str) -> WebServer:
    """The server that the stack config calls so."""
    return SERVERS[name]


def default(interface: Interface) -> WebServer:
    """What serves `interface` where the stack config names no server."""
    return next(server for server in SERVERS.values() if server.is_default and interface in server.interfaces)
