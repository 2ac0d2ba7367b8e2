"""Migrations as they are written: names, operations and fields, read without importing anything."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import field

from codesensei.source.archive import Checkout
from codesensei.source.syntax import syntax_if_read
from codesensei.wire.columns import PLAIN, Default, Field
from codesensei.wire.migrations import UNREAD, Constraint
from codesensei.wire.quick import dataclass

# The label of a migration's app, and the migration's name.
Key = tuple[str, str]
_OPERATIONS = ("django.db.migrations.", "django.contrib.postgres.operations.")
_MIGRATION = ("django.db.migrations.Migration", "django.db.migrations.migration.Migration")
_LIST = "operations"
# Names in these are of their own.
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
# Parameters by position, as Django has them since 4.2.
_PARAMETERS: Mapping[str, str] = {
    "CreateModel": "name fields options bases managers",
    "DeleteModel": "name",
    "RenameModel": "old_name new_name",
    "AlterModelTable": "name table",
    "AlterUniqueTogether": "name unique_together",
    "AlterIndexTogether": "name index_together",
    "AlterOrderWithRespectTo": "name order_with_respect_to",
    "AlterModelOptions": "name options",
    "AddField": "model_name name field",
    "RemoveField": "model_name name",
    "AlterField": "model_name name field",
    "RenameField": "model_name old_name new_name",
    "AddIndex": "model_name index",
    "AddIndexConcurrently": "model_name index",
    "RemoveIndex": "model_name name",
    "RemoveIndexConcurrently": "model_name name",
    "RenameIndex": "model_name new_name",
    "AddConstraint": "model_name constraint",
    "AddConstraintNotValid": "model_name constraint",
    "AlterConstraint": "model_name name constraint",
    "RemoveConstraint": "model_name name",
    "ValidateConstraint": "model_name name",
    "RunSQL": "sql reverse_sql state_operations",
    "RunPython": "code reverse_code",
    "SeparateDatabaseAndState": "database_operations state_operations",
}
MODEL_KEYS = ("model_name", "old_name", "name")
# Operations, and the option of a model that each is about.
TOGETHER = {"AlterUniqueTogether": "unique_together", "AlterIndexTogether": "index_together"}
_NAME_KEYS = frozenset((*MODEL_KEYS, "new_name"))
_RELATIONS = frozenset("ForeignKey OneToOneField ManyToManyField".split())
# Those that have an index unless they say otherwise.
_INDEXED = frozenset("ForeignKey OneToOneField SlugField".split())
_INDEX_PARTS = ("condition", "include", "opclasses")
# Those whose empty value is a text.
_TEXT_KINDS = frozenset(
    "BinaryField CharField EmailField FileField FilePathField ImageField SlugField TextField URLField".split()
)
# Arguments of a field of which its type is independent: Python alone knows them, or facts of their own tell them.
_OF_PYTHON = frozenset(
    """
    blank choices default editable error_messages help_text limit_choices_to on_delete related_name related_query_name
    validators verbose_name db_column db_comment db_default db_index null primary_key unique
    """.split()
)
# What a constraint is called, and says.
_SAID = ("name", "violation_error_code", "violation_error_message")
_TEXTS = ("db_column", "db_collation", "db_table", "to_field")
_NUMBERS = ("max_length", "max_digits", "decimal_places")
# Lengths that a migration leaves out where they are the usual ones.
_LENGTHS = {"SlugField": 50, "URLField": 200, "FileField": 100, "ImageField": 100, "FilePathField": 100}
_LENGTHS["EmailField"] = 254


@dataclass(frozen=True)
class Call:
    """An operation as it is written: its class's full name, its arguments by name, and what names mean in its file."""

    name: str
    given: Mapping[str, ast.expr] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_django_s(self) -> bool:
        """Whether its class is one of Django's."""
        return self.name.startswith(_OPERATIONS)

    @property
    def short(self) -> str:
        """The class's own name; of one that is not Django's never just that, so that it is not taken for Django's."""
        if self.is_django_s:
            return self.name.rpartition(".")[2]
        return self.name if "." in self.name else f"its own {self.name}"

    def text(self, *keys: str) -> str:
        """The first of these arguments that is a text; empty where none is."""
        return next((value for key in keys if isinstance(value := self.literal(key), str)), "")

    def literal(self, key: str) -> object:
        """An argument that is written plainly; None otherwise."""
        return literal(self.given.get(key))

    def is_unread(self, key: str) -> bool:
        """Whether only running tells which model or field an operation of Django's is about."""
        return key in _NAME_KEYS and self.is_django_s and not isinstance(self.literal(key), str)

    def calls(self, key: str) -> tuple[Call, ...]:
        """The operations in an argument."""
        node = self.given.get(key)
        return calls(node, self.names) if node else ()


@dataclass(frozen=True)
class Written:
    """A migration's file. `label` and `name` are what Django calls it."""

    key: Key
    operations: tuple[Call, ...]
    dependencies: frozenset[Key] = frozenset()
    replaces: frozenset[Key] = frozenset()
    atomic: bool = True

    @property
    def meaning(self) -> list[tuple[str, dict[str, str]]]:
        """What it does, whatever its file looks like."""
        return [(call.name, {key: ast.dump(node) for key, node in call.given.items()}) for call in self.operations]


def read(project: Checkout, file: str, key: Key) -> Written | None:
    """A migration; None for a file that has none. One that cannot be read has an operation that nobody knows."""
    tree = syntax_if_read(project, file)
    if tree is None:
        return Written(key, (Call(UNREAD),))
    of_class = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Migration"]
    if not of_class:
        return None
    said = {
        target.id: statement.value
        for statement in of_class[-1].body
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value
        for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
        if isinstance(target, ast.Name)
    }
    names = names_in(tree)
    operations = calls(said["operations"], names) if "operations" in said else ()
    if _has_more(tree, of_class[-1], names):
        operations += (Call(UNREAD),)
    dependencies, replaces = (_keys(said.get(name)) for name in ("dependencies", "replaces"))
    return Written(key, operations, dependencies, replaces, literal(said.get("atomic")) is not False)


def _has_more(tree: ast.Module, migration: ast.ClassDef, names: Mapping[str, str]) -> bool:
    """Whether only running tells all operations: of another class, or of a statement that is no plain assignment."""
    assigned = [
        statement
        for statement in migration.body
        if isinstance(statement, (ast.Assign, ast.AnnAssign))
        for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
        if isinstance(target, ast.Name) and target.id == _LIST
    ]
    inherits = any(full_name(base, names) not in _MIGRATION for base in migration.bases)
    rest = [each for each in migration.body if each not in assigned and not isinstance(each, _SCOPES)]
    return (
        (inherits and not assigned)
        or any(isinstance(node, ast.Name) and node.id == _LIST for each in rest for node in ast.walk(each))
        or any(isinstance(node, ast.Attribute) and _is_list(node) for node in ast.walk(tree))
    )


def _is_list(node: ast.Attribute) -> bool:
    """Whether this is the list of operations, spoken of after its class."""
    return node.attr == _LIST and isinstance(node.value, ast.Name) and node.value.id == "Migration"


def label(project: Checkout, folder: str) -> str:
    """What Django calls the app in a folder: its AppConfig may say so."""
    tree = syntax_if_read(project, f"{folder}/apps.py")
    for node in tree.body if tree else ():
        for statement in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(statement, ast.Assign) and [ast.unparse(each) for each in statement.targets] == ["label"]:
                found = literal(statement.value)
                if isinstance(found, str):
                    return found
    return folder.rpartition("/")[2]


def calls(node: ast.expr, names: Mapping[str, str]) -> tuple[Call, ...]:
    """The operations of a list."""
    if not isinstance(node, (ast.List, ast.Tuple)):
        return (Call(UNREAD),)
    return tuple(_call(element, names) for element in node.elts)


def _call(node: ast.expr, names: Mapping[str, str]) -> Call:
    name = full_name(node.func, names) if isinstance(node, ast.Call) else ""
    if not isinstance(node, ast.Call) or not name:
        return Call(UNREAD)
    by_position = _PARAMETERS.get(name.rpartition(".")[2], "").split()
    given = {
        **dict(zip(by_position, node.args, strict=False)),
        **{word.arg or "**": word.value for word in node.keywords},
    }
    return Call(name, given, names)


def names_in(tree: ast.Module) -> dict[str, str]:
    """What the names that a file imports stand for."""
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.asname: alias.name for alias in node.names if alias.asname}
            found |= {top: top for alias in node.names if not alias.asname and (top := alias.name.partition(".")[0])}
    return found


def full_name(node: ast.expr, names: Mapping[str, str]) -> str:
    """The full name of a class or function; empty where it is called by no name."""
    written = ast.unparse(node)
    if not re.fullmatch(r"\w+(\.\w+)*", written):
        return ""
    first, dot, rest = written.partition(".")
    return names.get(first, first) + dot + rest


def _keys(node: ast.expr | None) -> frozenset[Key]:
    """The pairs of a list that are written plainly: dependencies on a swappable model are none of the project's."""
    found = [literal(element) for element in getattr(node, "elts", ())]
    return frozenset(pair for pair in found if isinstance(pair, tuple) and [*map(type, pair)] == [str, str])


def literal(node: ast.expr | None) -> object:
    """What is written plainly; None otherwise."""
    try:
        return ast.literal_eval(node) if node else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def column(node: ast.expr | None, names: Mapping[str, str], key: tuple[str, str, str]) -> Field | None:
    """A field as codesensei/wire/columns.py has it; `key` is its app, model and name. None where only running tells."""
    name = full_name(node.func, names) if isinstance(node, ast.Call) else ""
    if not isinstance(node, ast.Call) or not name.startswith("django."):
        return None
    given = {word.arg or "**": word.value for word in node.keywords}
    kind = name.rpartition(".")[2]
    if kind in _RELATIONS and node.args:
        given["to"] = node.args[0]
    usual = {"null": False, "unique": False, "primary_key": False, "db_constraint": True, "db_persist": True}
    flags = [*_flags(given, {**usual, "db_index": kind in _INDEXED})]
    if "**" in given or len(flags) < len(usual) + 1:
        return None
    null, unique, primary_key, constraint, stored, index = flags
    app, model, own_name = key
    plain = {each: literal(given[each]) for each in (*_TEXTS, *_NUMBERS) if each in given}
    texts = {each: value for each, value in plain.items() if isinstance(value, str)}
    numbers = {each: value for each, value in plain.items() if isinstance(value, int)}
    if {*plain} - {*texts, *numbers} - {each for each in plain if ast.unparse(given[each]) == "None"}:
        return None
    named = texts.get(_named_by(kind))
    return Field(
        kind=kind,
        null=null,
        unique=unique or primary_key or kind == "OneToOneField",
        primary_key=primary_key,
        default=_default(given.get("db_default"), names),
        default_by=_default_by(given.get("db_default"), names),
        filled=_is_filled(kind, null, given),
        index=index,
        stored=stored,
        column=named or column_name(kind, own_name),
        written="" if kind in PLAIN else _of_type(node),
        collation=texts.get("db_collation", ""),
        related=_related(given.get("to"), app, model) if kind in _RELATIONS else "",
        to_field=texts.get("to_field", ""),
        constraint=constraint,
        through=_related(given["through"], app, model) if "through" in given else "",
        length=numbers.get("max_length", _LENGTHS.get(kind)),
        digits=numbers.get("max_digits"),
        decimals=numbers.get("decimal_places"),
    )


def _of_type(node: ast.Call) -> str:
    """The arguments of a field that its type may depend on."""
    words = {word.arg or "**": ast.dump(word.value) for word in node.keywords if word.arg not in _OF_PYTHON}
    return repr(([ast.dump(word) for word in node.args if not isinstance(literal(word), str)], sorted(words.items())))


def column_name(kind: str, name: str, table: str = "") -> str:
    """What Django calls a field's column, or, with its model's table, its table between two models."""
    if kind == "ManyToManyField":
        return f"{table}_{name}"
    return f"{name}_id" if kind in ("ForeignKey", "OneToOneField") else name


def names_column(node: ast.expr | None, kind: str) -> bool:
    """Whether a field says what its column or table is called, and keeps it under another name."""
    words = node.keywords if isinstance(node, ast.Call) else ()
    return any(word.arg == _named_by(kind) and bool(literal(word.value)) for word in words)


def _named_by(kind: str) -> str:
    """The argument that says it."""
    return "db_table" if kind == "ManyToManyField" else "db_column"


def _flags(given: Mapping[str, ast.expr], defaults: Mapping[str, bool]) -> Iterator[bool]:
    """Those that are plainly true or false, or left out."""
    for key, default in defaults.items():
        value = literal(given[key]) if key in given else default
        if isinstance(value, bool):
            yield value


def _is_filled(kind: str, null: bool, given: Mapping[str, ast.expr]) -> bool:
    """Whether Django has a value for rows that are there."""
    if "default" in given:
        return ast.unparse(given["default"]) != "None"
    is_empty_text = not null and kind in _TEXT_KINDS and _is_true(given.get("blank"))
    return is_empty_text or any(_is_true(given.get(each)) for each in ("auto_now", "auto_now_add"))


def _is_true(node: ast.expr | None) -> bool:
    return literal(node) is True


def _default(node: ast.expr | None, names: Mapping[str, str]) -> Default:
    if node is None or full_name(node, names).endswith(".NOT_PROVIDED"):
        return ""
    if isinstance(node, ast.Call):
        return "constant" if full_name(node.func, names).endswith(".Value") else "expression"
    return "constant"


def _default_by(node: ast.expr | None, names: Mapping[str, str]) -> str:
    """The class of an expression."""
    if not isinstance(node, ast.Call) or _default(node, names) != "expression":
        return ""
    return full_name(node.func, names).rpartition(".")[2]


def kept_by(node: ast.expr | None) -> Constraint:
    """How PostgreSQL keeps to a constraint; empty where only running tells."""
    name = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
    if name == "UniqueConstraint" and isinstance(node, ast.Call):
        has_parts = bool(node.args) or any(word.arg in _INDEX_PARTS for word in node.keywords)
        return "index" if has_parts else "unique"
    known: Mapping[str, Constraint] = {"CheckConstraint": "check", "ExclusionConstraint": "exclusion"}
    return known.get(name, "")


def forbids(node: ast.expr, names: Mapping[str, str]) -> str:
    """What a constraint forbids, whatever it is called and says."""
    if not isinstance(node, ast.Call):
        return ast.dump(node)
    words = {word.arg or "**": word.value for word in node.keywords if word.arg not in _SAID}
    fields = literal(words.get("fields"))
    name = full_name(node.func, names)
    is_plain = name.startswith("django.") and name.endswith(".UniqueConstraint") and [*words] == ["fields"]
    if is_plain and not node.args and isinstance(fields, (list, tuple)):
        return repr(sorted(map(str, fields)))
    return repr((name, [*map(ast.dump, node.args)], sorted((key, ast.dump(value)) for key, value in words.items())))


def name_of(node: ast.expr | None) -> str:
    """What a constraint is called; empty where only running tells."""
    words = node.keywords if isinstance(node, ast.Call) else ()
    return next((str(literal(word.value) or "") for word in words if word.arg == "name"), "")


def _related(node: ast.expr | None, app: str, model: str) -> str:
    """The model that a field leads to, as `app.model`; a setting that names one as it is written."""
    found = literal(node)
    if not isinstance(found, str):
        return ast.unparse(node).lower() if node else ""
    name = model if found == "self" else found
    return (name if "." in name else f"{app}.{name}").lower()
