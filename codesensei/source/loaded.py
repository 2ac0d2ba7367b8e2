"""The project's modules that Django loads before it serves, found by following their imports; nothing is imported."""

from __future__ import annotations

import ast
import fnmatch
import posixpath
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import field

from codesensei.source import bounds
from codesensei.source.settings import Modules, Settings
from codesensei.source.syntax import syntax_if_read
from codesensei.source.values import parts
from codesensei.wire.quick import dataclass

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
# Settings of Django and of widespread packages that name modules or what is in them.
_NAMING = re.compile(
    r"INSTALLED_APPS|MIDDLEWARE|ROOT_URLCONF|WSGI_APPLICATION|AUTHENTICATION_BACKENDS|TEMPLATES|STORAGES|CACHES"
    r"|AUTH_PASSWORD_VALIDATORS|PASSWORD_HASHERS|DATABASE_ROUTERS|LOGGING|REST_FRAMEWORK|CHANNEL_LAYERS"
    r"|[A-Z_]*(?:BACKEND|_ENGINE|_STORAGE|_SERIALIZER|_RENDERER|_CLASS|_HANDLER|_ADAPTER)"
)
# Those in which every such text names a module.
_SURELY = {"INSTALLED_APPS", "MIDDLEWARE", "ROOT_URLCONF", "WSGI_APPLICATION", "AUTHENTICATION_BACKENDS"}
# In those that are maps, the keys at which a text names one: a file or a host looks like a module, too.
_KEYS = {"BACKEND", "NAME", "class", "loaders", "context_processors", "builtins", "libraries", "KEY_FUNCTION"}
# Modules of an app that Django itself loads; the last one where the app `admin` is installed.
_OF_APPS = ("apps", "models", "admin")


@dataclass(frozen=True)
class Import:
    """A module that is imported whatever happens, and the names that are taken from it; `place` is file and line."""

    module: str
    names: tuple[str, ...]
    place: str


@dataclass(frozen=True)
class Named:
    """A module, or something in one, that a setting names; `place` is file and line.

    Not `certain`: the text may be something else, as the prefix of a cache.
    """

    path: str
    setting: str
    place: str

    @property
    def certain(self) -> bool:
        return self.setting in _SURELY


@dataclass
class Loaded:
    """By file, the syntax trees of all that is loaded, and what it imports.

    `early` are the files that Django has loaded when it is set up: before any hook of a deploy can make a module.
    """

    modules: Modules
    trees: dict[str, ast.Module] = field(default_factory=dict)
    early: set[str] = field(default_factory=set)
    imports: list[Import] = field(default_factory=list)
    named: list[Named] = field(default_factory=list)

    def follow(self, start: list[str]) -> None:
        """Load these modules, and what they import in turn."""
        queue = deque(start)
        while queue and len(self.trees) < bounds.LOADED:
            module = queue.popleft()
            # Python loads the packages around a module first.
            names = module.split(".")
            for depth in range(1, len(names) + 1):
                name = ".".join(names[:depth])
                file = self.modules.find(name)
                if file and file not in self.trees and (tree := self.parse(file)):
                    self.trees[file] = tree
                    found = list(_imports(self.modules, name, file, tree))
                    self.imports += found
                    for one in found:
                        queue += [one.module, *(f"{one.module}.{taken}" for taken in one.names)]

    def parse(self, file: str) -> ast.Module | None:
        """A file's tree; None for one that is too long or too deep to read, or no Python that this one knows."""
        return syntax_if_read(self.modules.project, file)


def load(modules: Modules, settings: Settings, settings_module: str, application: str) -> Loaded:
    """What Django loads with these settings, and the web process with its application's module."""
    loaded = Loaded(modules)
    apps, urls, others = _apps(settings), "", list[str]()
    for name, setting in settings.found.items():
        if not setting.certain or not _NAMING.fullmatch(name):
            continue
        for keys, text in parts(setting.value):
            # Django's own server alone loads that.
            if name == "WSGI_APPLICATION" and text.rpartition(".")[0] != application:
                continue
            if keys and name != "REST_FRAMEWORK" and _KEYS.isdisjoint(keys) and not keys[-1].endswith("_CLASS"):
                continue
            if _DOTTED.fullmatch(text) or name == "INSTALLED_APPS":
                loaded.named.append(Named(text, name, setting.place))
                others += [text, text.rpartition(".")[0]] if name in _SURELY - {"ROOT_URLCONF"} else []
                urls = text if name == "ROOT_URLCONF" else urls
    early = [f"{app}.{part}" for app in apps for part in _OF_APPS if part != "admin" or "django.contrib.admin" in apps]
    loaded.follow([settings_module, *apps, *early])
    loaded.early = set(loaded.trees)
    loaded.follow([name for name in (urls, application, *others, *_migrations(modules, apps)) if name])
    return loaded


def _migrations(modules: Modules, apps: list[str]) -> Iterator[str]:
    """The migrations of the project's own apps, all of which migrate loads."""
    for app in apps:
        folder = (modules.find(f"{app}.migrations") or "").removesuffix("__init__.py")
        for name in sorted(fnmatch.filter(modules.project.files, f"{folder}*.py")) if folder else ():
            yield f"{app}.migrations.{posixpath.basename(name).removesuffix('.py')}"


def _apps(settings: Settings) -> list[str]:
    """The apps that are installed, and where one is named by its AppConfig, the package that this is in."""
    installed = settings.found.get("INSTALLED_APPS")
    texts = [text for _, text in parts(installed.value)] if installed else []
    return [way for text in texts for way in dict.fromkeys([text, text.partition(".apps.")[0]])]


def _imports(modules: Modules, name: str, file: str, tree: ast.Module) -> Iterator[Import]:
    """Imports of the module itself: one in a condition, a `try` or a function may never happen, or may fail."""
    for node in tree.body:
        place = f"{file}:{node.lineno}"
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, (), place) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (target := modules.target(name, file, node)):
            yield Import(target, tuple(alias.name for alias in node.names), place)
