"""Which migrations come with another commit, and which of those that are applied it lacks; each with its operations.

Read from the source, so a preview needs no server. Django itself is asked on the server before anything is migrated.
"""

from __future__ import annotations

import ast
import graphlib
import posixpath
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace

from codesensei.source import bounds, written
from codesensei.source.archive import Checkout
from codesensei.source.errors import SourceError
from codesensei.source.written import Call, Key, Written
from codesensei.wire.columns import Field
from codesensei.wire.migrations import UNREAD, Migration, Operation
from codesensei.wire.quick import dataclass

_CONSTRAINTS = ("AddConstraint", "AddConstraintNotValid", "RemoveConstraint", "AlterUniqueTogether")


@dataclass(frozen=True)
class Pending:
    """`new` will run, in this order. `gone` stay applied though the commit lacks them. `changed` do not run again."""

    new: tuple[Migration, ...] = ()
    gone: tuple[Migration, ...] = ()
    changed: tuple[str, ...] = ()


def pending(served: Checkout, asked: Checkout, roots: Sequence[str]) -> Pending:
    """What lies between the two commits. `roots` are the directories that apps are imported from."""
    before, after = (_files(project, roots) for project in (served, asked))
    apps = {key[0] for key in before.keys() ^ after.keys()}
    changed = tuple(
        ".".join(key)
        for key in sorted(before.keys() & after.keys())
        if _differ(served, asked, before[key], after[key], key)
    )
    return Pending(
        _plan(asked, after, apps, before),
        _plan(served, before, apps, after),
        changed,
    )


def _files(project: Checkout, roots: Sequence[str]) -> dict[Key, str]:
    """The files that Django takes for migrations."""
    found: dict[Key, str] = {}
    labels: dict[str, str] = {}
    size = 0
    for file in sorted(project.files):
        folder, _, name = file.rpartition("/")
        app, _, package = folder.rpartition("/")
        is_module = name.endswith(".py") and name[0] not in "_~" and project.tree.is_file(file)
        if package != "migrations" or not app or not is_module:
            continue
        if any(root == "." or app.startswith(f"{root}/") for root in map(posixpath.normpath, roots)):
            if app not in labels:
                labels[app] = written.label(project, app)
            found[labels[app], name.removesuffix(".py")] = file
            size += project.tree.size(file)
            if len(found) > bounds.MIGRATIONS or size > bounds.MIGRATION_BYTES:
                most = f"{bounds.MIGRATIONS} of them, of {bounds.size(bounds.MIGRATION_BYTES)} in all"
                fix = "squash what all servers have applied; the deploy asks Django itself"
                raise SourceError(f"migrations of {project.short}", f"at most {most}, are read", fix)
    return found


def _differ(served: Checkout, asked: Checkout, before: str, after: str, key: Key) -> bool:
    """Whether a migration does something else than it did."""
    if served.tree.beginning(before) == asked.tree.beginning(after):
        return False
    was, wanted = written.read(served, before, key), written.read(asked, after, key)
    return (was.meaning if was else None) != (wanted.meaning if wanted else None)


def _plan(
    project: Checkout, files: Mapping[Key, str], apps: Collection[str], applied: Collection[Key]
) -> tuple[Migration, ...]:
    """The migrations of these apps that are not applied, in an order that Django might run them in."""
    read = _read(project, files, apps)
    if any(call.short == "RenameModel" for key in read.keys() - {*applied} for call in read[key].operations):
        # Models of other apps may lead to that one.
        read = _read(project, files, {app for app, _ in files})
    kept = {key: found for key, found in read.items() if key not in _left_out(read, applied)}
    state = State()
    plan = []
    for key in _ordered(kept):
        operations: list[Operation] = []
        state.gone = set()
        for call in kept[key].operations:
            operations += state.describe(key[0], call)
            if not kept[key].atomic:
                # Meanwhile rows come.
                state.gone = set()
        if key not in applied and not (kept[key].replaces & {*applied}):
            plan.append(Migration(app=key[0], name=key[1], operations=tuple(operations), atomic=kept[key].atomic))
    return tuple(plan)


def _read(project: Checkout, files: Mapping[Key, str], apps: Collection[str]) -> dict[Key, Written]:
    return {key: found for key, file in files.items() if key[0] in apps and (found := written.read(project, file, key))}


def _left_out(read: Mapping[Key, Written], applied: Collection[Key]) -> set[Key]:
    """Of a squashed migration and those that it replaces, the ones that Django does not load."""
    found: set[Key] = set()
    for key, migration in read.items():
        there = migration.replaces & read.keys()
        if there:
            found |= {key} if migration.replaces & {*applied} else there
    return found


def _ordered(read: Mapping[Key, Written]) -> list[Key]:
    """Each migration after those that it depends on."""
    instead = {old: key for key, migration in read.items() for old in migration.replaces}
    graph: dict[Key, set[Key]] = {}
    for key in sorted(read):
        needed = {instead.get(each, each) for each in read[key].dependencies}
        graph[key] = needed & read.keys() - {key}
    try:
        return [*graphlib.TopologicalSorter(graph).static_order()]
    except graphlib.CycleError:
        return sorted(read)


@dataclass
class Model:
    """A model as migrations have made it so far; a field is None where it is not written plainly.

    `named` are the fields that say themselves what their columns are called; `names_table`: the model says so, too.
    """

    fields: dict[str, Field | None] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    has_table: bool = True
    table: str = ""
    names_table: bool = False
    together: Mapping[str, frozenset[tuple[str, ...]]] = field(default_factory=dict)
    constraints: Mapping[str, str] = field(default_factory=dict)
    ordered_by: str = ""

    def forbidden(self) -> set[str]:
        """What each constraint forbids, as codesensei/source/written.py says it."""
        groups = self.together.get("unique_together", frozenset())
        return {*self.constraints.values(), *(repr(sorted(names)) for names in groups)}

    def set(self, own: str, node: ast.expr | None, names: Mapping[str, str], app: str, name: str) -> Field | None:
        """Take a field as it is written now."""
        found = self.fields[own] = written.column(node, names, (app, name, own))
        self.named -= {own}
        self.named |= {own} if found and written.names_column(node, found.kind) else set()
        self.move(self.table)
        return self.fields[own]

    def move(self, table: str) -> None:
        """Take another table: those between two models are named after it."""
        self.table = table
        for own, found in self.fields.items():
            if found and found.kind == "ManyToManyField" and own not in self.named:
                self.fields[own] = replace(found, column=written.column_name(found.kind, own, table))

    def between(self, own: str, wanted: str) -> Iterator[str]:
        """The tables that Django makes for its fields with a column named after a wanted model; `own`: after itself."""
        for found in self.fields.values():
            if found and found.kind == "ManyToManyField" and not found.through and wanted in (own, found.related):
                yield found.column


@dataclass
class State:
    """The project's models, by app and name; `gone` is what a migration does not forbid any more, with its model."""

    models: dict[tuple[str, str], Model] = field(default_factory=dict)
    gone: set[tuple[str, str]] = field(default_factory=set)

    def describe(self, app: str, call: Call) -> Iterator[Operation]:
        """An operation as codesensei/wire/migrations.py judges it; the state becomes what it is after it."""
        if call.short == "SeparateDatabaseAndState":
            operations = call.calls("database_operations")
            between = self._copy(app, operations)
            for inner in operations:
                yield from between.describe(app, inner)
            self._take_state(app, call)
            return
        if call.name == UNREAD or any(key == "**" or call.is_unread(key) for key in call.given):
            yield Operation(name=UNREAD)
            return
        if not call.is_django_s:
            # Whatever it says that it is about, it may do anything.
            yield Operation(name=call.short)
            return
        known: Callable[[str, Call], Operation] | None = getattr(self, f"_on_{call.short}", None)
        # As the database has it before the operation.
        table = self._table(app, call.text(*written.MODEL_KEYS))
        model = (app, call.text(*written.MODEL_KEYS).lower())
        was = self._forbidden(model)
        found = replace(known(app, call) if known else self._other(app, call), table=table)
        now = self._forbidden(model)
        yield replace(found, again=now - was <= self.gone) if call.short in _CONSTRAINTS else found
        self.gone |= was - now
        self._take_state(app, call)

    def _forbidden(self, model: tuple[str, str]) -> set[tuple[str, str]]:
        known = self.models.get(model)
        return {(model[1], one) for one in known.forbidden()} if known else set()

    def _take_state(self, app: str, call: Call) -> None:
        """What an operation does to models alone: the database forbids what it did."""
        gone = {*self.gone}
        for inner in call.calls("state_operations"):
            _ = [*self.describe(app, inner)]
        self.gone = gone

    def _copy(self, app: str, operations: Iterable[Call]) -> State:
        """A state that these operations may change, while this one stays."""
        state = State({**self.models}, self.gone)
        for name in {call.text(key).lower() for call in operations for key in written.MODEL_KEYS}:
            if model := state.models.get((app, name)):
                state.models[app, name] = replace(model, fields={**model.fields}, named={*model.named})
        return state

    def _model(self, app: str, name: str) -> Model:
        """A model; one of a package is made as it is spoken of."""
        return self.models.setdefault((app, name.lower()), Model(table=f"{app}_{name.lower()}"))

    def _table(self, app: str, model: str) -> str:
        known = self.models.get((app, model.lower()))
        return known.table if known else f"{app}_{model.lower()}" if model else ""

    def _other(self, app: str, call: Call) -> Operation:
        model = call.text("model_name", "name")
        known = self.models.get((app, model.lower()))
        return Operation(name=call.short, model=model, inert=bool(known and not known.has_table))

    def _on_RunSQL(self, app: str, call: Call) -> Operation:
        return Operation(name=call.short, inert=call.literal("sql") in ("", [], ()) or _is_noop(call, "sql"))

    def _on_RunPython(self, app: str, call: Call) -> Operation:
        return Operation(name=call.short, inert=_is_noop(call, "code"))

    def _on_CreateModel(self, app: str, call: Call) -> Operation:
        name = call.text("name")
        model = Model(table=f"{app}_{name.lower()}")
        for pair in getattr(call.given.get("fields"), "elts", ()):
            own, *field_of = getattr(pair, "elts", (None,))
            if isinstance(known := written.literal(own), str):
                model.set(known, next(iter(field_of), None), call.names, app, name)
        options = call.given.get("options")
        for key, value in zip(options.keys, options.values, strict=True) if isinstance(options, ast.Dict) else ():
            self._take(model, written.literal(key), written.literal(value))
            for node in getattr(value, "elts", ()) if written.literal(key) == "constraints" else ():
                model.constraints = {**model.constraints, written.name_of(node): written.forbids(node, call.names)}
        self.models[app, name.lower()] = model
        return Operation(name=call.short, model=name, inert=not model.has_table)

    def _take(self, model: Model, option: object, value: object) -> None:
        """An option of a model that says something of its table."""
        if (option, value) in (("managed", False), ("proxy", True)):
            model.has_table = False
        elif option == "db_table" and isinstance(value, str) and value:
            model.move(value)
            model.names_table = True
        elif option in ("unique_together", "index_together"):
            model.together = {**model.together, str(option): _together(value)}
        elif option == "order_with_respect_to":
            model.ordered_by = str(value or "")

    def _on_AlterModelOptions(self, app: str, call: Call) -> Operation:
        model = self._model(app, call.text("name"))
        options = call.literal("options")
        if isinstance(options, dict) and "managed" in options:
            model.has_table = bool(options["managed"])
        return Operation(name=call.short, model=call.text("name"), inert=not model.has_table)

    def _on_DeleteModel(self, app: str, call: Call) -> Operation:
        model = self._model(app, call.text("name"))
        del self.models[app, call.text("name").lower()]
        return Operation(name=call.short, model=call.text("name"), inert=not model.has_table)

    def _on_RenameModel(self, app: str, call: Call) -> Operation:
        old, new = call.text("old_name"), call.text("new_name")
        model = self._model(app, old)
        wanted = f"{app}.{old}".lower()
        between = [each for key, one in self.models.items() for each in one.between(".".join(key).lower(), wanted)]
        del self.models[app, old.lower()]
        self.models[app, new.lower()] = model
        self._lead(wanted, f"{app}.{new}".lower())
        # Also where it is the name that the table would have anyway.
        if not model.names_table:
            self._model(app, new).move(f"{app}_{new.lower()}")
        inert = (model.names_table and not between) or not model.has_table
        return Operation(name=call.short, model=old, to=new, between=tuple(sorted(between)), inert=inert)

    def _lead(self, old: str, new: str) -> None:
        """Have what leads to a model lead to it under its new name."""
        for key, model in self.models.items():
            fields = {
                own: found
                and replace(
                    found,
                    related=new if found.related == old else found.related,
                    through=new if found.through == old else found.through,
                )
                for own, found in model.fields.items()
            }
            self.models[key] = replace(model, fields=fields, named={*model.named})

    def _on_AlterModelTable(self, app: str, call: Call) -> Operation:
        name = call.text("name")
        model = self._model(app, name)
        table = call.text("table") or f"{app}_{name.lower()}"
        same = model.table == table
        model.move(table)
        model.names_table = bool(call.text("table"))
        return Operation(name=call.short, model=name, to=table, inert=same or not model.has_table)

    def _on_AlterUniqueTogether(self, app: str, call: Call) -> Operation:
        name = call.text("name")
        model, option = self._model(app, name), written.TOGETHER[call.short]
        wanted = _together(call.literal(option))
        fresh = wanted - model.together.get(option, frozenset())
        model.together = {**model.together, option: wanted}
        return Operation(
            name=call.short, model=name, fields=tuple(sorted(fresh)), inert=not fresh or not model.has_table
        )

    _on_AlterIndexTogether = _on_AlterUniqueTogether

    def _on_AlterOrderWithRespectTo(self, app: str, call: Call) -> Operation:
        name = call.text("name")
        model = self._model(app, name)
        wanted = call.text("order_with_respect_to")
        same, model.ordered_by = model.ordered_by == wanted, wanted
        return Operation(name=call.short, model=name, inert=same or not model.has_table)

    def _on_RemoveConstraint(self, app: str, call: Call) -> Operation:
        model, name = self._model(app, call.text("model_name")), call.text("name")
        model.constraints = {own: text for own, text in model.constraints.items() if own != name}
        return self._other(app, call)

    def _on_AddConstraint(self, app: str, call: Call) -> Operation:
        model = call.text("model_name")
        node = call.given.get("constraint")
        if node:
            known = self._model(app, model)
            known.constraints = {**known.constraints, written.name_of(node): written.forbids(node, call.names)}
        fields: object = ()
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("UniqueConstraint"):
            given = {word.arg: written.literal(word.value) for word in node.keywords}
            fields = () if given.get("nulls_distinct") is False else given.get("fields") or ()
        named = (tuple(map(str, fields)),) if fields and isinstance(fields, (list, tuple)) else ()
        inert, constraint = not self._model(app, model).has_table, written.kept_by(node)
        return Operation(name=call.short, model=model, fields=named, constraint=constraint, inert=inert)

    _on_AddConstraintNotValid = _on_AddConstraint

    def _on_AddField(self, app: str, call: Call) -> Operation:
        name, own = call.text("model_name"), call.text("name")
        model = self._model(app, name)
        before = model.fields.get(own)
        after = model.set(own, call.given.get("field"), call.names, app, name)
        return self._column(call, model, before if call.short == "AlterField" else None, after)

    _on_AlterField = _on_AddField

    def _on_RemoveField(self, app: str, call: Call) -> Operation:
        model = self._model(app, call.text("model_name"))
        return self._column(call, model, model.fields.pop(call.text("name"), None), None)

    def _column(self, call: Call, model: Model, before: Field | None, after: Field | None) -> Operation:
        sides = [side for side in (before, after) if side]
        no_column = bool(sides) and not any(side.column for side in sides)
        return Operation(
            name=call.short,
            model=call.text("model_name"),
            field=call.text("name"),
            before=before,
            after=after,
            inert=no_column or not model.has_table,
        )

    def _on_RenameField(self, app: str, call: Call) -> Operation:
        name, old, new = call.text("model_name"), call.text("old_name"), call.text("new_name")
        model = self._model(app, name)
        before, own = model.fields.pop(old, None), old in model.named
        same = own or bool(before and before.through)
        if own:
            model.named = model.named - {old} | {new}
        after = before and replace(before, column=written.column_name(before.kind, new, model.table))
        model.fields[new] = before if own else after
        inert = same or not model.has_table
        return Operation(name=call.short, model=name, field=old, to=new, before=before, inert=inert)


def _is_noop(call: Call, key: str) -> bool:
    """Whether an argument is Django's own way to say that nothing is run."""
    node = call.given.get(key)
    name = written.full_name(node, call.names) if node else ""
    return name.startswith("django.") and name.endswith(f".{call.short}.noop")


def _together(value: object) -> frozenset[tuple[str, ...]]:
    """Django takes one tuple of names, or several."""
    if not isinstance(value, (list, tuple, set)):
        return frozenset()
    groups = [tuple(value)] if all(isinstance(each, str) for each in value) and value else value
    return frozenset(tuple(map(str, group)) for group in groups if isinstance(group, (list, tuple)))
