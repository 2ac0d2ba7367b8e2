"""The Pulumi engine and its plugins, in a cache outside the checkout. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Callable

from . import cli, plugins
from .cache import cache_lock
from .errors import EngineError
from .plugins import Plugins

__all__ = ["EngineError", "engine_environment", "find", "install", "variables"]


def install(say: Callable[[str], None] = print, install_packages: bool = False) -> Plugins:
    """The engine and its plugins, installed where they are missing.

    say: told what is downloaded, built or installed, before it is done.
    install_packages: allow `apt-get install` of what Python lacks, as root. Raises EngineError.
    """
    with cache_lock():
        return plugins.install(cli.install(say, install_packages), say, install_packages)


def find() -> Plugins:
    """The engine that is installed. Raises EngineError where there is none."""
    command = cli.find()
    found = plugins.find(command) if command else None
    if found is None:
        raise EngineError("The engine is not installed: run `make engine`.")
    return found


def variables(engine: Plugins) -> dict[str, str]:
    """The environment variables that make `pulumi` this engine, with its plugins and no others."""
    values = {
        "PATH": os.pathsep.join([str(engine.pulumi.parent), os.environ.get("PATH", os.defpath)]),
        "PULUMI_HOME": str(engine.home),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
    }
    if engine.plugins != "official":
        values["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
    return values


def engine_environment() -> dict[str, str]:
    """A copy of this process's environment in which `pulumi` is the installed engine. Raises EngineError."""
    return {**os.environ, **variables(find())}
