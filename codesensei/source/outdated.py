"""Code that was written for an older Django than the one that will run it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codesensei.source import gone
from codesensei.source.closure import Closure
from codesensei.source.errors import SourceError, Told, listing
from codesensei.source.loaded import Loaded
from codesensei.source.settings import Settings
from codesensei.source.values import parts
from codesensei.source.versions import Range, Version, asked, shown

# Settings that a version no longer reads: no error tells, and a default is used instead.
_SETTINGS = {
    "MIDDLEWARE_CLASSES": ((2, 0), "MIDDLEWARE"),
    "TEMPLATE_DIRS": ((1, 10), "TEMPLATES"),
    "TEMPLATE_LOADERS": ((1, 10), "TEMPLATES"),
    "TEMPLATE_CONTEXT_PROCESSORS": ((1, 10), "TEMPLATES"),
    "PASSWORD_RESET_TIMEOUT_DAYS": ((4, 0), "PASSWORD_RESET_TIMEOUT"),
    "DEFAULT_FILE_STORAGE": ((5, 1), "STORAGES"),
    "STATICFILES_STORAGE": ((5, 1), "STORAGES"),
}
_KEYS = ("ForeignKey", "OneToOneField")


def outdated(loaded: Loaded, settings: Settings, closure: Closure) -> Iterator[Told]:
    """What the Django that is asked for no longer has; certain only where its version is pinned."""
    django = asked(closure, "django")
    found = [(row.since, f"{row}", f"use {row.instead}", at) for row, at in gone.used(gone.FROM_DJANGO, loaded.imports)]
    for since, thing, fix, places in [*found, *_calls(loaded)]:
        if (newer := django.has(since)) is not False:
            cause = f"{thing} is not in Django {shown(since)} and newer, which {_allows(django, closure)}"
            older = f", or pin Django<{shown(since)} if the code is that old" if newer is None else ""
            error = SourceError(listing(places, limit=3), cause, f"{fix}{older}")
            yield Told(error, bool(newer and django.pinned))
    for name, (since, instead) in _SETTINGS.items():
        setting = settings.found.get(name)
        if setting and instead not in settings.found and django.has(since) is not False:
            cause = f"{name} is set, and Django {shown(since)} and newer, which {_allows(django, closure)}, ignore it"
            yield Told(SourceError(setting.place, cause, f"set {instead} instead"), False)
    yield from _without_scheme(django, settings)


def _allows(django: Range, closure: Closure) -> str:
    pinned = django.pinned and django.least
    return f"{closure.files[0]} pins ({shown(pinned)})" if pinned else f"{closure.files[0]} allows"


def _calls(loaded: Loaded) -> Iterator[tuple[Version, str, str, list[str]]]:
    """Calls that newer versions refuse."""
    calls = [
        (f"{file}:{node.lineno}", tree, node)
        for file, tree in loaded.trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    ]
    if keys := [place for place, tree, call in calls if _lacks_on_delete(call) and _has_models(tree)]:
        yield (2, 0), "a ForeignKey or OneToOneField without on_delete", "add on_delete=models.CASCADE", keys
    if signals := [place for place, _, call in calls if _called(call) == "Signal" and "providing_args" in _words(call)]:
        yield (4, 0), "Signal with providing_args", "remove providing_args", signals


def _called(call: ast.Call) -> str:
    return ast.unparse(call.func)


def _words(call: ast.Call) -> set[str | None]:
    return {word.arg for word in call.keywords}


def _lacks_on_delete(call: ast.Call) -> bool:
    named = _called(call).removeprefix("models.") in _KEYS
    return named and len(call.args) == 1 and not _words(call) & {"on_delete", None}


def _has_models(tree: ast.Module) -> bool:
    """Whether ForeignKey is that of Django's models: forms and serializers have fields of such names too."""
    return any(
        isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(("django.db.models.", "django.db."))
        for node in tree.body
    )


def _without_scheme(django: Range, settings: Settings) -> Iterator[Told]:
    setting = settings.found.get("CSRF_TRUSTED_ORIGINS")
    # What a call is given, as a variable's default, is none of the origins.
    plain = [text for way, text in parts(setting.value) if not way and "://" not in text] if setting else []
    newer = django.has((4, 0))
    if setting and plain and newer is not False:
        cause = f"CSRF_TRUSTED_ORIGINS has {listing(plain)} without a scheme, which Django 4.0 and newer refuse"
        yield Told(SourceError(setting.place, cause, f"write https://{plain[0]}"), bool(newer and setting.certain))
