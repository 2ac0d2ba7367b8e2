"""Runs inside the project's own Python, as the app user: `run_migrate.py SECONDS migrate …` is `manage.py migrate …`.

On PostgreSQL it waits for a lock no longer than SECONDS (0: for ever), and tells of indexes that are invalid. The limit
is set on the open connection, because poolers refuse it as a start-up option.
"""

import contextlib
import json
import os
import runpy
import sys
from typing import Any

sys.path.pop(0)
sys.path.insert(0, os.getcwd())

from django.db import connections
from django.db.backends.signals import connection_created

# One that is just being made is no leftover. A partitioned one may be meant to be invalid.
INVALID = """
    SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE NOT indisvalid AND relkind = 'i'
    AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE index_relid = indexrelid)
"""
IDLE = 0
seconds = int(sys.argv[1])
before: dict[str, list[str]] = {}
refused: list[str] = []


def invalid(connection: Any) -> list[str]:
    # A database may only speak as PostgreSQL does.
    with contextlib.suppress(Exception), connection.cursor() as cursor:
        cursor.execute(INVALID)
        return sorted(row[0] for row in cursor.fetchall())
    return []


def connected(connection: Any, **_: Any) -> None:
    if connection.vendor != "postgresql":
        return
    if seconds:
        try:
            limit(connection)
        except Exception as error:  # noqa: BLE001  # whatever refuses it, migrations can do without
            refused.append(str(error).strip())
    if connection.alias not in before:
        before[connection.alias] = invalid(connection)


def limit(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        # A pooler names another process. What a session sets there would stay for the site's own queries.
        if cursor.fetchone()[0] == connection.connection.info.backend_pid:
            cursor.execute(f"SET lock_timeout = '{seconds}s'")
        elif limit_transaction not in connection.execute_wrappers:
            connection.execute_wrappers.append(limit_transaction)


def limit_transaction(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
    raw = context["connection"].connection
    if raw.info.transaction_status == IDLE and not raw.autocommit:
        with raw.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{seconds}s'")
    return execute(sql, params, many, context)


connection_created.connect(connected)
sys.argv = ["manage.py", *sys.argv[2:]]
try:
    runpy.run_path(os.path.abspath("manage.py"), run_name="__main__")
finally:
    said: dict[str, list[str]] = {"refused": refused[:1], "invalid": [], "left": []}
    for alias, earlier in before.items():
        # What failed may have left it in a transaction.
        connections[alias].close()
        there = invalid(connections[alias])
        said["invalid"] += there
        said["left"] += [name for name in there if name not in earlier]
    print("\ncodesensei-migrate:" + json.dumps(said))
