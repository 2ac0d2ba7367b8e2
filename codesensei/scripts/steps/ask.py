"""Read-only: what the project's database was asked, behind a mark on standard output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from codesensei.scripts.base import files
from codesensei.scripts.postgres import migrations, tables
from codesensei.scripts.release import record
from codesensei.wire import codec
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.steps import OF_DATABASE, AskedOfDatabase, SeenInDatabase


def run(slug: str, words: list[str]) -> int:
    """Print what `words` ask of the database of project `slug`; 0 always."""
    project, asked = ProjectPaths(slug), AskedOfDatabase.read(words)
    applied = _applied(project, asked.migrations)
    found = SeenInDatabase(tables=tables.ask(project, asked.tables), migrations=applied)
    print(f"\n{OF_DATABASE}{json.dumps(codec.encode(found))}")
    return 0


def _applied(project: ProjectPaths, labels: Sequence[str]) -> tuple[str, ...]:
    """Of these migrations those that will not run; with a second database nobody knows, as only this one is asked."""
    serves = files.link_target(project.current)
    facts = record.read(project, Path(serves).name).facts if serves and labels else None
    return migrations.applied(project, labels) if facts and len(facts.databases) == 1 else ()
