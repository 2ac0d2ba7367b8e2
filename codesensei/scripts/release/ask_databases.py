"""Runs inside the project's own Python, as the app user: which databases migrate has work in, and what models lack.

`ask_databases.py RELEASE`: apps in that directory are the project's own. Also a part of ask_django.py.
"""

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

if __name__ == "__main__":
    sys.path.pop(0)
    sys.path.insert(0, os.getcwd())

import django
from django.apps import apps
from django.core.management import call_command, get_commands, load_command_class
from django.db import connections, router
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.questioner import MigrationQuestioner
from django.db.migrations.state import ProjectState

READ_ONLY = {"postgresql": "SELECT current_setting('transaction_read_only') = 'on'", "mysql": "SELECT @@read_only"}
COLLATION = """
    SELECT datcollversion, pg_database_collation_actual_version(oid) FROM pg_database
    WHERE datname = current_database() AND datcollversion <> pg_database_collation_actual_version(oid)
"""


def rows(connection: Any, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query; none where the database cannot answer: migrate says what is wrong with it."""
    with contextlib.suppress(Exception), connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())
    return []


def tables(connection: Any) -> set[str]:
    with contextlib.suppress(Exception):
        return set(connection.introspection.table_names())
    return set()


def place(alias: str) -> list[str]:
    """What two entries of DATABASES have in common if they lead to the same tables."""
    values = connections[alias].settings_dict
    options = values.get("OPTIONS") or {}
    leads = [values[key] for key in ("NAME", "HOST", "PORT")] + [options.get(key) for key in ("options", "service")]
    return [str(value or "") for value in leads]


def models() -> list[Any]:
    return [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]


def is_named(alias: str) -> bool:
    """Whether a router says by name that a model belongs into this database."""
    return any(
        each.allow_migrate(alias, model._meta.app_label, model_name=model._meta.model_name, model=model)
        for each in router.routers
        if hasattr(each, "allow_migrate")
        for model in models()
    )


def reasons(alias: str, earlier: list[str]) -> Iterator[str]:
    """Why migrate has no work in a database."""
    connection = connections[alias]
    values = connection.settings_dict
    if values["ENGINE"] == "django.db.backends.dummy":
        yield "it has no ENGINE"
    if not any(router.allow_migrate_model(alias, model) for model in models()):
        yield "the routers allow no model in it"
    if alias == "default":
        return
    if mirrored := values["TEST"].get("MIRROR"):
        yield f"it is a mirror of {mirrored}"
    yield from (f"it is the same database as {other}" for other in earlier if place(other) == place(alias))
    read_only = rows(connection, READ_ONLY.get(connection.vendor, "SELECT 0"))
    if "mode=ro" in str(values["NAME"]) or (read_only and read_only[0][0]):
        yield "it is read-only"
    there = tables(connection)
    if there and "django_migrations" not in there and not is_named(alias):
        # Another program's, as far as anybody says.
        yield "foreign"


def databases() -> list[dict[str, Any]]:
    aliases = sorted(connections, key=lambda alias: str(alias) != "default")
    found = []
    for number, alias in enumerate(aliases):
        connection = connections[alias]
        collation = rows(connection, COLLATION) if connection.vendor == "postgresql" else []
        versions = [str(version) for version in collation[0]] if collation else []
        why_not = next(reasons(alias, aliases[:number]), "")
        found.append({"alias": alias, "whyNot": why_not, "collation": versions})
    return found


def has_work(alias: str) -> bool | None:
    """What `manage.py migrate --check` would say; None where only the program itself can."""
    silent = io.StringIO()
    try:
        call_command("migrate", check_unapplied=True, database=alias, skip_checks=False, stdout=silent, stderr=silent)
    except SystemExit as ended:
        return bool(ended.code)
    except Exception:  # noqa: BLE001  # whatever it is, manage.py says it in its own words
        return None
    return False


def is_own(label: str, release: str) -> bool:
    path: str = os.path.realpath(apps.get_app_config(label).path)
    return path.startswith(f"{os.path.realpath(release)}/")


def own_command(command: str = "makemigrations") -> str:
    """The app with a command of its own, which alone knows what it leaves out or does besides; empty for Django's."""
    app = get_commands()[command]
    name = app if isinstance(app, str) else type(app).__module__
    return "" if name == "django.core" else name


def ahead(loader: Any) -> dict[str, list[str]]:
    """What migrations would have to make, by app, as Django's own `makemigrations --check` finds it."""
    command = load_command_class("django.core", "makemigrations")
    # Since Django 5.2 the command names it.
    autodetector = getattr(command, "autodetector", MigrationAutodetector)
    detector = autodetector(loader.project_state(), ProjectState.from_apps(apps), MigrationQuestioner())
    return {
        label: [operation.describe() for migration in migrations for operation in migration.operations]
        for label, migrations in detector.changes(graph=loader.graph).items()
    }


def behind(release: str) -> list[dict[str, Any]]:
    """The apps whose migrations do not make what their models say."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    lacking = {} if own_command() else ahead(loader)
    found = [{"app": label, "own": is_own(label, release), "changes": lacking[label]} for label in sorted(lacking)]
    there = {table for connection in connections.all() for table in tables(connection)}
    for label in sorted(loader.unmigrated_apps):
        managed = [model for model in apps.get_app_config(label).get_models() if model._meta.managed]
        unmade = [model.__name__ for model in managed if not model._meta.proxy and model._meta.db_table not in there]
        if unmade:
            found.append({"app": label, "own": is_own(label, release), "models": unmade})
    return found


def answer(release: str, *, whole: bool = True) -> dict[str, Any]:
    """What is found, once the project is loaded; unless `whole`, nothing that a command of the project would say."""
    said: dict[str, Any] = {"databases": databases(), "apps": []}
    try:
        said["apps"] = behind(release)
        if app := own_command():
            said["unknown"] = f"{app} has a makemigrations of its own, which alone knows what is left out on purpose"
    except Exception as error:  # noqa: BLE001  # what is wrong with the migrations is migrate's to say
        said["unknown"] = f"{type(error).__name__}: {error}"
    for database in said["databases"]:
        # Last, because a migrate of the project's may do more than look.
        is_asked = not database["whyNot"] and (whole or not own_command("migrate"))
        database["work"] = has_work(database["alias"]) if is_asked else None
    return said


if __name__ == "__main__":
    django.setup()
    print("\ncodesensei-databases:" + json.dumps(answer(sys.argv[1])))
