"""What each operation of a migration means for the code that serves until the switch, and still writes to the tables.

Both sides describe operations alike, from the source or from Django's own plan, and judge them by the one table here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import field, replace
from typing import Literal

from codesensei.wire.columns import FORBIDDEN, READ_IT, Field, Opinion, Verdict, added, altered, is_kept, is_same
from codesensei.wire.quick import dataclass

# No running code notices these. RunPython is told of: only reading it shows what it does.
SAFE = frozenset(
    """
    CreateModel AlterModelTableComment AlterIndexTogether AlterModelOptions AlterModelManagers AddIndex RemoveIndex
    RenameIndex RemoveConstraint AlterConstraint ValidateConstraint AddIndexConcurrently RemoveIndexConcurrently
    CreateCollation CreateExtension BloomExtension BtreeGinExtension BtreeGistExtension CITextExtension CryptoExtension
    HStoreExtension TrigramExtension UnaccentExtension RunPython
    """.split()
)
# The key of a stack file that names what may run all the same.
ACKNOWLEDGE = "project.acknowledgeMigrations"
# The name of an operation that is there, and that only running its file tells.
UNREAD = "an operation that is not written plainly"
# What PostgreSQL makes of a constraint: `index` is a unique one that is no constraint there.
Constraint = Literal["", "unique", "index", "check", "exclusion"]
# App, model and field.
_Column = tuple[str, str, str]
_CONSTRAINING = ("AddConstraint", "AddConstraintNotValid", "AlterUniqueTogether")
_LATER = "deploy code that no longer uses it first, and let the next deploy drop it"
_STATE = "SeparateDatabaseAndState(state_operations=[…])"
_SAME_TABLE = (
    "keep the table: AlterModelTable('{o.model}', '{table}') before this operation, and db_table = '{table}' in Meta of"
    " {o.to}"
)
_RENAMED_BETWEEN = (
    "the serving code knows the table between the two models under its old name",
    "keep the table: AlterField of {o.field} with db_table='{column}' before this operation, and the same in the model",
)
# Django names a column of such a table after the model.
_BETWEEN = (
    "the serving code knows a column of {tables} under the model's old name",
    f"keep the column: first, in {_STATE}, CreateModel of a model for each of these tables, with its db_table and the"
    " db_column of both keys, and AlterField of the ManyToManyField with through; then " + _SAME_TABLE,
)
_DEFAULT_GOES = Opinion(
    "destructive",
    "the serving code leaves the value to the default that stays in the database, and this drops it",
    "give the field a default again, also with preserve_default=False; or let the next deploy do this",
)
# Of each the reason, and what to do instead.
_DESTRUCTIVE: Mapping[str, tuple[str, str]] = {
    "RemoveField": (
        "the serving code still reads and writes the column",
        f"{_LATER}: 1. the column with null=True or db_default, and this operation in {_STATE}; 2. the column dropped",
    ),
    "DeleteModel": (
        "the serving code still reads and writes the table",
        f"{_LATER}: 1. this operation in {_STATE}; 2. the table dropped",
    ),
    "RenameField": (
        "the serving code knows the column under its old name",
        "keep the column: AlterField of {o.field} with db_column='{column}' before this operation, and the same in the"
        " model; or add a second column, fill both, and drop the first in a later deploy",
    ),
    "RenameModel": ("the serving code knows the table under its old name", _SAME_TABLE),
    "AlterModelTable": ("the serving code knows the table under its old name", "keep db_table as it is"),
    "AlterOrderWithRespectTo": (
        "the column _order comes, which the serving code does not write, or goes, which it reads",
        "order by a field of your own, added with null=True or db_default",
    ),
    "RemoveCollation": ("queries of the serving code may name the collation", _LATER),
}


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation: its class, and what it is about. `to` is a new name, `fields` are those of each new constraint.

    `table` is the model's, before the operation; `between` are those of ManyToManyFields with a column that is named
    after a model that gets another name; `again`: a new constraint forbids no more than one that its transaction has
    dropped; `constraint` is how PostgreSQL keeps to a new one. `inert`: it changes
    no table, e.g. of a model that is not managed, or of a RunSQL without a statement.
    """

    name: str
    model: str = ""
    field: str = ""
    to: str = ""
    before: Field | None = None
    after: Field | None = None
    fields: tuple[tuple[str, ...], ...] = ()
    table: str = ""
    between: tuple[str, ...] = ()
    constraint: Constraint = ""
    again: bool = False
    inert: bool = False

    def __str__(self) -> str:
        """As people speak of it: `RenameField book.price to cost`."""
        of = ".".join(filter(None, [self.model, self.field]))
        return " ".join(filter(None, [self.name, of, f"to {self.to}" if self.to else ""]))


@dataclass(frozen=True, kw_only=True)
class Migration:
    """`app` is the label, as everywhere in Django; `atomic`: all of it is one transaction."""

    app: str
    name: str
    operations: tuple[Operation, ...] = ()
    atomic: bool = True

    @property
    def label(self) -> str:
        """As `acknowledgeMigrations` names it: `books.0003_drop_price`."""
        return f"{self.app}.{self.name}"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """An operation of a migration and its verdict; `why` and `fix` are empty where it is safe.

    `without`: what would be against it, were a default not kept in the database until another deploy.
    """

    migration: str
    operation: Operation
    verdict: Verdict = "safe"
    why: str = ""
    fix: str = ""
    without: str = ""

    @property
    def shown(self) -> str:
        """The verdict as a person must not overlook it."""
        return self.verdict.upper() if self.verdict == "destructive" else self.verdict

    def __str__(self) -> str:
        why = self.why or ("its default stays in the database" if self.without else "")
        return f"{self.operation} is {self.shown}" + (f": {why}" if why else "")


@dataclass
class Made:
    """What the plan itself has made so far: the serving code knows nothing of it.

    `unique` are the columns of each constraint that rows of the serving code pass with NULL in a new one. `kept` are
    tables and columns whose defaults stay in the database from an earlier run.
    """

    models: set[tuple[str, str]] = field(default_factory=set)
    columns: dict[_Column, Field | None] = field(default_factory=dict)
    unique: list[frozenset[_Column]] = field(default_factory=list)
    kept: Collection[tuple[str, str]] = ()

    def lets_pass(self, columns: Iterable[_Column]) -> bool:
        """Whether a unique constraint compares no row of the serving code: one with NULL in it is like no other."""
        found = map(self.columns.get, columns)
        return any(one and one.null and not one.default and one.kind != "GeneratedField" for one in found)


def judge(
    plan: Iterable[Migration], keeps: Callable[[str], bool] = lambda _: False, kept: Collection[tuple[str, str]] = ()
) -> Iterator[Judged]:
    """Each operation of a plan in its order, for a database that has tables already.

    `keeps`: whether the defaults of a migration's new columns stay in the database. `kept` are tables and columns whose
    defaults an earlier run has left there.
    """
    made = Made(kept=kept)
    for migration in plan:
        for operation in migration.operations:
            found = None if operation.inert else next(_against(migration.app, operation, made), None)
            is_new = operation.name == "AddField" or _column(migration.app, operation) in made.columns
            stays = (
                found
                and found != FORBIDDEN
                and is_new
                and is_kept(_becomes(migration.app, operation, made))
                and keeps(migration.label)
            )
            follow(migration.app, operation, made)
            told = Opinion("safe", "", "") if stays or not found else found
            yield Judged(
                migration=migration.label,
                operation=operation,
                verdict=told.verdict,
                why=told.why,
                fix=told.fix,
                without=found.why if found and stays else "",
            )


def _column(app: str, operation: Operation) -> _Column:
    return (app, operation.model.lower(), operation.field.lower())


def _constraints(app: str, operation: Operation) -> list[frozenset[_Column]]:
    """The columns of each new constraint."""
    model = operation.model.lower()
    return [frozenset((app, model, name.lower()) for name in group) for group in operation.fields]


def _compared(app: str, operation: Operation, made: Made) -> Iterator[Opinion]:
    """What is to be said where a unique constraint compares what rows of the serving code get in a new column."""
    column = _column(app, operation)
    then = Made(columns={**made.columns, column: _becomes(app, operation, made)})
    if any(column in each and not then.lets_pass(each) for each in made.unique):
        yield FORBIDDEN


def _becomes(app: str, operation: Operation, made: Made) -> Field | None:
    """A column after an operation. What fills a new one goes on while nothing else of it changes."""
    was = made.columns.get(_column(app, operation))
    if operation.after and was and was.filled and is_same(operation.before, operation.after):
        return replace(operation.after, filled=True)
    return operation.after


def _dropped(operation: Operation, made: Made) -> Iterator[Opinion]:
    """What is to be said where a default goes that an earlier run has left in the database."""
    before, after = operation.before, operation.after
    if not before or not after or (operation.table, before.column) not in made.kept:
        return
    if not (after.null or after.default or is_kept(after) or is_same(before, after)):
        yield _DEFAULT_GOES


def _reason(operation: Operation) -> tuple[str, str]:
    """Why a destructive operation is one, and what to do instead."""
    if operation.between:
        return _BETWEEN
    is_between = operation.before and operation.before.kind == "ManyToManyField"
    return _RENAMED_BETWEEN if operation.name == "RenameField" and is_between else _DESTRUCTIVE[operation.name]


def _against(app: str, operation: Operation, made: Made) -> Iterator[Opinion]:
    """What is to be said against an operation, first things first."""
    name, model = operation.name, (app, operation.model.lower())
    is_new = (*model, operation.field.lower()) in made.columns
    if name in SAFE or operation.again or (operation.model and model in made.models):
        return
    if name == "AddField" or (name == "AlterField" and is_new):
        # Rows of the serving code have to fit what becomes of a new column in the end.
        yield from _compared(app, operation, made)
        yield from added(_becomes(app, operation, made))
    elif name == "AlterField":
        yield from altered(operation.before, operation.after)
        yield from _dropped(operation, made)
    elif name in _CONSTRAINING:
        if not operation.fields or not all(map(made.lets_pass, _constraints(app, operation))):
            yield FORBIDDEN
    elif name == "RemoveField" and operation.before and operation.before.kind == "ManyToManyField":
        if not operation.before.through:
            yield Opinion("destructive", *_DESTRUCTIVE["DeleteModel"])
    elif name in _DESTRUCTIVE:
        if not is_new:
            table = operation.table or f"{app}_{operation.model.lower()}"
            column = operation.before.column if operation.before else operation.field
            about = {"o": operation, "table": table, "column": column, "tables": " and ".join(operation.between)}
            why, fix = _reason(operation)
            yield Opinion("destructive", why.format(**about), fix.format(**about))
    elif name == UNREAD:
        yield Opinion("unknown", "only running it tells", "the deploy asks Django itself")
    elif name == "RunSQL":
        yield Opinion("unknown", "only reading its SQL tells", READ_IT)
    else:
        yield Opinion("unknown", "it is none of Django's own operations", READ_IT)


def follow(app: str, operation: Operation, made: Made) -> None:
    """Keep up with what a plan makes."""
    model, to = (app, operation.model.lower()), operation.to.lower()
    column, renamed = (*model, operation.field.lower()), (*model, to)
    if operation.name == "CreateModel":
        made.models.add(model)
    elif operation.name == "DeleteModel":
        made.models.discard(model)
    elif operation.name == "AddField" or (operation.name == "AlterField" and column in made.columns):
        made.columns[column] = _becomes(app, operation, made)
    elif operation.name == "RemoveField":
        made.columns.pop(column, None)
        made.unique = [each for each in made.unique if column not in each]
    elif operation.name == "RenameField" and column in made.columns:
        made.columns[renamed] = made.columns.pop(column)
        made.unique = [frozenset(renamed if one == column else one for one in each) for each in made.unique]
    elif operation.name in _CONSTRAINING:
        made.unique += _constraints(app, operation)
    elif operation.name == "RenameModel":
        made.models = {(app, to) if known == model else known for known in made.models}
        made.columns = {
            (app, to, known[2]) if known[:2] == model else known: found for known, found in made.columns.items()
        }
        made.unique = [
            frozenset((app, to, one[2]) if one[:2] == model else one for one in each) for each in made.unique
        ]
