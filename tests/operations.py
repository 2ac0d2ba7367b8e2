"""Operations of migrations, as they are written and what each is: for Django itself, and for who only reads them."""

HEAD = """
from django.conf import settings
from django.db import migrations, models
from django.db.models import CASCADE, Q
from django.db.models.functions import Now, Random
KEY = ("id", models.BigAutoField(primary_key=True))
"""
FIRST = f"""{HEAD}
class Migration(migrations.Migration):
    dependencies = [migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        migrations.CreateModel("Book", [
            KEY,
            ("title", models.CharField(max_length=100)),
            ("price", models.DecimalField(max_digits=8, decimal_places=2)),
            ("note", models.TextField(null=True)),
            ("kept", models.IntegerField(db_column="kept_there")),
            ("heir", models.ForeignKey(settings.AUTH_USER_MODEL, CASCADE, null=True, related_name="+")),
            ("fans", models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+")),
        ], options={{"constraints": [
            models.UniqueConstraint(fields=["kept", "note"], name="kept_once"),
            models.CheckConstraint(condition=Q(price__gt=0), name="not_free"),
        ]}}),
        migrations.CreateModel("Page", [
            KEY, ("x", models.IntegerField()), ("y", models.IntegerField()),
        ], options={{"unique_together": {{("x", "y")}}}}),
        migrations.CreateModel("Leaf", [KEY]),
        migrations.CreateModel("Shelf", [KEY], options={{"db_table": "shelves"}}),
        migrations.CreateModel("Room", [KEY, ("shelves", models.ManyToManyField("books.shelf", related_name="+"))]),
        migrations.CreateModel("View", [KEY, ("x", models.IntegerField())], options={{"managed": False}}),
        migrations.CreateModel("Named", [KEY], options={{"db_table": "named"}}),
        migrations.CreateModel("Quoted", [
            KEY,
            ("owner", models.ForeignKey(settings.AUTH_USER_MODEL, CASCADE, db_constraint=False)),
        ], options={{"db_table": "Quoted"}}),
    ]
"""
SECOND = f"""{HEAD}
class Trigger(migrations.RunSQL):
    pass

class Own(models.CharField):
    pass

class CharField(models.CharField):
    def db_type(self, connection):
        return "uuid"

class Mood(models.Field):
    def db_type(self, connection):
        return "mood"

class Tags(models.fields.related.RelatedField):
    many_to_many, many_to_one, one_to_many, one_to_one = True, False, False, False

    def __init__(self, to, through):
        super().__init__(rel=models.ManyToManyRel(self, to, through=through), null=True, serialize=False)

    def deconstruct(self):
        name, path, _, _ = super().deconstruct()
        return name, path, [self.remote_field.model], {{"through": self.remote_field.through}}

class Migration(migrations.Migration):
    dependencies = [("books", "0001_first"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
%s
    ]
"""
# A table between two models gets a model of its own, of which the database notices nothing.
BETWEEN = (
    "SeparateDatabaseAndState(state_operations=["
    'migrations.CreateModel("Place", [KEY, ("room", models.ForeignKey("books.room", CASCADE, db_column="room_id")),'
    ' ("shelf", models.ForeignKey("books.shelf", CASCADE, db_column="shelf_id"))],'
    ' options={"db_table": "books_room_shelves"}),'
    ' migrations.AlterField("room", "shelves", models.ManyToManyField("books.shelf", through="books.place"))])'
)
USER = "settings.AUTH_USER_MODEL"
ROWS = (
    ('AddField("book", "isbn", models.CharField(max_length=13, default=""))', "destructive AddField book.isbn"),
    ('AddField("book", "isbn", models.CharField(max_length=13, null=True))', "safe AddField book.isbn"),
    ('AddField("book", "stock", models.IntegerField(db_default=0))', "safe AddField book.stock"),
    ('AddField("book", "stock", models.IntegerField(db_default=0, unique=True))', "destructive AddField book.stock"),
    (f'AddField("book", "owner", models.ForeignKey({USER}, CASCADE, null=True))', "safe AddField book.owner"),
    (f'AddField("book", "one", models.OneToOneField({USER}, CASCADE))', "destructive AddField book.one"),
    (f'AddField("book", "readers", models.ManyToManyField({USER}, related_name="+"))', "safe AddField book.readers"),
    ('AddField("view", "y", models.IntegerField(default=0))', "safe AddField view.y"),
    ('AlterField("book", "title", models.SlugField(max_length=100))', "safe AlterField book.title"),
    ('AlterField("book", "title", Own(max_length=100))', "safe AlterField book.title"),
    ('AlterField("book", "title", models.CharField(max_length=50))', "destructive AlterField book.title"),
    ('AlterField("book", "title", models.CharField(max_length=100, unique=True))', "destructive AlterField book.title"),
    ('AlterField("book", "note", models.TextField(default=""))', "destructive AlterField book.note"),
    ('AlterField("book", "price", models.DecimalField(max_digits=10, decimal_places=2))', "safe AlterField book.price"),
    (
        'AlterField("book", "price", models.DecimalField(max_digits=6, decimal_places=2))',
        "destructive AlterField book.price",
    ),
    ('AlterField("book", "kept", models.IntegerField())', "destructive AlterField book.kept"),
    (f'AlterField("book", "fans", models.ManyToManyField({USER}, blank=True))', "safe AlterField book.fans"),
    (
        f'AlterField("quoted", "owner", models.ForeignKey({USER}, CASCADE))',
        "destructive AlterField quoted.owner",
    ),
    (
        f'AlterField("quoted", "owner", models.ForeignKey({USER}, CASCADE, db_constraint=False, to_field="username"))',
        "destructive AlterField quoted.owner",
    ),
    (
        'AddField("book", "sum", models.GeneratedField(expression=models.F("kept"), output_field=models.IntegerField(),'
        " db_persist=True, unique=True))",
        "destructive AddField book.sum",
    ),
    ('AlterField("book", "title", CharField(max_length=100))', "unknown AlterField book.title"),
    ('RenameField("book", "kept", "there")', "safe RenameField book.kept to there"),
    ('RenameField("book", "title", "name")', "destructive RenameField book.title to name"),
    ('RemoveField("book", "price")', "destructive RemoveField book.price"),
    ('RemoveField("book", "fans")', "destructive RemoveField book.fans"),
    ('RenameModel("Book", "Volume")', "destructive RenameModel Book to Volume"),
    ('RenameModel("Named", "Called")', "safe RenameModel Named to Called"),
    ('RenameModel("Shelf", "Rack")', "destructive RenameModel Shelf to Rack"),
    ('AlterModelTable("book", "books_book")', "safe AlterModelTable book to books_book"),
    ('AlterModelTable("book", "volumes")', "destructive AlterModelTable book to volumes"),
    ('AlterUniqueTogether("book", {("title", "price")})', "destructive AlterUniqueTogether book"),
    ('AlterUniqueTogether("book", set())', "safe AlterUniqueTogether book"),
    ('AlterOrderWithRespectTo("book", None)', "safe AlterOrderWithRespectTo book"),
    ('AlterOrderWithRespectTo("book", "title")', "destructive AlterOrderWithRespectTo book"),
    ('AddIndex("book", models.Index(fields=["title"], name="by_title"))', "safe AddIndex book"),
    (
        'AddConstraint("book", models.UniqueConstraint(fields=["title"], name="once"))',
        "destructive AddConstraint book",
    ),
    ('DeleteModel("View")', "safe DeleteModel View"),
    ('DeleteModel("Book")', "destructive DeleteModel Book"),
    ("RunPython(print)", "safe RunPython"),
    ('RunSQL("")', "safe RunSQL"),
    ('RunSQL("SELECT 1")', "unknown RunSQL"),
    ('SeparateDatabaseAndState([migrations.RemoveField("book", "price")], [])', "destructive RemoveField book.price"),
)
KEEP_COLUMN = "the serving code knows the column under its old name"
KEEP_TABLE = "the serving code knows the table between the two models under its old name"
# Renames, in the ways that their refusals tell: what the last operation is then.
RENAMED = (
    (
        'AlterModelTable("room", "books_room")',
        'RenameModel("Room", "Hall")',
        "destructive: the serving code knows a column of books_room_shelves under the model's old name",
    ),
    (
        'RenameModel("Shelf", "Rack")',
        "destructive: the serving code knows a column of books_room_shelves under the model's old name",
    ),
    (BETWEEN, 'RenameModel("Shelf", "Rack")', "safe: "),
    (BETWEEN, 'RenameField("room", "shelves", "racks")', "safe: "),
    ('RenameField("book", "heir", "owner")', f"destructive: {KEEP_COLUMN}; db_column='heir_id'"),
    (
        f'AlterField("book", "heir", models.ForeignKey({USER}, CASCADE, null=True, related_name="+",'
        ' db_column="heir_id"))',
        'RenameField("book", "heir", "owner")',
        "safe: ",
    ),
    ('RenameField("room", "shelves", "racks")', f"destructive: {KEEP_TABLE}; db_table='books_room_shelves'"),
    (
        'AlterField("room", "shelves", models.ManyToManyField("books.shelf", related_name="+",'
        ' db_table="books_room_shelves"))',
        'RenameField("room", "shelves", "racks")',
        "safe: ",
    ),
    (BETWEEN, 'AlterModelTable("room", "books_room")', 'RenameModel("Room", "Hall")', "safe: "),
    (BETWEEN, 'RenameModel("Room", "Hall")', "destructive: the serving code knows the table under its old name"),
    (
        BETWEEN,
        'RenameModel("Shelf", "Rack")',
        'AlterField("room", "shelves", models.ManyToManyField("books.rack", through="books.place", blank=True))',
        "safe: ",
    ),
)
# Constraints that another one takes the place of: what the last operation is.
AGAIN = (
    (
        'RemoveConstraint("book", "kept_once")',
        'AddConstraint("book", models.UniqueConstraint(fields=["note", "kept"], name="x", violation_error_code="x"))',
        "safe",
    ),
    (
        'RemoveConstraint("book", "not_free")',
        'AddConstraint("book", models.CheckConstraint(condition=Q(price__gt=0), name="x", violation_error_code="y"))',
        "safe",
    ),
    (
        'RemoveConstraint("book", "not_free")',
        'AddConstraint("book", models.CheckConstraint(condition=Q(price__gt=1), name="not_free"))',
        "destructive",
    ),
    (
        'RemoveConstraint("book", "kept_once")',
        'AddConstraint("book", models.UniqueConstraint(fields=["kept"], name="kept_once"))',
        "destructive",
    ),
    (
        'RemoveConstraint("book", "kept_once")',
        'AddConstraint("page", models.UniqueConstraint(fields=["x"], name="x"))',
        "destructive",
    ),
    (
        'AlterUniqueTogether("page", set())',
        'AddConstraint("page", models.UniqueConstraint(fields=["x", "y"], name="x"))',
        "safe",
    ),
    (
        'AlterUniqueTogether("page", set())',
        'AddConstraint("page", models.UniqueConstraint(fields=["x", "y"], name="x", nulls_distinct=False))',
        "destructive",
    ),
    ('AddConstraint("page", models.UniqueConstraint(fields=["y", "x"], name="x"))', "safe"),
    (
        'AddConstraint("page", models.UniqueConstraint(fields=["x"], name="x"))',
        'RemoveConstraint("page", "x")',
        'AddConstraint("page", models.UniqueConstraint(fields=["x"], name="x"))',
        "safe",
    ),
    (
        'SeparateDatabaseAndState(state_operations=[migrations.RemoveConstraint("book", "kept_once")])',
        'AddConstraint("book", models.UniqueConstraint(fields=["note", "kept"], name="x"))',
        "destructive",
    ),
)
# Where defaults stay in the database.
KEPT = (
    ('AddField("book", "isbn", models.CharField(max_length=13, default=""))', "safe"),
    ('AddField("book", "isbn", models.CharField(max_length=13, blank=True))', "safe"),
    ('AddField("book", "isbn", models.CharField(max_length=13, default="x"), preserve_default=False)', "safe"),
    ('AddField("book", "stock", models.IntegerField(default=int))', "safe"),
    ('AddField("book", "seen", models.DateTimeField(auto_now_add=True))', "safe"),
    (f'AddField("book", "owner", models.ForeignKey({USER}, CASCADE, default=1))', "safe"),
    ('AddField("book", "isbn", models.CharField(max_length=13))', "destructive"),
    ('AddField("book", "isbn", models.CharField(max_length=13, default=None))', "destructive"),
    ('AddField("book", "stock", models.IntegerField(blank=True))', "destructive"),
    ('AddField("book", "stock", models.IntegerField(default=0, unique=True))', "destructive"),
    ('AlterField("book", "note", models.TextField(default=""))', "destructive"),
)
# What locks a table for as long as an operation after it takes: what is said of it.
HELD = (
    ('AddField("book", "isbn", models.TextField(null=True))', "RunPython(print)", "AddField book.isbn locks its table"),
    ('AddField("book", "isbn", models.TextField(null=True))', "RunPython(migrations.RunPython.noop)", ""),
    ('AddField("book", "isbn", models.TextField(null=True))', "RunSQL(migrations.RunSQL.noop)", ""),
    ('AlterField("book", "note", models.TextField(null=True, help_text="x"))', "RunPython(print)", ""),
    (
        'AlterField("book", "note", models.TextField(null=True, db_index=True))',
        "RunPython(print)",
        "AlterField book.note locks its table",
    ),
    (
        'AlterField("book", "note", models.CharField(null=True, max_length=9))',
        "RunPython(print)",
        "AlterField book.note locks its table",
    ),
)
# What waits in PostgreSQL, for the table that it waits for.
LOCKS = (
    ('AddField("book", "isbn", models.CharField(max_length=13, null=True))', ""),
    (
        'AddField("book", "isbn", models.CharField(max_length=13, null=True, db_index=True))',
        "books_book: reads and writes wait while the index is built",
    ),
    (
        'AddField("book", "slug", models.SlugField(null=True))',
        "books_book: reads and writes wait while the index is built",
    ),
    ('AddField("book", "slug", models.SlugField(null=True, db_index=False))', ""),
    (
        f'AddField("named", "owner", models.OneToOneField({USER}, CASCADE, null=True, db_constraint=False))',
        "named: reads and writes wait while the index is built",
    ),
    (
        'AddField("book", "stock", models.PositiveIntegerField(null=True))',
        "books_book: reads and writes wait while the table is scanned",
    ),
    ('AddField("book", "seen", models.DateTimeField(db_default=Now()))', ""),
    (
        'AddField("book", "chance", models.FloatField(db_default=Random()))',
        "books_book: reads and writes wait while the table is rewritten, unless Random gives all rows the same value",
    ),
    (
        'AddField("book", "sum", models.GeneratedField(expression=models.F("kept"), output_field=models.IntegerField(),'
        " db_persist=True))",
        "books_book: reads and writes wait while the table is rewritten",
    ),
    (f'AddField("book", "readers", models.ManyToManyField({USER}, related_name="+"))', ""),
    (
        'AddIndex("quoted", models.Index(fields=["id"], name="by_id"))',
        "Quoted: writes wait while the index is built",
    ),
    (
        'AlterField("book", "title", models.CharField(max_length=50))',
        "books_book: reads and writes wait while the table is rewritten",
    ),
    ('AlterField("book", "title", models.CharField(max_length=200))', ""),
    (
        'AlterField("book", "kept", models.BigIntegerField(db_column="kept_there"))',
        "books_book: reads and writes wait while the table is rewritten",
    ),
    (
        'AlterField("book", "kept", models.IntegerField(db_column="kept_there", db_index=True))',
        "books_book: writes wait while the index is built",
    ),
    (
        'AlterField("book", "note", models.TextField(default=""))',
        "books_book: reads and writes wait while the table is scanned",
    ),
    ('AlterIndexTogether("book", {("title", "price")})', "books_book: writes wait while the index is built"),
    ('AlterIndexTogether("book", set())', ""),
    (
        'AlterUniqueTogether("book", {("title", "price")})',
        "books_book: reads and writes wait while the index is built",
    ),
    (
        'AddConstraint("book", models.UniqueConstraint(fields=["title"], name="once"))',
        "books_book: reads and writes wait while the index is built",
    ),
    (
        'AddConstraint("book", models.UniqueConstraint(fields=["title"], name="once", condition=Q(kept=1)))',
        "books_book: writes wait while the index is built",
    ),
    (
        'AddConstraint("book", models.UniqueConstraint("title", name="once"))',
        "books_book: writes wait while the index is built",
    ),
    (
        'AddConstraint("book", models.CheckConstraint(condition=Q(kept=1), name="one"))',
        "books_book: reads and writes wait while the table is scanned",
    ),
    ('AddConstraint("view", models.CheckConstraint(condition=Q(x=1), name="one"))', ""),
)
