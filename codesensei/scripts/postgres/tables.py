"""Rows and sizes of a project's tables, for a look at the server."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from codesensei.scripts.base.step import Failure
from codesensei.scripts.postgres import ownership, postgresql
from codesensei.scripts.postgres.postgresql import identifier, literal
from codesensei.wire import codec
from codesensei.wire.codec import WireError
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.table_locks import Table, sizes

# What asks for a size waits for whoever changes the table; a look does not.
LONGEST = "3s"
SCHEMAS = "nspname !~ '^pg_' AND nspname <> 'information_schema'"


def ask(project: ProjectPaths, names: Sequence[str]) -> Mapping[str, Table]:
    """Those that are in the project's database on this server; nothing where it cannot tell in a moment."""
    applied = ownership.applied(project)
    if not applied or not names:
        return {}
    query = sizes(f"ARRAY[{', '.join(map(literal, names))}]::text[]", SCHEMAS)
    settings = f"SET statement_timeout = '{LONGEST}'; SET ROLE {identifier(applied.role)};"
    answer = "coalesce(json_object_agg(name, json_build_object('rows', rows, 'size', size)), '{}')"
    try:
        said = postgresql.sql(applied.port, f"{settings}\nSELECT {answer} FROM ({query}) AS found;", applied.name)
        return {name: codec.decode(Table, one, "table") for name, one in json.loads(said).items()}
    except (Failure, ValueError, WireError):
        return {}
