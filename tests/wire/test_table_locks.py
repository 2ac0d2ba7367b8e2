"""What waits while a migration runs: the table of locks, of rewrites and scans, and what is worth telling."""

from __future__ import annotations

import dataclasses

import pytest

from codesensei.wire.columns import Field
from codesensei.wire.migrations import Migration, Operation
from codesensei.wire.table_locks import SMALL, Table, Wait, held, locked, tell
from tests.wire.test_migrations import CREATE, NULL, PLAIN, RENAME_MODEL, add, alter, column, key, number, sql, text

PYTHON = Operation(name="RunPython")
HOLDS = add(column(null=True))
TABLE = "books_book"
INDEX = Operation(name="AddIndex", model="book", table=TABLE)
NOT_VALID = Operation(name="AddConstraintNotValid", model="book", table=TABLE, constraint="check")
VALIDATE = Operation(name="ValidateConstraint", model="book", table=TABLE)
WRITES, ALL = "writes wait while ", "reads and writes wait while "
BUILT, SCANNED, REWRITTEN = "the index is built", "the table is scanned", "the table is rewritten"
INTEGER, POSITIVE = column("IntegerField"), column("PositiveIntegerField")
EXPRESSION = column("UUIDField", default="expression", default_by="RandomUUID")


def constraint(kind: str, name: str = "AddConstraint") -> Operation:
    return Operation(name=name, model="book", table=TABLE, constraint=kind)  # type: ignore[arg-type]


def kept(field: Field) -> Field:
    return dataclasses.replace(field, filled=True)


def retyped(before: str, after: str) -> Operation:
    return alter(Field(kind="Own", db_type=before), Field(kind="Own", db_type=after))


# Of each operation what waits for what, where it is the only one of a migration. Each was measured with PostgreSQL.
TABLE_OF_LOCKS: list[tuple[str, Operation, str]] = [
    ("null", add(NULL), ""),
    ("default", add(column(filled=True)), ""),
    ("db-default", add(column(default="constant")), ""),
    ("db-default-now", add(column("DateTimeField", default="expression", default_by="Now")), ""),
    ("db-default-uuid", add(EXPRESSION), ALL + f"{REWRITTEN}, unless RandomUUID gives all rows the same value"),
    ("unread", add(None), ""),
    ("many", add(column("ManyToManyField")), ""),
    ("generated", add(column("GeneratedField")), ALL + REWRITTEN),
    ("generated-virtual", add(column("GeneratedField", stored=False)), ""),
    ("counted", add(column("BigAutoField")), ALL + REWRITTEN),
    ("unique", add(column(null=True, unique=True)), ALL + BUILT),
    ("indexed", add(column(null=True, index=True)), ALL + BUILT),
    ("positive", add(column("PositiveIntegerField", null=True)), ALL + SCANNED),
    ("key", add(key("a.b", null=True, index=True)), f"{ALL}{BUILT}, and so do writes to a.b"),
    ("key-without-index", add(key("a.b", null=True)), ""),
    ("key-with-default", add(kept(key("a.b"))), f"{ALL}{SCANNED}, and so do writes to a.b"),
    ("key-without-constraint", add(key("a.b", null=True, index=True, constraint=False)), ALL + BUILT),
    ("unmanaged", add(column(index=True), inert=True), ""),
    ("index", INDEX, WRITES + BUILT),
    ("index-together", Operation(name="AlterIndexTogether", model="book", table=TABLE), WRITES + BUILT),
    ("index-together-fewer", Operation(name="AlterIndexTogether", model="book", table=TABLE, inert=True), ""),
    ("index-concurrently", Operation(name="AddIndexConcurrently", model="book", table=TABLE), ""),
    ("index-gone", Operation(name="RemoveIndex", model="book", table=TABLE), ""),
    ("unique-constraint", constraint("unique"), ALL + BUILT),
    ("unique-index", constraint("index"), WRITES + BUILT),
    ("check", constraint("check"), ALL + SCANNED),
    ("exclusion", constraint("exclusion"), ALL + BUILT),
    ("check-not-valid", NOT_VALID, ""),
    ("validate", VALIDATE, ""),
    ("together", Operation(name="AlterUniqueTogether", model="book", table=TABLE), ALL + BUILT),
    ("drop", Operation(name="RemoveField", model="book", table=TABLE), ""),
    ("nothing", alter(PLAIN, PLAIN), ""),
    ("not-null", alter(NULL, PLAIN), ALL + SCANNED),
    ("nullable", alter(PLAIN, NULL), ""),
    ("longer", alter(text(50), text(100)), ""),
    ("shorter", alter(text(100), text(50)), ALL + REWRITTEN),
    ("unbounded", alter(text(50), text()), ""),
    ("bounded", alter(text(), text(50)), ALL + REWRITTEN),
    ("to-text", alter(text(50), column("TextField")), ""),
    ("from-text", alter(column("TextField"), text(50)), ALL + REWRITTEN),
    ("from-text-unbounded", alter(column("TextField"), text()), ""),
    ("bigger", alter(INTEGER, column("BigIntegerField")), ALL + REWRITTEN),
    (
        "bigger-key",
        alter(column("AutoField", primary_key=True), column("BigAutoField", primary_key=True)),
        f"{ALL}{REWRITTEN}, and so is each with a foreign key to it",
    ),
    ("to-positive", alter(INTEGER, POSITIVE), ALL + SCANNED),
    ("from-positive", alter(POSITIVE, INTEGER), ""),
    ("more-digits", alter(number(6, 2), number(8, 2)), ""),
    ("fewer-digits", alter(number(8, 2), number(6, 2)), ALL + REWRITTEN),
    ("more-decimals", alter(number(6, 2), number(8, 3)), ALL + REWRITTEN),
    ("any-decimals", alter(number(6, 2), column("DecimalField")), ""),
    ("own-type", retyped("int", "text"), ALL + REWRITTEN),
    ("own-type-same", retyped("int", "int"), ""),
    ("own-type-unknown", alter(column("Own"), column("Other")), ""),
    ("made-unique", alter(PLAIN, column(unique=True)), ALL + BUILT),
    ("made-indexed", alter(PLAIN, column(index=True)), WRITES + BUILT),
    ("no-longer-indexed", alter(column(index=True), PLAIN), ""),
    ("collation", alter(PLAIN, column(collation="C")), ""),
    (
        "collation-of-index",
        alter(column(index=True), column(index=True, collation="C")),
        ALL + "its indexes are built again",
    ),
    ("made-key", alter(INTEGER, key("a.b")), f"{WRITES}{SCANNED}, and so do writes to a.b"),
    ("another-key", alter(key("a.c"), key("a.b")), f"{WRITES}{SCANNED}, and so do writes to a.b"),
    (
        "another-field-s-key",
        alter(key("a.b"), key("a.b", to_field="code")),
        f"{WRITES}{SCANNED}, and so do writes to a.b",
    ),
    ("same-key", alter(key("a.b"), key("a.b", null=True)), ""),
    ("key-constrained", alter(key("a.b", constraint=False), key("a.b")), f"{WRITES}{SCANNED}, and so do writes to a.b"),
    ("key-unconstrained", alter(key("a.b"), key("a.b", constraint=False)), ""),
    ("python", PYTHON, ""),
    ("sql", sql(), ""),
]


def migration(*operations: Operation, name: str = "0003_x", atomic: bool = True) -> Migration:
    return Migration(app="books", name=name, operations=operations, atomic=atomic)


def ends(*plan: Migration) -> list[str]:
    return [wait.end.removeprefix(": ") for wait in locked(plan)]


@pytest.mark.proves("migrations.locks")
@pytest.mark.parametrize(
    ("operation", "wanted"), [row[1:] for row in TABLE_OF_LOCKS], ids=[row[0] for row in TABLE_OF_LOCKS]
)
def test_what_waits_for_an_operation(operation: Operation, wanted: str) -> None:
    found = [*locked([migration(dataclasses.replace(operation, table=TABLE))])]
    assert [wait.end for wait in found] == ([f": {wanted}"] if wanted else [])
    assert all(wait.fix and wait.table == TABLE for wait in found)


@pytest.mark.proves("migrations.locks")
def test_it_is_told_as_people_speak_of_it() -> None:
    isbn = migration(INDEX, name="0004_isbn_index")
    [(what, fix)] = tell(locked([isbn]), {TABLE: Table(rows=41_210_332, size=3_435_973_837)})
    told = (
        "books.0004_isbn_index: AddIndex on books_book (41,210,332 rows, 3.2 GB): writes wait while the index is built"
    )
    assert (what, fix) == (told, "use AddIndexConcurrently in a migration with atomic = False")
    [wait] = locked([migration(dataclasses.replace(add(column(null=True, unique=True)), table=TABLE))])
    assert wait.begin == "books.0003_x: AddField price on books_book"


@pytest.mark.proves("migrations.locks")
def test_what_the_plan_makes_itself_is_no_table_that_anybody_waits_for() -> None:
    assert ends(migration(CREATE, INDEX)) == []
    assert ends(migration(CREATE, name="0002_x"), migration(INDEX)) == []


@pytest.mark.proves("migrations.locks")
def test_a_table_that_has_been_renamed_is_asked_for_by_the_name_that_it_has() -> None:
    renamed = dataclasses.replace(RENAME_MODEL, table=TABLE)
    after = Operation(name="AddIndex", model="novel", table="books_novel")
    assert [wait.table for wait in locked([migration(renamed), migration(after)])] == [TABLE]


@pytest.mark.proves("migrations.locks")
def test_readers_wait_too_where_the_transaction_has_the_table_to_itself() -> None:
    quick = add(NULL, table=TABLE)
    assert ends(migration(quick, INDEX)) == [ALL + BUILT]
    assert ends(migration(quick, INDEX, atomic=False)) == [WRITES + BUILT]
    assert ends(migration(quick), migration(INDEX)) == [WRITES + BUILT]
    assert ends(migration(NOT_VALID, VALIDATE)) == [ALL + SCANNED]
    # Another index, or what Python alone knows, locks no reader out.
    for field in (column(index=True), column(filled=True)):
        both = dataclasses.replace(alter(PLAIN, field), table=TABLE)
        assert ends(migration(both, INDEX))[-1] == WRITES + BUILT
    assert ends(migration(constraint("index"), INDEX))[-1] == WRITES + BUILT


@pytest.mark.proves("migrations.locks")
def test_other_tables_that_stay_locked_meanwhile_are_named() -> None:
    other = Operation(name="RemoveField", model="shelf", table="books_shelf")
    [wait] = locked([migration(other, INDEX)])
    assert wait.end == (
        ": writes wait while the index is built, and so do requests to books_shelf, which the same migration has locked"
    )


@pytest.mark.proves("migrations.locks")
def test_an_index_without_a_transaction_is_built_under_its_own_lock() -> None:
    assert ends(migration(add(column(null=True, index=True), table=TABLE), atomic=False)) == [WRITES + BUILT]


@pytest.mark.proves("migrations.locks.small")
@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ({TABLE: Table(rows=0, size=SMALL)}, ["x (8.0 MB) y"]),
        ({TABLE: Table(rows=10, size=SMALL - 1)}, []),
        ({TABLE: Table(rows=1, size=3 << 40)}, ["x (1 rows, 3.0 TB) y"]),
        ({"another": Table(rows=1, size=1)}, ["x (size not known) y"]),
    ],
)
def test_a_small_table_is_not_told_of_and_one_that_is_not_known_is(tables: dict[str, Table], told: list[str]) -> None:
    waits = Wait(table=TABLE, begin="x", end=" y", fix="z")
    assert [what for what, _ in tell([waits], tables)] == told
    always = dataclasses.replace(waits, always=True)
    assert [what for what, _ in tell([always], {})] == ["x y"]
    assert [what for what, _ in tell([always], {TABLE: Table(rows=10, size=2048)})] == ["x (10 rows, 2.0 kB) y"]


@pytest.mark.proves("migrations.held")
@pytest.mark.parametrize(
    ("operations", "named"),
    [
        ((HOLDS, PYTHON), ["AddField"]),
        ((HOLDS, Operation(name="AddIndex", model="book"), PYTHON), ["AddField"]),
        ((Operation(name="AddIndex", model="book"), sql()), ["AddIndex"]),
        ((HOLDS, PYTHON, PYTHON, HOLDS, PYTHON), ["AddField", "AddField"]),
        ((PYTHON, HOLDS), []),
        ((HOLDS,), []),
        ((HOLDS, Operation(name="RunPython", inert=True)), []),
        ((add(column("ManyToManyField")), PYTHON), []),
        ((alter(PLAIN, column(filled=True)), PYTHON), []),
        ((alter(None, PLAIN), PYTHON), ["AlterField"]),
        ((alter(column(index=True), PLAIN), PYTHON), ["AlterField"]),
        ((alter(PLAIN, column(index=True)), PYTHON), ["AlterField"]),
        ((Operation(name="CreateModel", model="Tag"), Operation(name="AddField", model="tag"), PYTHON), []),
    ],
)
def test_work_on_rows_while_a_table_is_locked(operations: tuple[Operation, ...], named: list[str]) -> None:
    plan = Migration(app="books", name="0003_x", operations=operations)
    found = [*held([plan])]
    assert [wait.begin.removeprefix("books.0003_x: ").split()[0] for wait in found] == named
    assert all(" of its own" in wait.fix and wait.always for wait in found)
    assert [*held([dataclasses.replace(plan, atomic=False)])] == []


@pytest.mark.proves("migrations.held")
def test_the_next_migration_holds_no_lock_of_this_one() -> None:
    plan = [Migration(app="books", name=str(at), operations=(one,)) for at, one in enumerate((HOLDS, PYTHON))]
    assert [*held(plan)] == []
