"""Which migrations are recorded as applied in a project's database, for a look at the server."""

from __future__ import annotations

import json
from collections.abc import Sequence

from codesensei.scripts.base.step import Failure
from codesensei.scripts.postgres import ownership, postgresql
from codesensei.scripts.postgres.postgresql import literal
from codesensei.scripts.postgres.tables import LONGEST, SCHEMAS
from codesensei.wire.paths import ProjectPaths

# A table alone is read, and by the superuser: a view or a policy of the project's would run its functions. Of several
# schemas with such a table nobody knows which one counts.
_RECORDED = f"""
WITH places AS (
    SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relname = 'django_migrations' AND relkind = 'r' AND {SCHEMAS}
), recorded AS (
    SELECT unnest(xpath('/table/row/label/text()', query_to_xml(format(
        'SELECT app || ''.'' || name AS label FROM %I.django_migrations', nspname), false, false, '')))::text AS label
    FROM places WHERE (SELECT count(*) FROM places) = 1
)
SELECT coalesce(json_agg(DISTINCT label), '[]') FROM recorded WHERE label = ANY (ARRAY[{{labels}}]::text[]);
"""


def applied(project: ProjectPaths, labels: Sequence[str]) -> tuple[str, ...]:
    """Those of the labels that are; none where the database is not on this server, or cannot tell in a moment."""
    place = ownership.applied(project)
    if not place or not labels:
        return ()
    settings = f"SET search_path = pg_catalog; SET statement_timeout = '{LONGEST}';"
    query = _RECORDED.format(labels=", ".join(map(literal, labels)))
    try:
        return tuple(map(str, json.loads(postgresql.sql(place.port, f"{settings}{query}", place.name))))
    except (Failure, ValueError):
        return ()
