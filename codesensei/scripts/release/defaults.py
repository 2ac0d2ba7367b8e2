"""Defaults of new columns that stay in the database, so that rows of code that does not know the columns fit.

Django drops the default that it fills a new column with. Until another deploy migrates, with code on both sides that
knows the column, it stays: then also the release before, which may be gone back to, can write. What stays is noted
here; the runner of migrate keeps and drops.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from pathlib import Path

from codesensei.scripts.base.step import Step, read_json, write_json
from codesensei.wire import codec
from codesensei.wire.migrations import Judged
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass

Column = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class KeptDefaults:
    """Of one database: tables with the columns whose defaults stay, and those whose defaults are `due` to be dropped.

    `migrations` have made the columns; of each, what is against it for older code once the defaults are gone.
    """

    columns: tuple[Column, ...] = ()
    due: tuple[Column, ...] = ()
    migrations: Mapping[str, str] = field(default_factory=dict)


def kept(project: ProjectPaths, alias: str) -> KeptDefaults:
    """What stays in a database."""
    return _read(project).get(alias, KeptDefaults())


def labels(project: ProjectPaths) -> tuple[str, ...]:
    """The migrations whose defaults stay, of all databases."""
    return tuple(sorted({label for found in _read(project).values() for label in found.migrations}))


def begin(step: Step[object], alias: str, judged: Iterable[Judged]) -> None:
    """Note the migrations before they run: of a migrate that is cut off, some are applied."""
    if new := {
        one.migration: str(replace(one, verdict="destructive", why=one.without)) for one in judged if one.without
    }:
        found = kept(step.project, alias)
        _write(step, alias, replace(found, migrations={**found.migrations, **new}))


def note(step: Step[object], alias: str, came: Iterable[Column], went: Iterable[Column]) -> None:
    """Note what a run of migrate has kept and dropped."""
    found, gone = kept(step.project, alias), {*went}
    due = tuple(column for column in found.due if column not in gone)
    _write(step, alias, replace(found, columns=tuple(sorted({*found.columns, *came} - gone)), due=due))


def give_up(step: Step[object], alias: str) -> None:
    """Note that all that stay in a database are due."""
    found = kept(step.project, alias)
    _write(step, alias, KeptDefaults(due=tuple(sorted({*found.due, *found.columns}))))


def _write(step: Step[object], alias: str, found: KeptDefaults) -> None:
    known = {**_read(step.project), alias: found}
    write_json(_path(step.project), {name: codec.encode(one) for name, one in known.items() if one != KeptDefaults()})


def _read(project: ProjectPaths) -> dict[str, KeptDefaults]:
    path = _path(project)
    return {
        alias: codec.decode(KeptDefaults, found, str(path), kept=True) for alias, found in read_json(path, {}).items()
    }


def _path(project: ProjectPaths) -> Path:
    return project.memory / "kept-defaults.json"
