"""Read-only: rows and sizes of some of the project's tables, behind a mark on standard output."""

from __future__ import annotations

import json

from codesensei.scripts.postgres import tables
from codesensei.wire import codec
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.steps import SIZES, Sizes


def run(slug: str, words: list[str]) -> int:
    """Print those of project `slug` that `words` name; 0 always."""
    found = Sizes(tables=tables.ask(ProjectPaths(slug), words))
    print(f"\n{SIZES}{json.dumps(codec.encode(found))}")
    return 0
