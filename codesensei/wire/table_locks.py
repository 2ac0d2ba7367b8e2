"""Which locks of PostgreSQL a migration holds for as long as there are rows to read, and what waits meanwhile.

Locks, rewrites and scans are those that PostgreSQL's manual names for ALTER TABLE and CREATE INDEX, of the statements
that Django sends. A change of the catalog alone takes a moment, however large the table is, and is not told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from codesensei.wire.columns import Field, is_same, leads_elsewhere
from codesensei.wire.migrations import Made, Migration, Operation, follow
from codesensei.wire.quick import dataclass
from codesensei.wire.text import size

# Bytes. What is smaller PostgreSQL itself takes to be read in a moment: its min_parallel_table_scan_size.
SMALL = 8 << 20
# They have the table to themselves until their transaction ends.
_EXCLUSIVE = frozenset(
    """
    AddField AlterField RemoveField RenameField RenameModel AlterModelTable AlterUniqueTogether AlterOrderWithRespectTo
    AddConstraint AddConstraintNotValid RemoveConstraint RemoveIndex
    """.split()
)
# They lock their table, to readers or to writers, until their transaction ends.
_LOCKING = _EXCLUSIVE - {"AddConstraintNotValid", "RemoveIndex"} | {"AddIndex"}
# They take as long as there are rows.
_ON_ROWS = ("RunPython", "RunSQL")
_TYPES = {
    kind: name
    for name, kinds in {
        "smallint": "SmallAutoField SmallIntegerField PositiveSmallIntegerField",
        "integer": "AutoField IntegerField PositiveIntegerField",
        "bigint": "BigAutoField BigIntegerField PositiveBigIntegerField",
        "varchar": "CharField EmailField FileField FilePathField ImageField SlugField URLField",
        "text": "TextField",
        "numeric": "DecimalField",
        "boolean": "BooleanField NullBooleanField",
        "date": "DateField",
        "time": "TimeField",
        "timestamp": "DateTimeField",
        "interval": "DurationField",
        "double": "FloatField",
        "inet": "GenericIPAddressField",
        "jsonb": "JSONField",
        "uuid": "UUIDField",
        "bytea": "BinaryField",
    }.items()
    for kind in kinds.split()
}
_CHECKED = ("PositiveIntegerField", "PositiveBigIntegerField", "PositiveSmallIntegerField")
_COUNTED = ("AutoField", "BigAutoField", "SmallAutoField")
# Expressions that PostgreSQL evaluates once for all rows.
_STABLE = ("Now",)
_WRITES, _ALL = "writes wait", "reads and writes wait"
_NO_TRANSACTION = "in a migration with atomic = False"
_STATE = "SeparateDatabaseAndState(state_operations=[…])"
_LATER_INDEX = f"add it with db_index=False, then the index by AddIndexConcurrently {_NO_TRANSACTION}"
_UNIQUE = f"RunSQL('CREATE UNIQUE INDEX CONCURRENTLY …') {_NO_TRANSACTION}"
_UNIQUE_COLUMN = f"make its index first by {_UNIQUE}, then the constraint USING INDEX"
_NOT_VALID = "AddConstraintNotValid, and ValidateConstraint in the next migration"
_CHECK_LATER = f"use IntegerField, and a CheckConstraint by {_NOT_VALID}"
_FILL = "add it with null=True, fill it in batches"
_SECOND = "add a second column, fill it in batches, and drop this one in a later deploy"
_NOT_NULL = f"first add a CheckConstraint that it is not null by {_NOT_VALID}: then nothing is scanned"
_FOREIGN = f"make the constraint NOT VALID by RunSQL, VALIDATE it in the next migration, and put this into {_STATE}"
_ALONE = "give it a migration of its own"
_BUILT, _SCANNED, _REWRITTEN = "the index is built", "the table is scanned", "the table is rewritten"


@dataclass(frozen=True, kw_only=True)
class Table:
    """What PostgreSQL says of a table: estimated rows (0 where it has not counted yet), bytes with indexes."""

    rows: int
    size: int

    def __str__(self) -> str:
        rows = f"{self.rows:,} rows, " if self.rows > 0 else ""
        return f"{rows}{size(self.size)}"


@dataclass(frozen=True, kw_only=True)
class Wait:
    """What waits for an operation, in two parts between which the table's size stands, and what to do instead.

    `always`: however small the table is.
    """

    table: str
    begin: str
    end: str
    fix: str
    always: bool = False


@dataclass(frozen=True)
class _Work:
    """What is done to a table under a lock, who waits for that, and what to do instead."""

    waits: str
    work: str
    fix: str


def sizes(names: str, schemas: str) -> str:
    """A query for name, rows and bytes of tables, of a partitioned one all parts together.

    Of several with one name the largest is taken. `names` and `schemas` are SQL: an array of texts, a condition on
    pg_namespace.
    """
    return " ".join(
        f"""
        WITH named AS (
            SELECT relname::text AS name, pg_class.oid AS root FROM pg_class
            JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE relname = ANY ({names}) AND relkind IN ('r', 'p') AND {schemas}
        ), parts AS (
            SELECT name, root, root AS part FROM named
            UNION SELECT name, root, relid::oid FROM named, pg_partition_tree(root)
        ), whole AS (
            SELECT name, sum(pg_total_relation_size(part))::bigint AS size,
            coalesce(sum(greatest(reltuples, 0)::bigint) FILTER (WHERE relkind <> 'p'), 0)::bigint AS rows
            FROM parts JOIN pg_class ON pg_class.oid = part GROUP BY name, root
        ) SELECT DISTINCT ON (name) name, rows, size FROM whole ORDER BY name, size DESC
        """.split()
    )


def tell(waits: Iterable[Wait], tables: Mapping[str, Table]) -> Iterator[tuple[str, str]]:
    """A sentence and what to do instead, for each that is worth it; a table that is not known may be a large one."""
    for wait in waits:
        table = tables.get(wait.table)
        if table and not wait.always and table.size < SMALL:
            continue
        size = f" ({table})" if table else "" if wait.always else " (size not known)"
        yield f"{wait.begin}{size}{wait.end}", wait.fix


def held(plan: Iterable[Migration]) -> Iterator[Wait]:
    """What waits for locks that a migration holds while it works on rows, in a database that has tables already."""
    for migration, operations in _existing(plan):
        locks, table = None, ""
        for operation, of, is_there in operations:
            if locks and operation.name in _ON_ROWS and not operation.inert:
                yield Wait(
                    table=table,
                    begin=f"{migration.label}: {locks} locks its table",
                    end=f" until {operation.name} has ended, and requests wait",
                    fix=f"give {operation.name} a migration of its own",
                    always=True,
                )
                locks = None
            if migration.atomic and _locks(operation) and is_there and not locks:
                locks, table = operation, of


def locked(plan: Iterable[Migration]) -> Iterator[Wait]:
    """What waits while a table that is there is scanned or rewritten, or an index of it is built."""
    for migration, operations in _existing(plan):
        # Tables that this transaction has to itself.
        alone: dict[str, None] = {}
        for operation, table, is_there in operations:
            if not is_there:
                continue
            works = [*_works(operation, migration.atomic)]
            if work := next((one for one in works if one.waits == _ALL), next(iter(works), None)):
                yield _wait(migration, operation, table, work, alone)
            elif operation.name == "ValidateConstraint" and table in alone:
                yield _wait(migration, operation, table, _Work(_ALL, _SCANNED, _ALONE), alone)
            if migration.atomic and _is_exclusive(operation):
                alone[table] = None


def _wait(migration: Migration, operation: Operation, table: str, work: _Work, alone: Iterable[str]) -> Wait:
    others = [name for name in alone if name != table]
    related = operation.after.related if operation.after and operation.after.constraint else ""
    also = [f"writes to {related}"] if related and work.work != _REWRITTEN else []
    also += [f"requests to {', '.join(others)}, which the same migration has locked"] if others else []
    what = " ".join(filter(None, [operation.name, operation.field]))
    waits = _ALL if table in alone else work.waits
    return Wait(
        table=table,
        begin=f"{migration.label}: {what} on {table}",
        end=f": {waits} while {work.work}" + (f", and so do {' and '.join(also)}" if also else ""),
        fix=work.fix,
    )


def _existing(plan: Iterable[Migration]) -> Iterator[tuple[Migration, list[tuple[Operation, str, bool]]]]:
    """Each migration with its operations: the table of each, as it is called before the plan, and if it is there."""
    made, tables = Made(), dict[tuple[str, str], str]()
    for migration in plan:
        found = []
        for operation in migration.operations:
            model, column = (migration.app, operation.model.lower()), operation.after or operation.before
            between_tables = column is not None and column.kind == "ManyToManyField"
            table = tables.setdefault(model, operation.table)
            found.append((operation, table, not (model in made.models or between_tables or operation.inert)))
            if operation.name == "RenameModel":
                tables[migration.app, operation.to.lower()] = tables.pop(model)
            follow(migration.app, operation, made)
        yield migration, found


def _is_exclusive(operation: Operation) -> bool:
    if operation.name == "AlterField" and is_same(operation.before, operation.after):
        return False
    return operation.name in _EXCLUSIVE and operation.constraint != "index"


def _locks(operation: Operation) -> bool:
    """Whether it locks its table for others: also another index does, but not what Python alone knows."""
    before, after = operation.before, operation.after
    if operation.name == "AlterField" and before and after and before.index == after.index:
        return _is_exclusive(operation)
    return operation.name in _LOCKING


def _works(operation: Operation, atomic: bool) -> Iterator[_Work]:
    name, constraint = operation.name, operation.constraint
    if name in ("AddIndex", "AlterIndexTogether"):
        yield _Work(_WRITES, _BUILT, f"use AddIndexConcurrently {_NO_TRANSACTION}")
    elif name == "AddField" and operation.after:
        yield from _added(operation.after, atomic)
    elif name == "AlterField" and operation.before and operation.after:
        yield from _altered(operation.before, operation.after)
    elif name == "AlterUniqueTogether" or (name == "AddConstraint" and constraint == "unique"):
        yield _Work(_ALL, _BUILT, _UNIQUE_COLUMN)
    elif name == "AddConstraint" and constraint == "index":
        yield _Work(_WRITES, _BUILT, f"make it by {_UNIQUE}, and put this into {_STATE}")
    elif name == "AddConstraint" and constraint == "check":
        yield _Work(_ALL, _SCANNED, f"use {_NOT_VALID}")
    elif name == "AddConstraint" and constraint == "exclusion":
        yield _Work(_ALL, _BUILT, "deploy at a quiet time: PostgreSQL has no other way")


def _added(column: Field, atomic: bool) -> Iterator[_Work]:
    """What a new column needs. Its index is a statement of its own, under the lock that the transaction holds."""
    if column.kind == "GeneratedField":
        if column.stored:
            yield _Work(_ALL, _REWRITTEN, "add a plain column, and fill it in batches")
        return
    if column.kind in _COUNTED:
        yield _Work(_ALL, _REWRITTEN, _FILL)
    if column.default == "expression" and column.default_by not in _STABLE:
        each = f"{_REWRITTEN}, unless {column.default_by or 'its db_default'} gives all rows the same value"
        yield _Work(_ALL, each, f"{_FILL}, and give it db_default then")
    if column.unique:
        yield _Work(_ALL, _BUILT, _UNIQUE_COLUMN)
    elif column.index:
        yield _Work(_ALL if atomic else _WRITES, _BUILT, _LATER_INDEX)
    if column.kind in _CHECKED:
        yield _Work(_ALL, _SCANNED, _CHECK_LATER)
    if column.related and column.constraint and (column.default or (column.filled and not column.null)):
        yield _Work(_ALL, _SCANNED, _FILL)


def _altered(before: Field, after: Field) -> Iterator[_Work]:
    if _is_rewritten(before, after):
        others = ", and so is each with a foreign key to it" if after.primary_key else ""
        yield _Work(_ALL, f"{_REWRITTEN}{others}", _SECOND)
    if after.unique and not before.unique:
        yield _Work(_ALL, _BUILT, _UNIQUE_COLUMN)
    if before.null and not after.null:
        yield _Work(_ALL, _SCANNED, _NOT_NULL)
    if after.kind in _CHECKED and before.kind not in _CHECKED:
        yield _Work(_ALL, _SCANNED, _CHECK_LATER)
    if before.collation != after.collation and (before.index or before.unique):
        yield _Work(_ALL, "its indexes are built again", _SECOND)
    if after.index and not (before.index or after.unique):
        yield _Work(_WRITES, _BUILT, f"add it to Meta.indexes by AddIndexConcurrently {_NO_TRANSACTION}")
    if after.related and after.constraint and (leads_elsewhere(before, after) or not before.constraint):
        yield _Work(_WRITES, _SCANNED, _FOREIGN)


def _is_rewritten(before: Field, after: Field) -> bool:
    """Whether another type makes PostgreSQL write each row again; False where the types are not known."""
    if before.db_type and before.db_type == after.db_type:
        return False
    was, now = (_TYPES.get(each.kind, each.db_type) for each in (before, after))
    if not was or not now:
        return False
    if was in ("varchar", "text") and now in ("varchar", "text"):
        bound = after.length if now == "varchar" else None
        return bound is not None and (was == "text" or before.length is None or bound < before.length)
    if was == now == "numeric":
        is_wider = after.digits is None or (before.digits is not None and after.digits >= before.digits)
        return not is_wider or (after.digits is not None and before.decimals != after.decimals)
    return was != now
