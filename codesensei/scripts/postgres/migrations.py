"""Which migrations are recorded as applied in a project's database, for a look at the server."""

from __future__ import annotations

import json
from collections.abc import Sequence

from codesensei.scripts.base.step import Failure
from codesensei.scripts.postgres import ownership, postgresql
from codesensei.scripts.postgres.postgresql import literal
from codesensei.scripts.postgres.tables import LONGEST, SCHEMAS
from codesensei.wire.paths import ProjectPaths

# By the superuser, so the columns are read as they are: a cast or an operator may be the project's own. Of several
# schemas with such a table nobody knows which one counts.
_RECORDED = f"""
WITH places AS (
    SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relname = 'django_migrations' AND relkind = 'r' AND {SCHEMAS}
), recorded AS (
    SELECT (xpath('/*/app/text()', line))[1]::text || '.' || (xpath('/*/name/text()', line))[1]::text AS label
    FROM places, unnest(xpath('/table/*', query_to_xml(
        format('SELECT app, name FROM %I.django_migrations', nspname), false, false, ''))) AS line
    WHERE (SELECT count(*) FROM places) = 1
)
SELECT coalesce(json_agg(DISTINCT label), '[]') FROM recorded WHERE label = ANY (ARRAY[{{labels}}]::text[]);
"""


def applied(project: ProjectPaths, labels: Sequence[str]) -> tuple[str, ...]:
    """Those of the labels that are; none where the database is not on this server, or cannot tell in a moment."""
    place = ownership.applied(project)
    if not place or not labels:
        return ()
    settings = f"SET statement_timeout = '{LONGEST}';"
    query = _RECORDED.format(labels=", ".join(map(literal, labels)))
    try:
        return tuple(map(str, json.loads(postgresql.sql(place.port, f"{settings}{query}", place.name))))
    except (Failure, ValueError):
        return ()
