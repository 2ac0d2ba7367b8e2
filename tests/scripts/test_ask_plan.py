"""What the program says that asks Django for its plan, and what follows of it; with the real Django."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codesensei.scripts.release import guard
from codesensei.wire import codec
from codesensei.wire.migrations import Judged, judge
from codesensei.wire.table_locks import held, locked
from tests.operations import AGAIN, FIRST, HELD, KEPT, LOCKS, RENAMED, ROWS, SECOND

pytestmark = pytest.mark.slow

SETTINGS = """
SECRET_KEY = "x"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "books"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""
SECOND_FILE = "books/migrations/0002_second.py"
# Imports Django once, and runs the program in a process of its own for each text of the second migration.
EACH = """
import json, os, pathlib, runpy, sys
import django, django.db.migrations.executor
program, name, texts = json.load(sys.stdin)
sys.path[0] = os.getcwd()
django.setup()
for text in texts:
    pathlib.Path(name).write_text(text)
    child = os.fork()
    if not child:
        sys.argv, sys.path[:0] = [program, "", "default"], [os.path.dirname(program)]
        runpy.run_path(program, run_name="__main__")
        sys.exit()
    assert os.waitpid(child, 0)[1] == 0, text
    os.unlink(name)
"""


def run(folder: Path, *words: str, given: str = "") -> list[guard.Plan]:
    environment = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "settings"}
    argv = [sys.executable, "-B", *words]
    done = subprocess.run(argv, cwd=folder, input=given, capture_output=True, text=True, check=True, env=environment)
    answers = done.stdout.split(guard.ASKED)[1:]
    return [codec.decode(guard.Plan, json.loads(answer), "answer") for answer in answers]


def asked(folder: Path) -> guard.Plan:
    [plan] = run(folder, str(guard.ASK), guard.QUERY, "default")
    return plan


def second(*operations: str) -> str:
    return SECOND % "".join(f"        {operation},\n" for operation in operations)


def judged(folder: Path, *operations: str) -> list[Judged]:
    """What a second migration with these operations would do."""
    path = folder / SECOND_FILE
    path.write_text(second(*operations))
    try:
        return list(judge(asked(folder).migrations))
    finally:
        path.unlink()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose database has its first migrations."""
    folder = tmp_path_factory.mktemp("bookshop")
    for name in ("books/__init__.py", "books/migrations/__init__.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "settings.py").write_text(SETTINGS)
    (folder / "books/migrations/0001_first.py").write_text(FIRST)
    environment = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(folder)}
    argv = [sys.executable, "-B", "-m", "django", "migrate", "--verbosity", "0"]
    subprocess.run(argv, cwd=folder, env=environment, check=True)
    return folder


@pytest.mark.proves(
    "migrations.asked",
    "migrations.destructive",
    "migrations.writes",
    "migrations.unique",
    "migrations.packages",
    "migrations.unknown",
)
def test_each_operation_of_a_plan(project: Path) -> None:
    """Each in a migration of its own, which ends the plan: none is on top of another."""
    texts = [second(f"migrations.{operation}") for operation, _ in ROWS]
    plans = run(project, "-c", EACH, given=json.dumps([str(guard.ASK), SECOND_FILE, texts]))
    found = [list(judge(plan.migrations)) for plan in plans]
    assert [f"{one.verdict} {one.operation}" for (one,) in found] == [wanted for _, wanted in ROWS]


@pytest.mark.proves("migrations.renamed")
def test_what_gets_another_name_in_the_way_that_its_refusal_tells(project: Path) -> None:
    texts = [second(*(f"migrations.{operation}" for operation in operations)) for *operations, _ in RENAMED]
    plans = run(project, "-c", EACH, given=json.dumps([str(guard.ASK), SECOND_FILE, texts]))
    found = [[*judge(plan.migrations)][-1] for plan in plans]
    for one, wanted in zip(found, [wanted for *_, wanted in RENAMED], strict=True):
        verdict, _, keep = wanted.partition("; ")
        assert f"{one.verdict}: {one.why}" == verdict
        assert keep in one.fix


APPS = """
from django.apps import AppConfig
from django.db import connection
class Books(AppConfig):
    name = "books"
    def ready(self):
        connection.features.ignores_table_name_case = %s
"""


@pytest.mark.proves("migrations.renamed")
@pytest.mark.parametrize(("ignores_case", "verdict"), [(True, "safe"), (False, "destructive")])
def test_a_name_in_upper_case_is_another_where_the_database_tells_them_apart(
    project: Path, ignores_case: bool, verdict: str
) -> None:
    """PostgreSQL does, SQLite does not."""
    apps = project / "books/apps.py"
    apps.write_text(APPS % ignores_case)
    try:
        [one] = judged(project, 'migrations.AlterModelTable("leaf", "Books_Leaf")')
    finally:
        apps.unlink()
    assert (one.verdict, one.operation.to) == (verdict, "Books_Leaf")


@pytest.mark.proves("migrations.defaults")
def test_defaults_that_stay(project: Path) -> None:
    texts = [second(f"migrations.{operation}") for operation, _ in KEPT]
    plans = run(project, "-c", EACH, given=json.dumps([str(guard.ASK), SECOND_FILE, texts]))
    found = [one.verdict for plan in plans for one in judge(plan.migrations, lambda _: True)]
    assert found == [verdict for _, verdict in KEPT]
    assert not any(plan.keeps for plan in plans), "SQLite copies the table"


@pytest.mark.proves("migrations.locks")
def test_what_waits_for_each_operation(project: Path) -> None:
    texts = [second(f"migrations.{operation}") for operation, _ in LOCKS]
    plans = run(project, "-c", EACH, given=json.dumps([str(guard.ASK), SECOND_FILE, texts]))
    found = [[f"{wait.table}{wait.end}" for wait in locked(plan.migrations)] for plan in plans]
    assert found == [[wanted] if wanted else [] for _, wanted in LOCKS]
    assert not any(plan.tables for plan in plans), "only PostgreSQL is asked"


@pytest.mark.proves("migrations.again")
def test_a_constraint_that_takes_the_place_of_another(project: Path) -> None:
    texts = [second(*(f"migrations.{operation}" for operation in operations)) for *operations, _ in AGAIN]
    texts.append(texts[0].replace("    operations", "    atomic = False\n    operations"))
    plans = run(project, "-c", EACH, given=json.dumps([str(guard.ASK), SECOND_FILE, texts]))
    found = [[*judge(plan.migrations)][-1].verdict for plan in plans]
    assert found == [*(wanted for *_, wanted in AGAIN), "destructive"]


@pytest.mark.proves("migrations.held")
def test_what_locks_a_table_while_rows_are_worked_on(project: Path) -> None:
    texts = [second(*(f"migrations.{operation}" for operation in operations)) for *operations, _ in HELD]
    plans = run(project, "-c", EACH, given=json.dumps([str(guard.ASK), SECOND_FILE, texts]))
    found = [
        "".join(wait.begin.removeprefix("books.0002_second: ") for wait in held(plan.migrations)) for plan in plans
    ]
    assert found == [wanted for *_, wanted in HELD]


@pytest.mark.proves("migrations.asked")
def test_what_only_django_keeps_track_of_is_no_operation(project: Path) -> None:
    assert judged(project, 'migrations.SeparateDatabaseAndState([], [migrations.RemoveField("book", "price")])') == []


@pytest.mark.proves("migrations.unknown")
def test_a_class_of_the_project_s_own_may_do_anything(project: Path) -> None:
    [own] = judged(project, 'Trigger("")')
    assert (own.operation.name, own.verdict) == ("books.migrations.0002_second.Trigger", "unknown")


@pytest.mark.proves("migrations.packages")
def test_a_relation_of_a_package_s_own_is_between_two_models(project: Path) -> None:
    """As django-taggit has it: without a table of its own, because its model between the two has one."""
    tags = "Tags(settings.AUTH_USER_MODEL, through='contenttypes.ContentType')"
    found = judged(
        project,
        f'migrations.AddField("book", "tags", {tags})',
        f'migrations.AlterField("book", "tags", {tags})',
        'migrations.RemoveField("book", "tags")',
    )
    assert [one.verdict for one in found] == ["safe"] * 3
    [first, *_] = found
    assert first.operation.after
    assert (first.operation.after.kind, first.operation.after.through) == (
        "ManyToManyField",
        "contenttypes.contenttype",
    )


@pytest.mark.proves("migrations.packages")
def test_a_field_with_a_type_that_is_none_of_django_s_has_its_own_name(project: Path) -> None:
    [one] = judged(project, 'migrations.AlterField("book", "title", Mood())')
    why = "only you know whether books.migrations.0002_second.Mood holds all that CharField does"
    assert (one.verdict, one.why) == ("unknown", why)


@pytest.mark.proves("migrations.fresh")
def test_what_the_plan_makes_itself_is_safe(project: Path) -> None:
    found = judged(
        project,
        'migrations.CreateModel("Tag", [KEY, ("name", models.CharField(max_length=5))])',
        'migrations.AddField("tag", "more", models.IntegerField(default=3))',
        'migrations.RenameModel("Tag", "Label")',
        'migrations.RemoveField("label", "name")',
        'migrations.DeleteModel("Label")',
    )
    assert [one.verdict for one in found] == ["safe"] * 5


@pytest.mark.proves("errors.logs")
def test_two_that_follow_the_same_one_are_told_as_manage_py_does(project: Path) -> None:
    """Without a traceback, whose lines would be of a file that the user does not have."""
    others = [project / "books/migrations" / f"0002_{side}.py" for side in ("left", "right")]
    for path in others:
        path.write_text(second("migrations.RunSQL('SELECT 1')"))
    try:
        with pytest.raises(subprocess.CalledProcessError) as failed:
            asked(project)
    finally:
        for path in others:
            path.unlink()
    assert failed.value.stderr.startswith("CommandError: Conflicting migrations detected; multiple leaf nodes")
    assert "(0002_left, 0002_right in books)" in failed.value.stderr
    assert "Traceback" not in failed.value.stderr


@pytest.mark.proves("migrations.rollback")
def test_what_is_applied_and_what_the_release_has(project: Path) -> None:
    """A migration that another release has brought is applied, and not known here."""
    first = project / "books/migrations/0001_first.py"
    text = first.read_text()
    assert {"books.0001_first", "auth.0001_initial"} <= {*asked(project).applied} & {*asked(project).known}
    first.unlink()
    try:
        plan = asked(project)
    finally:
        first.write_text(text)
    assert "books.0001_first" in plan.applied
    assert "books.0001_first" not in plan.known
