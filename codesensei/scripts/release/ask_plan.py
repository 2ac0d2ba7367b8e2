"""Runs inside the project's own Python, as the app user: what migrate would do to a database, operation by operation.

`ask_plan.py QUERY ALIAS`: each operation is described as codesensei/wire/migrations.py has it. QUERY is the statement
of codesensei/wire/table_locks.py for the sizes of tables, which PostgreSQL is asked for. Nothing is changed.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

sys.path.pop(0)
sys.path.insert(0, os.getcwd())

import django
from django.conf import settings
from django.core.management import CommandError
from django.db import connections, models, router, transaction
from django.db.backends.utils import strip_quotes, truncate_name
from django.db.migrations import RunPython, RunSQL
from django.db.migrations.executor import MigrationExecutor

QUERY, ALIAS = sys.argv[1:]
DJANGO = ("django.db.migrations.operations.", "django.contrib.postgres.operations")
ABSTRACT = (models.Field, models.fields.related.RelatedField, models.fields.related.ForeignObject)
COLUMN = ("AddField", "RemoveField", "AlterField")
CONSTRAINTS = ("AddConstraint", "AddConstraintNotValid", "RemoveConstraint", "AlterUniqueTogether")
# What a constraint is called, and says.
SAID = ("name", "violation_error_code", "violation_error_message")


def kind(field: Any) -> str:
    """Its class, or of another's the one of Django's that it is made from."""
    if field.many_to_many:
        return "ManyToManyField"
    own: Any = type(field)
    fields = (each for each in own.__mro__ if issubclass(each, models.Field) and each not in ABSTRACT)
    known = next((each for each in fields if each.__module__.startswith("django.")), None)
    if known and own.db_type is known.db_type and field.get_internal_type() == known.get_internal_type(field):
        return str(known.__name__)
    # With its module, as it may be called as one of Django's is.
    return f"{own.__module__}.{own.__name__}"


def related(target: Any, app: str, model: str) -> str:
    name = target if isinstance(target, str) else target._meta.label
    name = model if name == "self" else name
    return (name if "." in name else f"{app}.{name}").lower()


def default(field: Any) -> str:
    """What the database fills in; Django has such defaults since 5.0."""
    found = getattr(field, "db_default", models.NOT_PROVIDED)
    if found is models.NOT_PROVIDED:
        return ""
    return "expression" if hasattr(found, "resolve_expression") and not isinstance(found, models.Value) else "constant"


def filled(field: Any) -> bool:
    """Whether Django has a value for rows that are there; an operation's field may have one that its model has not."""
    if field.has_default():
        return field.default is not None
    is_empty_text = not field.null and field.blank and field.empty_strings_allowed
    return is_empty_text or getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)


def facts(state: Any, name: str) -> dict[str, Any]:
    """What matters of a model's field."""
    app, model, field = state.app_label, state.name, state.fields[name].clone()
    field.set_attributes_from_name(name)
    remote = field.remote_field
    said: dict[str, Any] = {
        "kind": kind(field),
        "null": field.null,
        "unique": field.unique,
        "primaryKey": field.primary_key,
        "default": default(field),
        "defaultBy": type(getattr(field, "db_default", None)).__name__ if default(field) == "expression" else "",
        "index": bool(getattr(field, "db_index", False)),
        "stored": getattr(field, "db_persist", True) is not False,
        "column": field.column or "",
        "collation": getattr(field, "db_collation", None) or "",
    }
    if remote:
        said |= {"related": related(remote.model, app, model), "constraint": getattr(field, "db_constraint", True)}
        said["toField"] = getattr(remote, "field_name", None) or ""
    else:
        # Of a relation only its target tells.
        with contextlib.suppress(Exception):
            said["dbType"] = field.db_type(connections[ALIAS]) or ""
    if field.many_to_many:
        said["column"] = table_between(state, name)
        said["through"] = related(remote.through, app, model) if remote.through else ""
    for key, attribute in {"length": "max_length", "digits": "max_digits", "decimals": "decimal_places"}.items():
        said[key] = getattr(field, attribute, None)
    return said


def allowed(app: str, **hints: Any) -> bool:
    return bool(router.allow_migrate(ALIAS, app, **hints))


def has_table(state: Any) -> bool:
    """Whether migrations change the table of a model: not of one that is managed elsewhere."""
    options = state.options
    swapped = getattr(settings, options["swappable"], None) if options.get("swappable") else None
    is_swapped = bool(swapped) and str(swapped).lower() != f"{state.app_label}.{state.name_lower}"
    return options.get("managed", True) and not options.get("proxy") and not is_swapped


def name_of_table(state: Any) -> str:
    """As the database has it."""
    made = truncate_name(f"{state.app_label}_{state.name_lower}", connections[ALIAS].ops.max_name_length())
    return str(strip_quotes(state.options.get("db_table") or made))


def same_table(one: Any, other: Any) -> bool:
    """Whether two models have it, for a database that may not tell upper case from lower."""
    names = [name_of_table(state) for state in (one, other)]
    if connections[ALIAS].features.ignores_table_name_case:
        names = [name.lower() for name in names]
    return names[0] == names[1]


def table_between(state: Any, name: str) -> str:
    """The table of a field between two models, unless one of these is written for it."""
    named = getattr(state.fields[name], "db_table", None)
    made = truncate_name(f"{name_of_table(state)}_{name}", connections[ALIAS].ops.max_name_length())
    return str(strip_quotes(named or made))


def tables_between(state: Any, app: str, model: str) -> list[str]:
    """Those that Django makes with a column named after a model, of all apps."""
    wanted = f"{app}.{model}".lower()
    return sorted(
        table_between(each, name)
        for key, each in state.models.items()
        for name, field in each.fields.items()
        if field.many_to_many and not field.remote_field.through
        if wanted in (".".join(key).lower(), related(field.remote_field.model, *key))
    )


def together(state: Any, option: str) -> set[tuple[str, ...]]:
    return {tuple(names) for names in state.options.get(option) or ()}


def forbidden(state: Any) -> set[str]:
    """What each constraint of a model forbids, whatever it is called and says."""
    found = {repr(sorted(names)) for names in together(state, "unique_together")}
    for constraint in state.options.get("constraints") or ():
        path, words, named = constraint.deconstruct()
        named = {key: value for key, value in named.items() if key not in SAID}
        is_plain = type(constraint) is models.UniqueConstraint and [*named] == ["fields"]
        found.add(repr(sorted(named["fields"])) if is_plain else repr((path, words, sorted(named.items()))))
    return found


def is_empty(statements: Any) -> bool:
    return not statements or (isinstance(statements, str) and not statements.strip())


def describe(app: str, operation: Any, state: Any, gone: set[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """An operation in neutral words; `state` becomes what it is after it, `gone` gets what it does not forbid any more.

    That is a model and what `forbidden` says of a constraint.
    """
    name = type(operation).__name__
    if name == "SeparateDatabaseAndState" and type(operation).__module__.startswith(DJANGO):
        between = state.clone()
        for inner in operation.database_operations:
            yield from describe(app, inner, between, gone)
        operation.state_forwards(app, state)
        return
    before = state.clone()
    operation.state_forwards(app, state)
    if not type(operation).__module__.startswith(DJANGO):
        # One that only calls itself like one of Django's may do anything.
        yield {"name": f"{type(operation).__module__}.{name}"}
    elif name in CONSTRAINTS:
        model = getattr(operation, "model_name", None) or operation.name
        was, now = (forbidden(each.models[app, model.lower()]) for each in (before, state))
        yield {**described(app, operation, before, state), "again": {(model.lower(), one) for one in now - was} <= gone}
        gone |= {(model.lower(), one) for one in was - now}
    else:
        yield described(app, operation, before, state)


def described_all(migration: Any, state: Any) -> list[dict[str, Any]]:
    """The operations of a migration."""
    gone: set[tuple[str, str]] = set()
    found: list[dict[str, Any]] = []
    for operation in migration.operations:
        found += describe(migration.app_label, operation, state, gone)
        if not (migration.atomic and connections[ALIAS].features.can_rollback_ddl):
            # Meanwhile rows come.
            gone.clear()
    return found


def described(app: str, operation: Any, before: Any, after: Any) -> dict[str, Any]:
    """One of Django's operations."""
    name = type(operation).__name__
    names = (getattr(operation, key, None) for key in ("model_name", "old_name", "name"))
    model = str(next(filter(None, names), ""))
    said: dict[str, Any] = {"name": name}
    if name in ("RunSQL", "RunPython"):
        empty = is_empty(operation.sql) if isinstance(operation, RunSQL) else operation.code is RunPython.noop
        return {**said, "inert": empty or not allowed(app, **operation.hints)}
    old = before.models.get((app, model.lower()))
    target = operation.new_name if name == "RenameModel" else model
    new = after.models.get((app, target.lower()))
    state = new or old
    if state is None:
        return said
    said |= {"model": model, "inert": not (has_table(state) and allowed(app, model_name=state.name_lower))}
    said["table"] = name_of_table(old or state)
    if name in COLUMN:
        said |= columns(operation, old, new)
    elif name == "RenameField":
        sides = ((old, operation.old_name), (new, operation.new_name))
        one, other = (facts(each, field) for each, field in sides)
        # A model of the project's own has the table between the two.
        same = bool(one.get("through")) or one["column"] == other["column"]
        said |= {"field": operation.old_name, "to": operation.new_name, "before": one, "inert": said["inert"] or same}
    elif name in ("RenameModel", "AlterModelTable"):
        said["to"] = operation.new_name if name == "RenameModel" else name_of_table(new)
        between = tables_between(before, app, model) if name == "RenameModel" else []
        said |= {"between": between, "inert": said["inert"] or (same_table(old, new) and not between)}
    elif name in ("AlterUniqueTogether", "AlterIndexTogether"):
        fresh = together(new, operation.option_name) - together(old, operation.option_name)
        said |= {"fields": sorted(fresh), "inert": said["inert"] or not fresh}
    elif name == "AlterOrderWithRespectTo":
        orders = [each.options.get("order_with_respect_to") for each in (old, new)]
        said["inert"] = said["inert"] or orders[0] == orders[1]
    elif name.startswith("AddConstraint"):
        said |= {"fields": unique_fields(operation.constraint), "constraint": kept_by(operation.constraint)}
    return said


def unique_fields(constraint: Any) -> list[list[str]]:
    """The fields of a constraint that lets rows with NULL in one of them pass."""
    strict = getattr(constraint, "nulls_distinct", None) is False
    fields = list(getattr(constraint, "fields", ())) if isinstance(constraint, models.UniqueConstraint) else []
    return [fields] if fields and not strict else []


def kept_by(constraint: Any) -> str:
    """How PostgreSQL keeps to a constraint."""
    if isinstance(constraint, models.UniqueConstraint):
        parts = ("condition", "include", "opclasses", "expressions")
        return "index" if any(getattr(constraint, part, None) for part in parts) else "unique"
    named = {"CheckConstraint": "check", "ExclusionConstraint": "exclusion"}
    return next((named[each.__name__] for each in type(constraint).__mro__ if each.__name__ in named), "")


def columns(operation: Any, old: Any, new: Any) -> dict[str, Any]:
    """A field as it was before an operation, and as it is after it."""
    said: dict[str, Any] = {"field": operation.name}
    for key, state in {"before": old, "after": new}.items():
        said[key] = facts(state, operation.name) if state and operation.name in state.fields else None
    if said["after"]:
        said["after"]["filled"] = filled(operation.field)
    sides = [side for side in (said["before"], said["after"]) if side]
    if not any(side["column"] for side in sides):
        said["inert"] = True
    return said


def tables(migrations: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows and sizes of the tables of a plan; those that cannot be asked in a moment stay unknown."""
    names = sorted({said["table"] for one in migrations for said in one["operations"] if said.get("table")})
    connection = connections[ALIAS]
    if connection.vendor != "postgresql" or not names:
        return {}
    with contextlib.suppress(Exception), transaction.atomic(ALIAS), connection.cursor() as cursor:
        # What asks for a size waits for whoever changes the table.
        cursor.execute("SET LOCAL statement_timeout = '5s'")
        cursor.execute(QUERY, [names])
        return {name: {"rows": rows, "size": size} for name, rows, size in cursor.fetchall()}
    return {}


def plan() -> dict[str, Any]:
    executor = MigrationExecutor(connections[ALIAS])
    loader = executor.loader
    if conflicts := loader.detect_conflicts():
        # In migrate's own words, which are known.
        named = "; ".join(f"{', '.join(sorted(names))} in {app}" for app, names in conflicts.items())
        raise CommandError(
            f"Conflicting migrations detected; multiple leaf nodes in the migration graph: ({named}).\n"
            "To fix them run 'python manage.py makemigrations --merge'"
        )
    applied, known = set(loader.applied_migrations), set(loader.disk_migrations)
    steps = executor.migration_plan(loader.graph.leaf_nodes())
    state = executor._create_project_state(with_applied_migrations=True)
    migrations = [
        {
            "app": migration.app_label,
            "name": migration.name,
            "atomic": migration.atomic,
            "operations": described_all(migration, state),
        }
        for migration, _ in steps
    ]
    return {
        "migrations": migrations,
        "applied": sorted(".".join(each) for each in applied),
        "known": sorted(".".join(each) for each in known),
        "keeps": connections[ALIAS].vendor == "postgresql",
        "tables": tables(migrations),
    }


django.setup()
try:
    planned = plan()
except CommandError as error:
    # As manage.py does, without the way through this file.
    sys.exit(f"CommandError: {error}")
print("\ncodesensei-plan:" + json.dumps(planned))
