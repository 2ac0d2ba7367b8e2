"""Settings without which a project is not deployed, or answers nobody: told before anything is installed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial

from codesensei.config import StackConfig
from codesensei.config.types import LeftOut
from codesensei.source.errors import SourceError, Told, listing
from codesensei.source.geography import EXTENSION
from codesensei.source.places import inside
from codesensei.source.readers import reading
from codesensei.source.settings import Modules, Setting, Settings
from codesensei.source.syntax import syntax_if_read, walk
from codesensei.source.values import parts
from codesensei.wire import shared

_PORT = re.compile(r":\d+$")
_SECURITY = "django.middleware.security.SecurityMiddleware"
_GEOGRAPHY = "django.contrib.gis.db.backends.postgis"


def needs(modules: Modules, settings: Settings, config: StackConfig) -> Iterator[Told]:
    """What is plainly not there."""
    yield from _secret_key(settings)
    for check in (_static_root, partial(_hosts, modules), _https, partial(_geography, modules)):
        # What is wrong in the stack file itself is told anyway.
        with suppress(LeftOut):
            yield from check(settings, config)


def _secret_key(settings: Settings) -> Iterator[Told]:
    setting = settings.found.get("SECRET_KEY")
    if setting and setting.certain and setting.value in (None, ""):
        fix = (
            "read it from a variable, and add that to codesensei:generateSecrets, or run"
            " pulumi config set --secret --path codesensei:secretEnv.SECRET_KEY"
        )
        yield Told(SourceError(setting.place, "SECRET_KEY is empty, which Django refuses", fix), True)


def _static_root(settings: Settings, config: StackConfig) -> Iterator[Told]:
    apps, root = settings.found.get("INSTALLED_APPS"), settings.found.get("STATIC_ROOT")
    serves = config.project.static == "serve" and _has(apps, "django.contrib.staticfiles")
    lacks = root.certain and root.value in (None, "") if root else settings.whole
    if apps and serves and apps.certain and lacks:
        cause = "STATIC_ROOT is not set, so static files cannot be collected"
        fix = 'write STATIC_ROOT = BASE_DIR / "staticfiles", or set project.static to none'
        yield Told(SourceError((root or apps).place, cause, fix), True)
    folder = inside(root.value) if root and serves and isinstance(root.value, str) else None
    for path in config.project.shared_paths:
        if root and folder and f"{path}/".startswith(f"{folder}/"):
            yield Told(SourceError(f"project.sharedPaths: {path}", *shared.IN_STATIC_ROOT), root.certain)


def _hosts(modules: Modules, settings: Settings, config: StackConfig) -> Iterator[Told]:
    """Hostnames for which Django would answer 400."""
    setting = settings.found.get("ALLOWED_HOSTS")
    if setting and setting.certain and isinstance(setting.value, str):
        cause = "ALLOWED_HOSTS is one text, and Django takes a list or a tuple alone"
        yield Told(SourceError(setting.place, cause, "put brackets around it, or split it at its commas"), True)
    if setting is None or not isinstance(setting.value, list):
        return
    allowed = setting.value
    if not all(isinstance(host, str) for host in allowed):
        return
    debug = settings.found.get("DEBUG")
    if not allowed and not (setting.certain and debug and debug.certain and debug.value is False):
        # Django allows this machine's own names then, which the server tells of.
        return
    if not setting.certain:
        allowed = [*allowed, *_may_be_allowed(modules, settings)]
    refused = [name for name in config.domains if not _is_allowed(name.removeprefix("*."), allowed, name)]
    if refused:
        doubt = "" if setting.certain else ", unless something changes it"
        read, fix = "", "add it, or read ALLOWED_HOSTS from a variable"
        if names := _variables_of(modules, setting.place):
            read = f", from the variable {listing(names)},"
            is_set = modules.variables is not None and names[0] in modules.variables.texts
            fix = f"add it to {names[0]} in codesensei:env" if is_set else f"set codesensei:env.{names[0]}, with it"
        cause = f"ALLOWED_HOSTS{read} does not have {listing(refused)}{doubt}, so Django answers 400 there"
        yield Told(SourceError(setting.place, cause, fix), setting.certain)


def _may_be_allowed(modules: Modules, settings: Settings) -> Iterator[str]:
    """Every text of a statement of the settings that has to do with ALLOWED_HOSTS, in whatever condition it is."""
    trees = (syntax_if_read(modules.project, file) for file in settings.files)
    for statement in (node for tree in trees if tree for node in walk(tree)):
        if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr)):
            nodes = list(ast.walk(statement))
            if any(isinstance(node, ast.Name) and node.id == "ALLOWED_HOSTS" for node in nodes):
                texts = (node.value for node in nodes if isinstance(node, ast.Constant))
                yield from (text for text in texts if isinstance(text, str))


def _variables_of(modules: Modules, place: str) -> list[str]:
    """The variables that the statement of a setting reads; `place` is its file and line."""
    file, _, line = place.rpartition(":")
    tree = syntax_if_read(modules.project, file)
    if tree is None:
        return []
    readers = modules.variables.readers.get(file, {}) if modules.variables else {}
    nodes = [node for found in walk(tree) if getattr(found, "lineno", 0) == int(line) for node in ast.walk(found)]
    return list(dict.fromkeys(read.name for node in nodes if (read := reading(node, readers))))


def _is_allowed(name: str, allowed: Sequence[str], asked: str) -> bool:
    """What Django would refuse for a space or a port alone counts as meant; the server tells of it."""
    below = asked.startswith("*.")
    for host in (_PORT.sub("", host.strip().lower()) for host in allowed):
        if host == "*" or (host.startswith(".") and f".{name}".endswith(host)) or (host == name and not below):
            return True
    return False


def _https(settings: Settings, config: StackConfig) -> Iterator[Told]:
    """A redirect that leads where the stack does not serve, at which the switch would end."""
    setting, exempt = settings.found.get("SECURE_SSL_REDIRECT"), settings.found.get("SECURE_REDIRECT_EXEMPT")
    redirects = setting and setting.certain and setting.value is True and exempt is None
    if setting and redirects and config.tls.kind == "off" and _has(settings.found.get("MIDDLEWARE"), _SECURITY):
        cause = "SECURE_SSL_REDIRECT leads visitors to https, and this stack is served over http"
        fix = "set codesensei:tls (external where a load balancer or CDN has the certificate), or change the setting"
        yield Told(SourceError(setting.place, cause, fix), False)


def _geography(modules: Modules, settings: Settings, config: StackConfig) -> Iterator[Told]:
    setting = settings.found.get("DATABASES")
    made_here = config.database.kind in ("auto", "local") and "DATABASE_URL" not in {*config.env, *config.secret_names}
    if setting and made_here and "postgis" not in config.database.extensions:
        place = setting.place if _has(setting, _GEOGRAPHY) else _engine_set(modules, settings)
        if place:
            cause = f"DATABASES names {_GEOGRAPHY}, and a new database has no extension postgis"
            yield Told(SourceError(place, cause, EXTENSION), False)


def _engine_set(modules: Modules, settings: Settings) -> str:
    """Where `DATABASES["default"]["ENGINE"] = …` comes last and names GeoDjango's, under no condition."""
    found = ""
    for file in settings.sure:
        tree = syntax_if_read(modules.project, file)
        for node in tree.body if tree else ():
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DATABASES['default']['ENGINE']":
                found = f"{file}:{node.lineno}" if getattr(node.value, "value", None) == _GEOGRAPHY else ""
    return found


def _has(setting: Setting | None, text: str) -> bool:
    return setting is not None and text in [found for _, found in parts(setting.value)]
