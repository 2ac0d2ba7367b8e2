"""What is built: the project at one commit, what its own files say, and the names under which that is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from codesensei import webservers
from codesensei.config import StackConfig
from codesensei.config.project import ProjectConfig
from codesensei.source.archive import Checkout
from codesensei.source.git import open_source
from codesensei.source.inspect import SettingsFacts, django_directory, migrations, read_settings
from codesensei.source.requirements import Closure, requirements_closure
from codesensei.source.server import choose_server
from codesensei.webservers import WebServer
from codesensei.wire import digests


@dataclass(frozen=True)
class Code:
    """The project at one commit, and what serves it.

    `id`: 64 hexadecimal digits for all that a release is built from; its name has the first 7. `packages_id` is the
    same for its packages alone.
    """

    checkout: Checkout
    settings: SettingsFacts
    requirements: Closure
    migrations: tuple[str, ...]
    id: str
    packages_id: str
    server: WebServer


def read_code(config: StackConfig, cache: Path | None = None) -> Code:
    """Read the project's source on this machine; every check that needs no server is done here, in preview.

    `cache` is where mirrors and archives are kept; default: the operator's own cache directory.
    """
    project = config.project
    checkout = open_source(project, cache_dir=cache)
    closure = requirements_closure(checkout, project.requirements, django_directory(checkout, project.directory))
    settings = read_settings(checkout, project, closure)
    server = choose_server(checkout, settings, config)
    built = _built_from(project, closure, settings, server)
    identity = code_id(checkout.revision, project, closure, settings, server)
    return Code(
        checkout=checkout,
        settings=settings,
        requirements=closure,
        migrations=tuple(migrations(checkout)),
        id=identity,
        # Requirements that are not fixed by their text alone (a local path, a moving branch) belong to one commit.
        packages_id=identity if closure.per_release else hashlib.sha256("\n".join(built).encode()).hexdigest(),
        server=server,
    )


def code_id(revision: str, project: ProjectConfig, closure: Closure, settings: SettingsFacts, server: WebServer) -> str:
    """What is not the usual is a part of it only where it is given, so that ids stay when the product learns more."""
    built = _built_from(project, closure, settings, server)
    return digests.of_texts([revision, project.directory, *built, *_unusual(project)])


def _built_from(project: ProjectConfig, closure: Closure, settings: SettingsFacts, server: WebServer) -> list[str]:
    """What decides the packages; the interface too, because it decides which server is among them."""
    usual = server == webservers.default(settings.interface)
    own = () if usual else (f"server {server.name}",)
    return [closure.digest, project.python, project.installer, project.rebuild, settings.interface, *own]


def _unusual(project: ProjectConfig) -> Iterator[str]:
    if project.static == "none":
        yield "static none"
    hooks = project.hooks
    for name in ("before_migrate", "after_migrate", "before_collectstatic", "after_collectstatic"):
        if lines := getattr(hooks, name):
            yield f"{name} {digests.of_texts(lines)}"
