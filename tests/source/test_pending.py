"""Migrations between two commits, read without Django: what it would make of the same files."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from codesensei.source import Checkout, Pending, SourceError, bounds, open_source, pending
from codesensei.wire.migrations import UNREAD, judge
from codesensei.wire.table_locks import held, locked
from tests.operations import AGAIN, FIRST, HEAD, HELD, KEPT, LOCKS, RENAMED, ROWS, SECOND, USER
from tests.source.conftest import Repository, asked

Between = Callable[[Mapping[str, str], Mapping[str, str]], Pending]
# Only Django knows what a class of the project's own is made from.
ONLY_DJANGO = {"safe AlterField book.title": "unknown AlterField book.title"}
OWN = ["its own model", "its own column", "its own other"]
FIRST_FILE, SECOND_FILE = "books/migrations/0001_first.py", "books/migrations/0002_second.py"


def migration(*operations: str, more: str = "") -> str:
    return f"{HEAD}\nclass Migration(migrations.Migration):\n    operations = [{', '.join(operations)}]\n    {more}\n"


def second(*operations: str) -> str:
    return SECOND % "".join(f"        migrations.{operation},\n" for operation in operations)


@pytest.fixture
def between(repository: Repository) -> Between:
    """What lies between a commit with some files and one with others."""

    def checkout(files: Mapping[str, str]) -> Checkout:
        repository.git("rm", "-r", "--quiet", "--ignore-unmatch", ".")
        repository.commit({"keep": "", **files})
        base = repository.directory.parent
        return open_source(asked(), cache_dir=base / "cache", base=base)

    def found(before: Mapping[str, str], after: Mapping[str, str]) -> Pending:
        served, wanted = map(checkout, (before, after))
        return pending(served, wanted, ["."])

    return found


@pytest.mark.slow
@pytest.mark.proves("story.migrations", "migrations.unique")
def test_each_operation_is_read_as_django_says_it(between: Between) -> None:
    """The same rows as for Django's own plan; each is the only operation, so none is on top of another."""
    for operation, wanted in ROWS:
        found = between({FIRST_FILE: FIRST}, {FIRST_FILE: FIRST, SECOND_FILE: second(operation)})
        (one,) = judge(found.new)
        told = f"{one.verdict} {one.operation}"
        assert told == (ONLY_DJANGO.get(wanted, wanted) if "Own(" in operation else wanted), operation


@pytest.mark.slow
@pytest.mark.proves("migrations.again")
def test_a_constraint_that_takes_the_place_of_another_is_read_as_django_says_it(between: Between) -> None:
    rows = [(second(*operations), wanted) for *operations, wanted in AGAIN]
    [first, *_] = rows
    rows.append((first[0].replace("    operations", "    atomic = False\n    operations"), "destructive"))
    for text, wanted in rows:
        found = between({FIRST_FILE: FIRST}, {FIRST_FILE: FIRST, SECOND_FILE: text})
        assert [*judge(found.new)][-1].verdict == wanted, text


@pytest.mark.proves("migrations.held")
def test_what_locks_a_table_is_read_as_django_says_it(between: Between) -> None:
    for *operations, wanted in HELD:
        found = between({FIRST_FILE: FIRST}, {FIRST_FILE: FIRST, SECOND_FILE: second(*operations)})
        told = "".join(wait.begin.removeprefix("books.0002_second: ") for wait in held(found.new))
        assert told == wanted, operations


@pytest.mark.slow
@pytest.mark.proves("migrations.renamed")
def test_what_gets_another_name_is_read_as_django_says_it(between: Between) -> None:
    for *operations, wanted in RENAMED:
        found = between({FIRST_FILE: FIRST}, {FIRST_FILE: FIRST, SECOND_FILE: second(*operations)})
        last = [*judge(found.new)][-1]
        verdict, _, keep = wanted.partition("; ")
        assert f"{last.verdict}: {last.why}" == verdict, operations
        assert keep in last.fix


@pytest.mark.proves("migrations.renamed")
def test_a_table_between_two_models_may_be_of_another_app(between: Between) -> None:
    before = {
        "shelves/migrations/0001_first.py": migration("migrations.CreateModel('Shelf', [], {'db_table': 'shelves'})"),
        "rooms/migrations/0001_first.py": migration(
            "migrations.CreateModel('Room', [('all', models.ManyToManyField('shelves.shelf'))])"
        ),
    }
    rename = {"shelves/migrations/0002_second.py": migration("migrations.RenameModel('Shelf', 'Rack')")}
    (one,) = judge(between(before, before | rename).new)
    assert (one.verdict, one.operation.between) == ("destructive", ("rooms_room_all",))


@pytest.mark.slow
@pytest.mark.proves("migrations.locks")
def test_what_waits_for_an_operation_is_read_as_django_says_it(between: Between) -> None:
    for operation, wanted in LOCKS:
        found = between({FIRST_FILE: FIRST}, {FIRST_FILE: FIRST, SECOND_FILE: second(operation)})
        assert [f"{wait.table}{wait.end}" for wait in locked(found.new)] == ([wanted] if wanted else []), operation


@pytest.mark.parametrize(
    ("operations", "wanted"),
    [
        ("[migrations.RemoveField('book', name) for name in ('a', 'b')]", [UNREAD]),
        ("[*made()]", [UNREAD]),
        ("[migrations.AddField(**of)]", [UNREAD]),
        ("[migrations.AddField('book', 'x', OurField(null=True))]", ["AddField"]),
        ("[migrations.AddField('book', 'x', models.CharField(null=IS_NULL))]", ["AddField"]),
        ("[Ours('book')]", ["its own Ours"]),
        ("[RunPython(print)]", ["its own RunPython"]),
        ("[model('book'), column(), other(), migrations.model('book')]", [*OWN, "model"]),
        ("[migrations.RemoveField(NAME, 'price')]", [UNREAD]),
        ("[migrations.RenameField('book', 'price', NEW)]", [UNREAD]),
        ("[books.ours.RunPython(print)]", ["books.ours.RunPython"]),
        ("[broken", [UNREAD]),
        ("[]\n    operations += [migrations.RemoveField('book', 'price')]", [UNREAD]),
        ("[]\n    operations.append(migrations.RemoveField('book', 'price'))", [UNREAD]),
        ("[]\n    if True:\n        operations = [migrations.RemoveField('book', 'price')]", [UNREAD]),
        ("[]\nMigration.operations += [migrations.RemoveField('book', 'price')]", [UNREAD]),
        ("None\nclass Migration(Migration):\n    pass", [UNREAD]),
        ("[]\nclass Migration(Migration, Mixin):\n    pass", [UNREAD]),
    ],
)
@pytest.mark.proves("story.migrations")
def test_what_only_running_tells_is_unknown(between: Between, operations: str, wanted: list[str]) -> None:
    text = f"{HEAD}\nclass Migration(migrations.Migration):\n    operations = {operations}\n"
    found = between({FIRST_FILE: FIRST}, {FIRST_FILE: FIRST, SECOND_FILE: text})
    assert [one.operation.name for one in judge(found.new)] == wanted
    assert {one.verdict for one in judge(found.new)} == {"unknown"}


@pytest.mark.proves("story.migrations")
def test_what_is_written_plainly_is_all_there_is(between: Between) -> None:
    """In whatever way Django's class is named, and whatever else is called the same."""
    code = "def fill(apps, editor):\n    operations = []\n    operations.append(1)\n"
    for base in ("migrations.Migration", "migrations.migration.Migration"):
        for operations in ("    operations = []\n", "    operations: list = []\n", "", "    operations = names = []\n"):
            text = f"{HEAD}\n{code}\nclass Migration({base}):\n    atomic = True\n{operations}"
            [found] = between({FIRST_FILE: FIRST}, {FIRST_FILE: FIRST, SECOND_FILE: text}).new
            assert found.operations == (), text


@pytest.mark.proves("story.migrations")
@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        ("models.IntegerField(), null=True", "safe"),
        ("models.IntegerField(), help_text='x', default=list", "safe"),
        ("models.TextField()", "unknown"),
        ("models.IntegerField(), size=3", "unknown"),
    ],
)
def test_a_field_whose_arguments_tell_its_type(between: Between, after: str, verdict: str) -> None:
    """Of an array, what it holds."""
    array = "django.contrib.postgres.fields.ArrayField({})".format
    texts = [
        f"import django.contrib.postgres.fields\n{migration(operation)}"
        for operation in (
            f"migrations.CreateModel('Book', [KEY, ('pages', {array('models.IntegerField()')})])",
            f"migrations.AlterField('book', 'pages', {array(after)})",
        )
    ]
    before = {FIRST_FILE: texts[0]}
    (one,) = judge(between(before, {**before, SECOND_FILE: texts[1]}).new)
    assert one.verdict == verdict


@pytest.mark.proves("story.migrations", "migrations.unknown")
def test_an_operation_of_a_package_is_about_nothing_that_is_known(between: Between) -> None:
    """Also where it names a model that the plan makes, or one without a table."""
    own = "pgtrigger.migrations.AddTrigger(model_name={!r})"
    operations = ["migrations.CreateModel('Tag', [KEY])", own.format("tag"), own.format("view")]
    found = between({FIRST_FILE: FIRST}, {FIRST_FILE: FIRST, SECOND_FILE: migration(*operations)})
    assert [one.verdict for one in judge(found.new)] == ["safe", "unknown", "unknown"]


@pytest.mark.proves("story.migrations")
@pytest.mark.parametrize("words", ["'SELECT 1', None, [{}]", "'SELECT 1', state_operations=[{}]"])
def test_what_sql_does_to_models_is_followed(between: Between, words: str) -> None:
    longer = "migrations.AlterField('book', 'title', models.CharField(max_length=200))"
    shorter = "migrations.AlterField('book', 'title', models.CharField(max_length=150))"
    operations = [f"migrations.RunSQL({words.format(longer)})", shorter]
    found = between({FIRST_FILE: FIRST}, {FIRST_FILE: FIRST, SECOND_FILE: migration(*operations)})
    assert [one.verdict for one in judge(found.new)] == ["unknown", "destructive"]


@pytest.mark.proves("migrations.renamed")
def test_a_table_between_two_models_has_no_column_s_name(between: Between) -> None:
    fans = f"models.ManyToManyField({USER}, related_name='+', {{}}='books_book_fans')"
    verdicts = []
    for name in ("db_column", "db_table"):
        operations = (f"AlterField('book', 'fans', {fans.format(name)})", "RenameField('book', 'fans', 'readers')")
        found = between({FIRST_FILE: FIRST}, {FIRST_FILE: FIRST, SECOND_FILE: second(*operations)})
        verdicts.append([one.verdict for one in judge(found.new)])
    assert verdicts == [["safe", "destructive"], ["safe", "safe"]]


@pytest.mark.parametrize(("operation", "verdict"), KEPT)
@pytest.mark.proves("story.migrations", "migrations.defaults")
def test_defaults_that_stay(between: Between, operation: str, verdict: str) -> None:
    found = between({FIRST_FILE: FIRST}, {FIRST_FILE: FIRST, SECOND_FILE: second(operation)})
    assert [one.verdict for one in judge(found.new, lambda _: True)] == [verdict]


@pytest.mark.parametrize("line", ["", "    atomic = True\n", "    atomic = False\n"])
@pytest.mark.proves("migrations.held")
def test_whether_it_is_one_transaction(between: Between, line: str) -> None:
    text = f"{HEAD}\nclass Migration(migrations.Migration):\n{line}    operations = []\n"
    [found] = between({FIRST_FILE: FIRST}, {FIRST_FILE: FIRST, SECOND_FILE: text}).new
    assert found.atomic == ("False" not in line)


@pytest.mark.proves("story.migrations")
def test_a_column_keeps_the_name_that_an_earlier_migration_gave_it(between: Between) -> None:
    """The recipe for a rename: the column stays, under another name in the code."""
    keep = 'AlterField("book", "title", models.CharField(max_length=100, db_column="title"))'
    found = between(
        {FIRST_FILE: FIRST}, {FIRST_FILE: FIRST, SECOND_FILE: second(keep, 'RenameField("book", "title", "name")')}
    )
    assert [one.verdict for one in judge(found.new)] == ["safe", "safe"]


@pytest.mark.proves("story.migrations")
@pytest.mark.parametrize(("table", "verdict"), [("books_leaf", "safe"), (None, "destructive")])
def test_a_table_keeps_the_name_that_an_earlier_operation_gave_it(
    between: Between, table: str | None, verdict: str
) -> None:
    """The recipe for another name of a model, also where the table would have that name anyway."""
    operations = (f'AlterModelTable("leaf", {table!r})', 'RenameModel("Leaf", "Sheet")')
    found = between({FIRST_FILE: FIRST}, {FIRST_FILE: FIRST, SECOND_FILE: second(*operations)})
    assert [one.verdict for one in judge(found.new)] == ["safe", verdict]


@pytest.mark.proves("migrations.renamed")
def test_a_name_in_upper_case_is_another(between: Between) -> None:
    """PostgreSQL tells them apart, and Django lower-cases the model's name alone."""
    rename = second('AlterModelTable("leaf", "Books_Leaf")')
    (one,) = judge(between({FIRST_FILE: FIRST}, {FIRST_FILE: FIRST, SECOND_FILE: rename}).new)
    assert (one.verdict, one.operation.to) == ("destructive", "Books_Leaf")
    label = {"books/apps.py": "class Config:\n    label = 'Books'\n"}
    (one,) = judge(between({FIRST_FILE: FIRST, **label}, {FIRST_FILE: FIRST, SECOND_FILE: rename, **label}).new)
    assert (one.verdict, one.operation.table) == ("destructive", "Books_leaf")


@pytest.mark.proves("story.migrations")
def test_a_field_gets_the_column_of_its_new_name(between: Between) -> None:
    """Whatever else its table between two models is named after."""
    many = "models.ManyToManyField(settings.AUTH_USER_MODEL)"
    operations = [
        f'AddField("book", "book", {many})',
        'RenameField("book", "book", "readers")',
        f'AlterField("book", "readers", {many})',
    ]
    *_, alter = judge(between({FIRST_FILE: FIRST}, {FIRST_FILE: FIRST, SECOND_FILE: second(*operations)}).new)
    assert alter.verdict == "safe"
    assert alter.operation.before
    assert alter.operation.before.column == "books_book_readers"


@pytest.mark.proves("story.migrations")
def test_what_is_done_to_the_database_alone_changes_nothing_that_django_knows(between: Between) -> None:
    alone = "migrations.SeparateDatabaseAndState([migrations.RemoveField('book', 'price')], [])"
    again = "migrations.RemoveField('book', 'price')"
    text = f"{HEAD}\nclass Migration(migrations.Migration):\n    operations = [{alone}, {again}]\n"
    first, second = judge(between({FIRST_FILE: FIRST}, {FIRST_FILE: FIRST, SECOND_FILE: text}).new)
    assert first.operation.before == second.operation.before is not None


@pytest.mark.proves("story.migrations", "source.bounds")
def test_a_link_that_leads_nowhere_is_no_migration(between: Between, repository: Repository) -> None:
    for name in ("0001_first.py", "0002_out.py"):
        place = repository.directory / "books/migrations" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to("nowhere.py")
    repository.commit()
    served = open_source(asked(), cache_dir=repository.directory.parent / "cache", base=repository.directory.parent)
    assert pending(served, served, ["."]) == Pending()


@pytest.mark.parametrize(("bound", "most"), [("MIGRATIONS", 1), ("MIGRATION_BYTES", 100)])
@pytest.mark.proves("source.bounds")
def test_more_than_is_read_is_said(between: Between, monkeypatch: pytest.MonkeyPatch, bound: str, most: int) -> None:
    monkeypatch.setattr(bounds, bound, most)
    with pytest.raises(SourceError, match=r"at most .* are read"):
        between({}, {FIRST_FILE: FIRST, SECOND_FILE: second()})


@pytest.mark.proves("story.migrations")
def test_each_migration_follows_those_that_it_needs(between: Between) -> None:
    """Whatever the names say."""
    files = {
        FIRST_FILE: FIRST,
        "books/migrations/0002_b.py": migration(more="dependencies = [('books', '0002_c')]"),
        "books/migrations/0002_c.py": migration(more="dependencies = [('books', '0001_first'), ('people', '0001_z')]"),
        "people/migrations/0001_z.py": migration(),
    }
    found = [one.label for one in between({FIRST_FILE: FIRST}, files).new]
    assert sorted(found) == ["books.0002_b", "books.0002_c", "people.0001_z"]
    assert found.index("people.0001_z") < found.index("books.0002_c") < found.index("books.0002_b")


@pytest.mark.proves("story.migrations")
@pytest.mark.slow
def test_a_squashed_migration_runs_where_nothing_of_it_is_applied(between: Between) -> None:
    squashed = {"books/migrations/0001_squashed.py": migration(more="replaces = [('books', '0001_first')]")}
    assert between({FIRST_FILE: FIRST}, {FIRST_FILE: FIRST, **squashed}).new == ()
    assert between({FIRST_FILE: FIRST}, squashed).new == ()
    # Of the two, the state has what is applied.
    last = {SECOND_FILE: second('RenameField("book", "kept", "there")')}
    (one,) = judge(between({FIRST_FILE: FIRST}, {FIRST_FILE: FIRST, **squashed, **last}).new)
    assert one.verdict == "safe"
    assert [one.label for one in between({}, {FIRST_FILE: FIRST, **squashed}).new] == ["books.0001_squashed"]


@pytest.mark.proves("story.migrations")
def test_what_a_commit_lacks_stays_applied(between: Between) -> None:
    files = {FIRST_FILE: FIRST, SECOND_FILE: second('RemoveField("book", "price")')}
    found = between(files, {FIRST_FILE: FIRST})
    assert (found.new, [one.label for one in found.gone]) == ((), ["books.0002_second"])
    assert [one.verdict for one in judge(found.gone)] == ["destructive"]


@pytest.mark.proves("story.migrations")
def test_a_migration_that_does_something_else_now_is_named(between: Between) -> None:
    """One that is only written otherwise is not."""
    was = {FIRST_FILE: FIRST}
    assert between(was, {FIRST_FILE: f"# Another comment.\n{FIRST}"}).changed == ()
    assert between(was, {FIRST_FILE: FIRST.replace("max_length=100", "max_length=99")}).changed == ("books.0001_first",)


@pytest.mark.proves("story.migrations")
def test_only_what_django_loads_counts(between: Between) -> None:
    """Not a file without a migration, not the package's own file; an app may have another label."""
    files = {
        "books/migrations/__init__.py": "",
        "books/migrations/helpers.py": "X = 1",
        "books/migrations/_old.py": migration(),
        "books/migrations/first.py": migration(),
        "books/apps.py": "class Config:\n    label = 'library'\n",
    }
    assert [one.label for one in between({}, files).new] == ["library.first"]
