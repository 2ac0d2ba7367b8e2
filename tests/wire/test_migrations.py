"""The table of verdicts: what each operation means for the code that serves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from codesensei.wire.columns import Field, Verdict
from codesensei.wire.migrations import SAFE, Judged, Migration, Operation, judge


def column(kind: str = "CharField", **facts: Any) -> Field:
    return Field(kind=kind, **facts)


def text(length: int | None = None, kind: str = "CharField", **facts: Any) -> Field:
    return Field(kind=kind, length=length, **facts)


def number(digits: int, decimals: int) -> Field:
    return Field(kind="DecimalField", digits=digits, decimals=decimals)


def add(after: Field | None, **facts: Any) -> Operation:
    return Operation(name="AddField", model="Book", field="price", after=after, **facts)


def alter(before: Field | None, after: Field | None) -> Operation:
    return Operation(name="AlterField", model="book", field="price", before=before, after=after)


def constraint(*fields: str, name: str = "AddConstraint") -> Operation:
    return Operation(name=name, model="book", fields=(fields,) if fields else ())


def sql(**facts: Any) -> Operation:
    return Operation(name="RunSQL", **facts)


def key(to: str, **facts: Any) -> Field:
    return Field(kind=facts.pop("kind", "ForeignKey"), related=to, **facts)


def judged(*operations: Operation) -> list[Judged]:
    return list(judge([Migration(app="books", name="0003_x", operations=operations)]))


CREATE = Operation(name="CreateModel", model="Book")
REMOVE = Operation(name="RemoveField", model="book", field="price")
RENAME = Operation(name="RenameField", model="book", field="price", to="cost")
RENAME_MODEL = Operation(name="RenameModel", model="book", to="Novel")
DELETE = Operation(name="DeleteModel", model="book")
TOGETHER = constraint("title", "price", name="AlterUniqueTogether")
ORDER = Operation(name="AlterOrderWithRespectTo", model="book")
TABLE = Operation(name="AlterModelTable", model="book", to="novels")
NULL, PLAIN, MANY = column(null=True), column(), column("ManyToManyField", related="books.author")
COST = Operation(name="AlterField", model="book", field="cost", before=NULL, after=PLAIN)
ISBN = replace(add(NULL), field="isbn")
NULL_DEFAULT = column(null=True, default="constant")
DEFAULT = Operation(name="AlterField", model="book", field="cost", before=NULL, after=NULL_DEFAULT)

TABLE_OF_VERDICTS: list[tuple[str, Verdict, tuple[Operation, ...]]] = [
    # New columns.
    ("null", "safe", (add(NULL),)),
    ("non-null", "destructive", (add(PLAIN),)),
    ("non-null-text-with-blank", "destructive", (add(column("TextField")),)),
    ("boolean-with-python-default", "destructive", (add(column("BooleanField")),)),
    ("db-default", "safe", (add(column(default="constant")),)),
    ("db-default-now", "safe", (add(column("DateTimeField", default="expression")),)),
    ("null-unique", "safe", (add(column(null=True, unique=True)),)),
    ("unique", "destructive", (add(column(unique=True)),)),
    ("unique-db-default", "destructive", (add(column(unique=True, default="constant")),)),
    ("unique-null-db-default", "destructive", (add(column(null=True, unique=True, default="constant")),)),
    ("unique-db-default-uuid", "unknown", (add(column("UUIDField", unique=True, default="expression")),)),
    ("primary-key", "destructive", (add(column("AutoField", primary_key=True)),)),
    ("many", "safe", (add(MANY),)),
    ("generated", "safe", (add(column("GeneratedField")),)),
    ("generated-unique", "destructive", (add(column("GeneratedField", unique=True)),)),
    ("null-key", "safe", (add(key("books.author", null=True)),)),
    ("non-null-key", "destructive", (add(key("books.author")),)),
    ("null-one-to-one", "safe", (add(key("books.author", kind="OneToOneField", null=True, unique=True)),)),
    ("one-to-one", "destructive", (add(key("books.author", kind="OneToOneField", unique=True)),)),
    ("field-unread", "unknown", (add(None),)),
    ("unmanaged", "safe", (add(PLAIN, inert=True),)),
    # What the same plan has made.
    ("column-of-new-table", "safe", (CREATE, add(PLAIN))),
    ("drop-in-new-table", "safe", (CREATE, REMOVE)),
    ("constraint-of-new-table", "safe", (CREATE, constraint("price"))),
    ("drop-new-table", "safe", (CREATE, DELETE)),
    ("rename-new-table", "safe", (CREATE, RENAME_MODEL)),
    ("column-of-renamed-new-table", "safe", (CREATE, RENAME_MODEL, Operation(name="AddField", model="novel"))),
    ("new-table-of-old-name", "destructive", (CREATE, RENAME_MODEL, REMOVE)),
    ("drop-new-column", "safe", (add(NULL), REMOVE)),
    ("rename-new-column", "safe", (add(NULL), RENAME)),
    ("drop-renamed-new-column", "safe", (add(NULL), RENAME, Operation(name="RemoveField", model="book", field="cost"))),
    ("non-null-new-column", "destructive", (add(NULL), alter(NULL, PLAIN))),
    ("non-null-renamed-new-column", "destructive", (add(NULL), RENAME, COST)),
    ("widened-new-column", "safe", (add(text(5, null=True)), alter(text(5, null=True), text(3, null=True)))),
    ("column-made-again", "destructive", (add(NULL), REMOVE, REMOVE)),
    (
        "new-column-of-renamed-table",
        "safe",
        (add(NULL), RENAME_MODEL, Operation(name="RemoveField", model="Novel", field="price")),
    ),
    ("unique-with-new-null-column", "safe", (add(NULL), constraint("title", "price"))),
    ("unique-with-new-default", "destructive", (add(column(null=True, default="constant")), constraint("price"))),
    ("unique-with-new-generated", "destructive", (add(column("GeneratedField", null=True)), constraint("price"))),
    ("default-after-unique", "destructive", (add(NULL), constraint("price"), alter(NULL, column(default="constant")))),
    ("null-default-after-unique", "destructive", (add(NULL), constraint("price"), alter(NULL, NULL_DEFAULT))),
    ("choices-after-unique", "safe", (add(NULL), constraint("price"), alter(NULL, NULL))),
    ("default-after-another-s-unique", "safe", (add(NULL), constraint("title", "isbn"), alter(NULL, NULL_DEFAULT))),
    ("default-beside-null", "safe", (add(NULL), ISBN, constraint("price", "isbn"), alter(NULL, NULL_DEFAULT))),
    (
        "defaults-of-all-after-unique",
        "destructive",
        (add(NULL), ISBN, constraint("price", "isbn"), alter(NULL, NULL_DEFAULT), replace(DEFAULT, field="isbn")),
    ),
    ("default-of-renamed-after-unique", "destructive", (add(NULL), constraint("price"), RENAME, DEFAULT)),
    (
        "default-of-renamed-table-after-unique",
        "destructive",
        (add(NULL), constraint("price"), RENAME_MODEL, replace(DEFAULT, model="novel", field="price")),
    ),
    (
        "default-after-column-made-again",
        "safe",
        (add(NULL), constraint("price"), REMOVE, add(NULL), alter(NULL, NULL_DEFAULT)),
    ),
    ("together-with-new-null-column", "safe", (add(NULL), TOGETHER)),
    (
        "together-with-another-group",
        "destructive",
        (add(NULL), replace(TOGETHER, fields=(("price", "title"), ("note", "title")))),
    ),
    # What is gone, or called otherwise.
    ("drop-column", "destructive", (REMOVE,)),
    ("drop-many", "destructive", (Operation(name="RemoveField", model="book", field="price", before=MANY),)),
    (
        "drop-many-through",
        "safe",
        (
            Operation(
                name="RemoveField",
                model="book",
                field="price",
                before=column("ManyToManyField", through="books.writing"),
            ),
        ),
    ),
    ("drop-table", "destructive", (DELETE,)),
    ("rename-column", "destructive", (RENAME,)),
    ("rename-with-db-column", "safe", (Operation(name="RenameField", model="book", inert=True),)),
    ("rename-table", "destructive", (RENAME_MODEL,)),
    ("rename-with-db-table", "safe", (Operation(name="RenameModel", model="book", to="Novel", inert=True),)),
    ("other-table", "destructive", (TABLE,)),
    ("order", "destructive", (ORDER,)),
    ("collation-gone", "destructive", (Operation(name="RemoveCollation"),)),
    # Another column.
    ("choices", "safe", (alter(text(50), text(50)),)),
    ("longer", "safe", (alter(text(50), text(100)),)),
    ("shorter", "destructive", (alter(text(100), text(50)),)),
    ("bounded", "destructive", (alter(text(), text(50)),)),
    ("unbounded", "safe", (alter(text(50), text()),)),
    ("email-to-char", "safe", (alter(text(254, "EmailField"), text(254)),)),
    ("char-to-text", "safe", (alter(text(50), column("TextField")),)),
    ("text-to-char", "destructive", (alter(column("TextField"), text(50)),)),
    ("integer-to-big", "safe", (alter(column("IntegerField"), column("BigIntegerField")),)),
    ("big-to-integer", "destructive", (alter(column("BigIntegerField"), column("IntegerField")),)),
    ("integer-to-positive", "destructive", (alter(column("IntegerField"), column("PositiveIntegerField")),)),
    ("positive-to-integer", "safe", (alter(column("PositiveIntegerField"), column("IntegerField")),)),
    ("auto-to-big-auto", "safe", (alter(column("AutoField"), column("BigAutoField")),)),
    ("auto-to-integer", "destructive", (alter(column("AutoField"), column("IntegerField")),)),
    ("more-digits", "safe", (alter(number(6, 2), number(8, 2)),)),
    ("fewer-digits", "destructive", (alter(number(8, 2), number(6, 2)),)),
    ("more-decimals-fewer-digits", "destructive", (alter(number(6, 2), number(6, 3)),)),
    ("fewer-decimals", "destructive", (alter(number(6, 2), number(6, 1)),)),
    ("integer-to-text", "destructive", (alter(column("IntegerField"), column("TextField")),)),
    ("date-to-datetime", "destructive", (alter(column("DateField"), column("DateTimeField")),)),
    ("null-boolean", "safe", (alter(column("NullBooleanField", null=True), column("BooleanField", null=True)),)),
    ("own-field", "unknown", (alter(column("MoneyField"), column("MoneyField")),)),
    ("own-field-same-type", "safe", (alter(column("MoneyField", db_type="int"), column("MoneyField", db_type="int")),)),
    ("own-field-other-type", "unknown", (alter(column("Money", db_type="int"), column("Money", db_type="text")),)),
    ("nullable", "safe", (alter(PLAIN, NULL),)),
    ("not-nullable", "destructive", (alter(NULL, PLAIN),)),
    ("not-nullable-db-default", "destructive", (alter(NULL, column(default="constant")),)),
    ("made-unique", "destructive", (alter(PLAIN, column(unique=True)),)),
    ("no-longer-unique", "safe", (alter(column(unique=True), PLAIN),)),
    ("made-primary-key", "destructive", (alter(PLAIN, column(primary_key=True)),)),
    ("db-default-added", "safe", (alter(PLAIN, column(default="constant")),)),
    ("db-default-gone", "destructive", (alter(column(default="constant"), PLAIN),)),
    ("db-default-of-null-gone", "safe", (alter(column(null=True, default="constant"), NULL),)),
    ("db-column", "destructive", (alter(column(column="price"), column(column="cost")),)),
    ("collation", "unknown", (alter(PLAIN, column(collation="und-x-icu")),)),
    ("key-to-another-table", "destructive", (alter(key("a.b"), key("a.c")),)),
    ("key-to-another-field", "destructive", (alter(key("a.b"), key("a.b", to_field="code")),)),
    ("key-without-constraint", "safe", (alter(key("a.b"), key("a.b", constraint=False)),)),
    ("key-with-constraint", "destructive", (alter(key("a.b", constraint=False), key("a.b")),)),
    ("key-to-one-to-one", "destructive", (alter(key("a.b"), key("a.b", kind="OneToOneField", unique=True)),)),
    ("one-to-one-to-key", "safe", (alter(key("a.b", kind="OneToOneField", unique=True), key("a.b")),)),
    ("many-same", "safe", (alter(MANY, MANY),)),
    ("many-through", "destructive", (alter(MANY, column("ManyToManyField", related="books.author", through="a.b")),)),
    ("many-to-another", "destructive", (alter(MANY, column("ManyToManyField", related="books.critic")),)),
    ("many-of-key", "destructive", (alter(key("books.author"), MANY),)),
    ("before-unread", "unknown", (alter(None, PLAIN),)),
    # Constraints, and what is none of the rest.
    ("constraint", "destructive", (constraint("price"),)),
    ("constraint-not-valid", "destructive", (constraint(name="AddConstraintNotValid"),)),
    ("together", "destructive", (TOGETHER,)),
    ("together-fewer", "safe", (Operation(name="AlterUniqueTogether", model="book", inert=True),)),
    ("sql", "unknown", (sql(),)),
    ("sql-on-new-table", "unknown", (CREATE, sql())),
    ("sql-noop", "safe", (sql(inert=True),)),
    ("own-operation", "unknown", (Operation(name="LoadExtension"),)),
    *((name, "safe", (Operation(name=name, model="book"),)) for name in sorted(SAFE)),
]


@pytest.mark.proves(
    "migrations.destructive",
    "migrations.writes",
    "migrations.unique",
    "migrations.unknown",
    "migrations.run-python",
    "migrations.fresh",
)
@pytest.mark.parametrize(
    ("verdict", "operations"), [row[1:] for row in TABLE_OF_VERDICTS], ids=[row[0] for row in TABLE_OF_VERDICTS]
)
def test_the_last_operation_of_a_plan(verdict: Verdict, operations: tuple[Operation, ...]) -> None:
    last = judged(*operations)[-1]
    assert last.verdict == verdict
    assert bool(last.why) is bool(last.fix) is (verdict != "safe")


def test_there_are_enough_rows_with_names_of_their_own() -> None:
    assert len({name for name, *_ in TABLE_OF_VERDICTS}) == len(TABLE_OF_VERDICTS) >= 80


def test_another_app_s_table_of_the_same_name_is_another() -> None:
    plan = [
        Migration(app="shelves", name="0001_initial", operations=(CREATE,)),
        Migration(app="books", name="0002_x", operations=(REMOVE,)),
    ]
    assert [(one.migration, one.verdict) for one in judge(plan)] == [
        ("shelves.0001_initial", "safe"),
        ("books.0002_x", "destructive"),
    ]


def test_the_fix_is_for_this_operation() -> None:
    [rename], [model] = judged(RENAME), judged(RENAME_MODEL)
    assert "AlterField of price with db_column='price'" in rename.fix
    assert "AlterModelTable('book', 'books_book')" in model.fix
    assert str(rename).startswith("RenameField book.price to cost is DESTRUCTIVE: the serving code knows")


@pytest.mark.proves("migrations.renamed")
def test_a_model_whose_name_is_in_columns_of_other_tables_says_which() -> None:
    [one] = judged(replace(RENAME_MODEL, table="shelves", between=("a_b", "a_c")))
    assert one.why == "the serving code knows a column of a_b and a_c under the model's old name"
    assert "CreateModel of a model for each of these tables" in one.fix
    assert one.fix.endswith(
        "AlterModelTable('book', 'shelves') before this operation, and db_table = 'shelves' in Meta of Novel"
    )


@pytest.mark.proves("migrations.defaults")
def test_a_column_made_non_null_later_in_the_plan_keeps_its_default_too() -> None:
    null, filled = column(null=True, filled=True), column(filled=True)
    plan = [Migration(app="books", name="0003_x", operations=(add(null), alter(null, filled)))]
    assert [(one.verdict, bool(one.without)) for one in judge(plan, lambda _: True)] == [
        ("safe", False),
        ("safe", True),
    ]
    assert [one.verdict for one in judge(plan)] == ["safe", "destructive"]
    assert [one.verdict for one in judge(plan, lambda label: label != "books.0003_x")] == ["safe", "destructive"]


@pytest.mark.proves("migrations.defaults")
@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        (column(index=True), "safe"),
        (column(filled=True, collation="C"), "safe"),
        (column(collation="C"), "destructive"),
    ],
)
def test_a_default_of_the_operation_alone_goes_on_while_its_column_is_the_same(after: Field, verdict: Verdict) -> None:
    """preserve_default=False: the field that is altered has none."""
    plan = [Migration(app="books", name="0003_x", operations=(add(column(filled=True)), alter(PLAIN, after)))]
    plan.append(Migration(app="books", name="0004_x", operations=(alter(after, after),)))
    assert [one.verdict for one in judge(plan, lambda _: True)] == ["safe", verdict, verdict]
    assert [one.verdict for one in judge(plan)] == ["destructive"] * 3


@pytest.mark.proves("migrations.defaults")
@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        (text(9), "safe"),
        (text(9, index=True), "safe"),
        (text(9, filled=True), "safe"),
        (text(10), "destructive"),
        (text(10, filled=True), "safe"),
        (text(10, null=True), "safe"),
        (text(10, default="constant"), "safe"),
    ],
)
def test_what_drops_a_default_of_an_earlier_run(after: Field, verdict: Verdict) -> None:
    fields = (replace(each, column="price") for each in (text(9), after))
    plan = [Migration(app="books", name="0004_x", operations=(replace(alter(*fields), table="books_book"),))]
    [one] = judge(plan, kept=[("books_book", "price")])
    assert one.verdict == verdict
    assert one.why.startswith("the serving code leaves the value to the default that stays") is (verdict != "safe")
    assert [one.verdict for one in judge(plan, kept=[("books_book", "title")])] == ["safe"]


@pytest.mark.proves("migrations.unique")
def test_a_default_that_stays_makes_rows_equal_that_a_constraint_compares() -> None:
    operations = (add(NULL), constraint("price"), alter(NULL, column(filled=True)))
    plan = [Migration(app="books", name="0003_x", operations=operations)]
    assert [one.verdict for one in judge(plan, lambda _: True)] == ["safe", "safe", "destructive"]


@pytest.mark.proves("migrations.defaults")
def test_what_is_safe_only_with_its_default_says_so() -> None:
    [one] = judge([Migration(app="books", name="0003_x", operations=(add(column(filled=True)),))], lambda _: True)
    assert str(one).endswith(" is safe: its default stays in the database")
    assert one.without.startswith("each row that the serving code writes fails")
