"""Which Pythons cannot run the project: its own imports, and the Django that it asks for, tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from codesensei.source import gone
from codesensei.source.closure import Closure
from codesensei.source.errors import SourceError, Told, listing, raise_all
from codesensei.source.loaded import Loaded
from codesensei.source.versions import Version, asked, shown, version
from codesensei.wire.quick import dataclass

# Django's documentation, "What Python version can I use with Django?": pip refuses an older one.
_OLDEST_FOR = {(6, 0): (3, 12), (5, 0): (3, 10)}
# Django before a version imports a module that Python no longer has since another; a package that brings it back.
_TOO_NEW_FOR = (((4, 0), (3, 12), "distutils", "setuptools"), ((4, 2), (3, 13), "cgi", "legacy_cgi"))
_WITH = {"distutils": {"setuptools"}, "cgi": {"legacy_cgi"}, "cgitb": {"legacy_cgi"}, "asyncore": {"pyasyncore"}}
_OTHER = "set project.python, with project.installer: uv for one that the distribution lacks"
# What the supported systems have.
_SYSTEMS = {"Ubuntu 22.04": (3, 10), "Debian 12": (3, 11), "Ubuntu 24.04": (3, 12), "Debian 13": (3, 13)}


@dataclass(frozen=True)
class Unfit:
    """Why the project does not run on Python `since` and newer, or, where `older`, on one before it."""

    since: Version
    told: Told
    older: bool = False

    def hits(self, python: Version) -> bool:
        """Whether this Python is one of them."""
        return (python < self.since) if self.older else (python >= self.since)


def unfit(loaded: Loaded, closure: Closure) -> Iterator[Unfit]:
    """What some Pythons do not run."""
    for row, places in gone.used(gone.FROM_PYTHON, loaded.imports):
        if not _WITH.get(row.module, set()) & closure.names:
            cause = f"{row} is not in Python {shown(row.since)} and newer"
            error = SourceError(listing(places, limit=3), cause, f"use {row.instead}, or {_OTHER}")
            # Some package may bring a module of that name; nothing brings back a name of one that is there.
            yield Unfit(row.since, Told(error, bool(row.names) or closure.resolved))
    django = asked(closure, "django")
    name = f"Django {shown(django.least)}" if django.pinned and django.least else "the Django that it asks for"
    for since, oldest in _OLDEST_FOR.items():
        if django.has(since):
            error = SourceError(
                closure.files[0], f"{name} needs Python {shown(oldest)}", f"use an older one, or {_OTHER}"
            )
            yield Unfit(oldest, Told(error, True), older=True)
            break
    for before, newest, module, package in _TOO_NEW_FOR:
        if django.has(before) is False and package not in closure.names:
            cause = f"{name} does not run on Python {shown(newest)} and newer, which no longer have the module {module}"
            certain = module == "cgi" or closure.resolved
            yield Unfit(newest, Told(SourceError(closure.files[0], cause, f"use a newer one, or {_OTHER}"), certain))


def hold(found: Iterable[Unfit], python: str) -> list[str]:
    """Warnings of what does not run on the Python `python`, or, where it is not known, on that of a supported system.

    SourceError with all that certainly does not.
    """
    if python:
        hits = [one.told for one in found if one.hits(version(python))]
        raise_all(told.error for told in hits if told.certain)
        return [told.sentence for told in hits]
    systems = [(one.told, [name for name, has in _SYSTEMS.items() if one.hits(has)]) for one in found]
    raise_all(told.error for told, names in systems if told.certain and len(names) == len(_SYSTEMS))
    return [f"{told.sentence} (the Python of {', '.join(names)})" for told, names in systems if names]
