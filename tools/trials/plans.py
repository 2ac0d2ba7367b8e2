"""Plans of migrations for the project `shop`, each as somebody would write it, and what is to be told of it.

A destructive plan has the way that gets there without a failed request: one or two deploys, each with its code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MODELS, VIEWS = "orders/models.py", "orders/views.py"
TABLE = "orders_order"
LAST = "    code = models.IntegerField(null=True)\n"
NOTE = 'models.CharField(max_length=50, default="")'
WRITES = "NOTE, amount"
IMPORTS = """
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.migrations import (
    AddConstraint, AddField, AddIndex, AlterField, AlterModelTable, CreateModel, DeleteModel, RemoveField, RenameField,
    RenameModel, RunPython, RunSQL, SeparateDatabaseAndState,
)
"""
TEXT = """{imports}
{code}

class Migration(migrations.Migration):
    atomic = {atomic}
    dependencies = [("orders", "{after}")]
    operations = [
        {operations},
    ]
"""


@dataclass(frozen=True)
class Edit:
    """A text that stands in a file once, and what takes its place."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Migration:
    """Its operations, as they are written; `code` is what they call."""

    operations: tuple[str, ...]
    code: str = ""
    atomic: bool = True


@dataclass(frozen=True)
class Change:
    """One deploy: its migrations, and edits of the code that comes with them.

    `acknowledged`: they are not safe by what their text tells, and the code that serves by then can live with them.
    """

    migrations: tuple[Migration, ...] = ()
    edits: tuple[Edit, ...] = ()
    acknowledged: bool = False


@dataclass(frozen=True)
class Plan:
    """A change of the shop, the verdict on it, and the way there if it is not safe; `table` has the orders then."""

    name: str
    verdict: str
    change: Change
    way: tuple[Change, ...] = ()
    table: str = TABLE


def operations(*texts: str, atomic: bool = True) -> tuple[Migration, ...]:
    """One migration."""
    return (Migration(texts, atomic=atomic),)


def in_models(old: str, new: str) -> tuple[Edit, ...]:
    """An edit of the models."""
    return (Edit(MODELS, old, new),)


def in_views(*pairs: tuple[str, str]) -> tuple[Edit, ...]:
    """Edits of the views."""
    return tuple(Edit(VIEWS, old, new) for old, new in pairs)


def with_field(name: str, field: str) -> Change:
    """A field that is added to the orders."""
    return Change(operations(f'AddField("order", "{name}", {field})'), in_models(LAST, f"{LAST}    {name} = {field}\n"))


def with_meta(operation: str, meta: str, *, atomic: bool = True) -> Change:
    """Something that the orders have beside fields."""
    text = f"{LAST}\n    class Meta:\n        {meta}\n"
    return Change(operations(operation, atomic=atomic), in_models(LAST, text))


def altered(name: str, old: str, new: str) -> Change:
    """A field of the orders that becomes another."""
    return Change(
        operations(f'AlterField("order", "{name}", {new})'),
        in_models(f"    {name} = {old}\n", f"    {name} = {new}\n"),
    )


def filled_first(sql: str, change: Change) -> Change:
    """The change, after a migration of its own for the rows that do not fit."""
    return Change(operations(f'RunSQL("{sql}")') + change.migrations, change.edits, acknowledged=True)


def safe() -> Iterator[Plan]:
    """Those that the serving code can live with."""
    yield Plan("AddField, null", "safe", with_field("size", "models.IntegerField(null=True)"))
    yield Plan(
        "AddField, a Python default", "safe", with_field("mood", 'models.CharField(max_length=9, default="calm")')
    )
    yield Plan("AddField, db_default", "safe", with_field("mood", 'models.CharField(max_length=9, db_default="calm")'))
    yield Plan("AddField, null and unique", "safe", with_field("mark", "models.IntegerField(null=True, unique=True)"))
    customer = "models.ForeignKey(Customer, models.SET_NULL, null=True)"
    with_customer = with_field("customer", customer)
    yield Plan("AddField, a foreign key", "safe", _in_migration(with_customer, "(Customer", '("orders.customer"'))
    many = with_field("customers", "models.ManyToManyField(Customer)")
    yield Plan("AddField, many to many", "safe", _in_migration(many, "(Customer", '("orders.customer"'))
    yield Plan("AlterField, a longer text", "safe", altered("note", NOTE, NOTE.replace("50", "80")))
    integer = "models.IntegerField(null=True)"
    yield Plan("AlterField, integer to bigint", "safe", altered("amount", integer, integer.replace("Int", "BigInt")))
    yield Plan("AlterField, null allowed", "safe", altered("note", NOTE, NOTE.replace(")", ", null=True)")))
    index = 'models.Index(fields=["text"], name="order_text")'
    meta = f"indexes = [{index}]"
    yield Plan("AddIndex", "safe", with_meta(f'AddIndex("order", {index})', meta))
    concurrently = f'AddIndexConcurrently("order", {index})'
    yield Plan("AddIndexConcurrently", "safe", with_meta(concurrently, meta, atomic=False))
    apart = f'SeparateDatabaseAndState([{concurrently}], [AddIndex("order", {index})])'
    yield Plan("SeparateDatabaseAndState, an index", "safe", with_meta(apart, meta, atomic=False))
    key = '("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"))'
    order = '("order", models.ForeignKey("orders.order", models.CASCADE))'
    line = "\n\nclass Line(models.Model):\n    order = models.ForeignKey(Order, models.CASCADE)\n"
    create = operations(f'CreateModel("Line", [{key}, {order}])')
    yield Plan("CreateModel, with a foreign key", "safe", Change(create, in_models(LAST, LAST + line)))
    size = with_field("size", "models.IntegerField(null=True)")
    fill = Migration(("RunPython(fill, RunPython.noop)",), code=FILL, atomic=False)
    yield Plan("RunPython, all rows in batches", "safe", Change((*size.migrations, fill), size.edits))


FILL = """

def fill(apps, schema_editor):
    orders = apps.get_model("orders", "Order").objects
    last = orders.order_by("-pk").values_list("pk", flat=True).first() or 0
    for begin in range(0, last + 1, 5000):
        orders.filter(pk__gt=begin, pk__lte=begin + 5000).update(size=1)

"""


def _in_migration(change: Change, old: str, new: str) -> Change:
    """The change, with another text in its migration: models are not named there as in the code."""
    migrations = tuple(Migration(tuple(one.replace(old, new) for one in each.operations)) for each in change.migrations)
    return Change(migrations, change.edits)


def unsafe() -> Iterator[Plan]:
    """Those that it cannot live with, or that nobody can judge by their text."""
    fits = Change(edits=in_views(("AMOUNTS = (None, -1, 1)", "AMOUNTS = (0, 1)")))
    shorter = altered("note", NOTE, NOTE.replace("50", "20"))
    cut = f"UPDATE {TABLE} SET note = left(note, 20) WHERE length(note) > 20"
    short = Change(edits=in_views(("a note of thirty-five letters or so", "a short note")))
    yield Plan("AlterField, a shorter text", "destructive", shorter, (short, filled_first(cut, shorter)))
    required = altered("amount", "models.IntegerField(null=True)", "models.IntegerField()")
    no_null = f"UPDATE {TABLE} SET amount = 0 WHERE amount IS NULL"
    yield Plan("AlterField, null no more", "destructive", required, (fits, filled_first(no_null, required)))
    check = 'models.CheckConstraint(condition=models.Q(amount__gte=0), name="order_amount")'
    checked = with_meta(f'AddConstraint("order", {check})', f"constraints = [{check}]")
    none_less = f"UPDATE {TABLE} SET amount = 0 WHERE amount < 0"
    yield Plan("AddConstraint, a check", "destructive", checked, (fits, filled_first(none_less, checked)))
    once = 'models.UniqueConstraint(fields=["code"], name="order_code")'
    unique = with_meta(f'AddConstraint("order", {once})', f"constraints = [{once}]")
    without_code = Change(edits=in_views(("CODE = 1", "CODE = None")))
    no_code = f"UPDATE {TABLE} SET code = NULL WHERE code IS NOT NULL"
    yield Plan("AddConstraint, unique", "destructive", unique, (without_code, filled_first(no_code, unique)))
    yield from _dropped()
    yield from _renamed()
    view = Change(operations(f'RunSQL("CREATE VIEW order_texts AS SELECT text FROM {TABLE}")'))
    yield Plan("RunSQL", "unknown", view, (Change(view.migrations, acknowledged=True),))


def _dropped() -> Iterator[Plan]:
    no_note = in_views((", note=NOTE", ""), ("{order.note}, ", ""))
    field = in_models(f"    note = {NOTE}\n", "")
    remove = 'RemoveField("order", "note")'
    of_database = f'AlterField("order", "note", {NOTE.replace(")", ", db_default=" + repr("") + ")")})'
    unused = Change(operations(of_database, f"SeparateDatabaseAndState([], [{remove}])"), field + no_note)
    drop = Change(operations(f'RunSQL("ALTER TABLE {TABLE} DROP COLUMN note")'), acknowledged=True)
    yield Plan("RemoveField", "destructive", Change(operations(remove), field + no_note), (unused, drop))
    mark = in_models("class Mark(models.Model):\n    word = models.CharField(max_length=20)\n\n\n", "")
    no_mark = in_views(
        ("import Mark, Order", "import Order"),
        ('", ".join(mark.word for mark in Mark.objects.order_by("-pk")[:20])', '"none"'),
        ('        Mark.objects.create(word="seen")\n', ""),
    )
    delete = 'DeleteModel("Mark")'
    unused = Change(operations(f"SeparateDatabaseAndState([], [{delete}])"), mark + no_mark)
    drop = Change(operations('RunSQL("DROP TABLE orders_mark")'), acknowledged=True)
    yield Plan("DeleteModel", "destructive", Change(operations(delete), mark + no_mark), (unused, drop))


def _renamed() -> Iterator[Plan]:
    own = NOTE.replace(")", ', db_column="note")')
    rename, views = (
        'RenameField("order", "note", "remark")',
        in_views(("note=NOTE", "remark=NOTE"), ("r.note", "r.remark")),
    )
    renamed = Change(operations(rename), in_models(f"    note = {NOTE}\n", f"    remark = {NOTE}\n") + views)
    kept = in_models(f"    note = {NOTE}\n", f"    remark = {own}\n") + views
    way = (Change(operations(f'AlterField("order", "note", {own})', rename), kept),)
    yield Plan("RenameField", "destructive", renamed, way)
    rename = 'RenameModel("Order", "Purchase")'
    views = in_views(
        ("import Mark, Order", "import Mark, Purchase"),
        ('Order.objects.order_by("-pk")[:20]\n', 'Purchase.objects.order_by("-pk")[:20]\n'),
        ("Order.objects.create", "Purchase.objects.create"),
        ("Order.objects.filter", "Purchase.objects.filter"),
    )
    model = in_models("class Order(", "class Purchase(")
    meta = in_models(LAST, f'{LAST}\n    class Meta:\n        db_table = "{TABLE}"\n')
    way = (Change(operations(f'AlterModelTable("Order", "{TABLE}")', rename), model + meta + views),)
    yield Plan("RenameModel", "destructive", Change(operations(rename), model + views), way)
    table = 'AlterModelTable("order", "purchases")'
    moved = with_meta(table, 'db_table = "purchases"')
    sql = f'"ALTER TABLE {TABLE} RENAME TO purchases; CREATE VIEW {TABLE} AS SELECT * FROM purchases"'
    both = Change(operations(f"SeparateDatabaseAndState([RunSQL({sql})], [{table}])"), moved.edits, acknowledged=True)
    drop = Change(operations(f'RunSQL("DROP VIEW {TABLE}")'), acknowledged=True)
    yield Plan("AlterModelTable", "destructive", moved, (both, drop), "purchases")


PLANS = (*safe(), *unsafe())


def written(change: Change, files: dict[str, str], number: int) -> dict[str, str]:
    """The files that a change writes, where these are there and migrations are numbered from here on."""
    found: dict[str, str] = {}
    for edit in change.edits:
        text = found.get(edit.file, files[edit.file])
        assert text.count(edit.old) == 1, f"{edit.file} has {edit.old!r} {text.count(edit.old)} times"
        found[edit.file] = text.replace(edit.old, edit.new)
    for count, migration in enumerate(change.migrations, number):
        found[f"orders/migrations/{name_of(count)}.py"] = TEXT.format(
            imports=IMPORTS,
            code=migration.code,
            atomic=migration.atomic,
            after=name_of(count - 1),
            operations=",\n        ".join(migration.operations),
        )
    return found


def name_of(number: int) -> str:
    """A migration's name."""
    return "0001_initial" if number == 1 else f"{number:04}_change"
