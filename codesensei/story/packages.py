"""Other packages: what the requirements of two commits ask for, held against each other."""

from __future__ import annotations

import re
from collections.abc import Iterator

from codesensei.source import Checkout, Closure, requirements_closure
from codesensei.story.section import Section, section
from codesensei.story.served import Served, of_served
from codesensei.wire.steps import Build

NAME = "packages"
_PIN = re.compile(r"===?[^,*]+")
_NUMBERS = re.compile(r"\d+(\.\d+)*")


def of_packages(served: Served, checkout: Checkout, closure: Closure, build: Build) -> Section:
    """From the requirements of the commit that serves to `closure`, those of the checkout."""
    before = served.build or build
    place, directory, lock = before.requirements, before.directory, before.lock
    extras = (*lock.extras, *lock.groups) if lock else ()
    if (served.revision, place, lock) == (checkout.revision, build.requirements, build.lock):
        return Section(NAME)
    was = of_served(NAME, served, checkout, lambda found: requirements_closure(found, place, directory, extras))
    if isinstance(was, Section):
        return was
    same = (was.digest, was.lock) == (closure.digest, closure.lock)
    return Section(NAME) if same else section(NAME, *_changes(was, closure))


def _changes(was: Closure, wanted: Closure) -> Iterator[list[str]]:
    before, after = _by_name(was), _by_name(wanted)
    told = [entry for key in sorted({*before, *after}) if (entry := _change(before.get(key), after.get(key)))]
    yield told or [f"{', '.join(wanted.files)} changed, and asks for the same names and versions"]
    if loose := sorted(name for name, version in after.values() if not _PIN.fullmatch(version) and "+" not in version):
        yield [f"not pinned, so the newest that fits is installed: {', '.join(loose)}"]


def _by_name(closure: Closure) -> dict[str, tuple[str, str]]:
    """Name and version of each, under a key that all spellings of a name have."""
    return {re.sub(r"[-_.]+", "-", name).lower(): (name, version) for name, version in closure.asked.items()}


def _change(was: tuple[str, str] | None, wanted: tuple[str, str] | None) -> str:
    if was is None:
        return f"+ {_shown(*wanted)}" if wanted else ""
    if wanted is None:
        return f"- {_shown(*was)}"
    before, after = (_version(version) or "any version" for _, version in (was, wanted))
    # A step back is easily taken for an upgrade.
    older = " (older)" if _numbers(after) < _numbers(before) and _numbers(after) else ""
    is_same = before == after or _numbers(before) == _numbers(after) != []
    return "" if is_same else f"{wanted[0]} {before} -> {after}{older}"


def _numbers(version: str) -> list[int]:
    """A version of plain numbers, of which 5.2 and 5.2.0 are one; empty for any other."""
    return [int(part) for part in re.sub(r"(\.0+)+$", "", version).split(".")] if _NUMBERS.fullmatch(version) else []


def _shown(name: str, version: str) -> str:
    return f"{name} {_version(version)}".rstrip()


def _version(asked: str) -> str:
    return asked.lstrip("=") if _PIN.fullmatch(asked) else asked
