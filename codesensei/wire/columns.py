"""What a new or another column means for code that does not know of it, and reads and writes the table as before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from codesensei.wire.quick import dataclass

Verdict = Literal["safe", "destructive", "unknown"]
# What the database itself fills in.
Default = Literal["", "constant", "expression"]
# Fields whose type has no parameters but those below.
PLAIN = frozenset(
    """
    BinaryField BooleanField CharField DateField DateTimeField DecimalField DurationField EmailField FileField
    FilePathField FloatField ForeignKey GenericIPAddressField ImageField JSONField OneToOneField SlugField TextField
    TimeField URLField UUIDField HStoreField SearchVectorField NullBooleanField
    AutoField BigAutoField SmallAutoField IntegerField BigIntegerField SmallIntegerField PositiveIntegerField
    PositiveBigIntegerField PositiveSmallIntegerField
    """.split()
)
_VARYING = frozenset("CharField EmailField FileField FilePathField ImageField SlugField URLField".split())
_WITHOUT_COLUMN = frozenset("ManyToManyField GeneratedField GenericRelation GenericForeignKey".split())
# The numbers that a column holds, by size.
_SIZES = {
    name: (kind, size)
    for kind, names in {
        "auto": "SmallAutoField AutoField BigAutoField",
        "signed": "SmallIntegerField IntegerField BigIntegerField",
        "positive": "PositiveSmallIntegerField PositiveIntegerField PositiveBigIntegerField",
    }.items()
    for size, name in enumerate(names.split())
}
READ_IT = "read it: is what the serving code reads still there, and may it still write what it writes"
KEEP_TO_IT = "deploy code that keeps to it first, and let the next deploy add the constraint"
_FORBIDDEN = "the serving code may write what the constraint forbids, and existing rows may break it"
_NULL_FIRST = "add it with null=True, and let the next deploy fill it and make it non-null"
_ALWAYS_WRITE = "deploy code that always writes a value first, and let the next deploy"


@dataclass(frozen=True, kw_only=True)
class Field:
    """What matters of a field; what is not known is empty.

    `kind` is its class, or the one of Django's that it is made from and whose type it has. `to_field` is the other
    model's that a key leads to, where the project names it. `through` is the model of a ManyToManyField that the
    project wrote itself. `default` is the database's own, `default_by` the class of its expression; `filled`: Django
    has a value for rows that are there. `written` are arguments that the type may depend on. `index`: it has one of
    its own; `stored`: rows hold a generated one.
    """

    kind: str
    null: bool = False
    unique: bool = False
    primary_key: bool = False
    default: Default = ""
    default_by: str = ""
    filled: bool = False
    index: bool = False
    stored: bool = True
    column: str = ""
    db_type: str = ""
    written: str = ""
    collation: str = ""
    related: str = ""
    to_field: str = ""
    constraint: bool = True
    through: str = ""
    length: int | None = None
    digits: int | None = None
    decimals: int | None = None


@dataclass(frozen=True)
class Opinion:
    """A verdict that is not safe, why, and what to do instead."""

    verdict: Verdict
    why: str
    fix: str


FORBIDDEN = Opinion("destructive", _FORBIDDEN, KEEP_TO_IT)


def is_kept(column: Field | None) -> bool:
    """Whether the value that Django has for existing rows can stay in the database, for those that are to come."""
    if column is None or column.kind in _WITHOUT_COLUMN or column.primary_key or column.unique:
        return False
    return column.filled and not column.null and not column.default


def is_same(before: Field | None, after: Field | None) -> bool:
    """Whether the database has the same column, but for an index of it."""
    return bool(before and after and replace(before, index=after.index, filled=after.filled) == after)


def leads_elsewhere(before: Field, after: Field) -> bool:
    """Whether a key gets another model, or another of its fields."""
    return (before.related, before.to_field) != (after.related, after.to_field)


def added(column: Field | None) -> Iterator[Opinion]:
    """What is to be said against a new column, of which the rows that the serving code writes say nothing."""
    if column is None:
        yield Opinion("unknown", "its field is not written plainly", "the deploy asks Django itself")
    elif column.kind == "GeneratedField" and column.unique:
        yield FORBIDDEN
    elif column.kind in _WITHOUT_COLUMN:
        return
    elif column.primary_key:
        why = "the primary key changes under the serving code"
        yield Opinion("destructive", why, "make a new table, and move the rows")
    elif column.unique and column.default == "constant":
        why = "each row that the serving code writes gets the same value, and the second one is refused"
        yield Opinion("destructive", why, _NULL_FIRST)
    elif column.unique and column.default:
        yield Opinion("unknown", "it is safe only if db_default gives each row another value", READ_IT)
    elif not column.null and not column.default:
        why = "each row that the serving code writes fails: Django keeps no Python default in the database"
        fix = _NULL_FIRST if column.unique else f"give it db_default (Django 5.0 and later); or {_NULL_FIRST}"
        yield Opinion("destructive", why, fix)


def altered(before: Field | None, after: Field | None) -> Iterator[Opinion]:
    """What is to be said against a change of a column that the serving code reads and writes as it was."""
    if before is None or after is None:
        why = "what the field was before, or is then, is not written plainly"
        yield Opinion("unknown", why, "the deploy asks Django itself")
    elif "ManyToManyField" in (before.kind, after.kind):
        one, other = ((of.kind, of.related, of.through, of.column) for of in (before, after))
        if one != other:
            why = "the table between the two models changes"
            yield Opinion("destructive", why, "add a second field, and drop this one in a later deploy")
    else:
        yield from _rules(before, after)
        yield from _retyped(before, after)


def _rules(before: Field, after: Field) -> Iterator[Opinion]:
    """What may stand in a column, and what stands there where nothing is written."""
    if before.column != after.column:
        why = f"the serving code knows the column as {before.column or 'it was'}"
        yield Opinion("destructive", why, f"keep its name: db_column='{before.column}'")
    if before.null and not after.null:
        why = "the serving code may still write NULL there, also where the database has a default"
        yield Opinion("destructive", why, f"{_ALWAYS_WRITE} fill the rows and do this")
    if (after.unique and not before.unique) or before.primary_key != after.primary_key:
        yield FORBIDDEN
    if after.related and (leads_elsewhere(before, after) or (after.constraint and not before.constraint)):
        yield FORBIDDEN
    if before.default and not (after.default or after.null):
        why = "the serving code leaves the value to the database, which then has no default"
        yield Opinion("destructive", why, f"{_ALWAYS_WRITE} drop db_default")
    if before.collation != after.collation:
        yield Opinion("unknown", "another collation compares and sorts otherwise", READ_IT)


def _retyped(before: Field, after: Field) -> Iterator[Opinion]:
    holds = next(_holds(before, after), None)
    if holds is None:
        yield Opinion("unknown", f"only you know whether {after.kind} holds all that {before.kind} does", READ_IT)
    elif not holds:
        what = f"a narrower {after.kind}" if before.kind == after.kind else f"{before.kind} becomes {after.kind}"
        why = f"the column's type changes ({what}), and the serving code writes and expects the one before"
        fix = "add a second column, fill both, and drop this one in a later deploy"
        yield Opinion("destructive", why, fix)


def _holds(before: Field, after: Field) -> Iterator[bool]:
    """First, whether a column takes and gives back all that it did before; nothing where that is not known."""
    kinds = (before.kind, after.kind)
    if before.kind in _SIZES and after.kind in _SIZES:
        (was, was_size), (family, size) = _SIZES[before.kind], _SIZES[after.kind]
        yield size >= was_size and (was == family or (was, family) == ("positive", "signed"))
    if before.kind in _VARYING and after.kind in _VARYING:
        yield after.length is None or (before.length is not None and after.length >= before.length)
    if kinds == ("DecimalField", "DecimalField"):
        yield _digits(after) >= _digits(before) and (after.decimals or 0) >= (before.decimals or 0)
    if before.kind in _VARYING and after.kind == "TextField":
        yield True
    if set(kinds) == {"ForeignKey", "OneToOneField"} or kinds == ("NullBooleanField", "BooleanField"):
        yield True
    if before.kind == after.kind and after.kind in PLAIN:
        yield True
    if before.db_type and before.db_type == after.db_type:
        yield True
    if before.written and (before.kind, before.written) == (after.kind, after.written):
        yield True
    if {*kinds} <= PLAIN:
        yield False


def _digits(of: Field) -> int:
    """Digits before the point."""
    return (of.digits or 0) - (of.decimals or 0)
