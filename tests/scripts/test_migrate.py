"""Which databases are migrated, what of a migrate is remembered, and what is said of the rest."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base.step import Failure
from codesensei.scripts.release import databases, defaults, guard, jobs, migrate, record, rehearsal
from codesensei.scripts.release.jobs import Job, JobResult
from codesensei.scripts.release.record import DatabaseFacts
from codesensei.scripts.release.rehearsal import NO_REHEARSAL, Ran, Rehearsal
from codesensei.scripts.release.release import Release
from codesensei.wire.migrations import Judged, Operation
from codesensei.wire.paths import ProjectPaths
from tests.scripts.examples import FACTS, NAME, REVISION, database_facts

SHOP = ProjectPaths("shop")
RELEASE = Release(SHOP, NAME, "deploy", ".", "config.settings")
POSTGRES = database_facts("django.db.backends.postgresql", "shop")
ADDED = Judged(migration="books.0003_note", operation=Operation(name="AddField"), without="rows fail")
LOCKED = "django.db.utils.OperationalError: canceling statement due to lock timeout"
IN_THE_WAY = 'Applying app.0002_index...\npsycopg.errors.DuplicateTable: relation "note_idx" already exists'


class Project:
    """A project whose databases have migrations to run, and whose programs end as they are told to."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {"databases": [{"alias": "default"}]}
        self.pending = {"default"}
        self.failing: dict[str, str] = {}
        self.said: dict[str, Any] = {}
        self.is_ended = False
        self.prints = "Applying a.1... OK"
        # How the first runs of migrate end: what each prints, and what it says.
        self.tries: list[tuple[str, dict[str, Any]]] = []
        self.paused: list[float] = []
        self.ran: list[Job] = []

    def run(self, step: Any, release: Release, job: Job) -> JobResult:
        log = Path("log")
        if job.answer == databases.ASKED:
            return JobResult(0, "", log, answer=json.dumps(self.asked))
        self.ran.append(job)
        words = list(job.argv)
        alias = words[words.index("--database") + 1] if "--database" in words else "default"
        if "--check" in words:
            return JobResult(int(alias in self.pending), "", log)
        if self.tries and job.answer:
            prints, said = self.tries.pop(0)
            return JobResult(1, prints, log, answer=json.dumps(said))
        self.pending.discard(alias)
        answer = "" if self.is_ended else json.dumps(self.said)
        return JobResult(int(alias in self.failing), self.failing.get(alias, self.prints), log, answer=answer)

    @property
    def titles(self) -> list[str]:
        return [job.title for job in self.ran]


Migrate = Callable[..., list[str]]


@pytest.fixture
def project(server: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    found = Project()
    monkeypatch.setattr(jobs, "run_job", found.run)
    monkeypatch.setattr("time.sleep", found.paused.append)
    SHOP.record(NAME).parent.mkdir(parents=True)
    return found


@pytest.fixture
def run(make_step: Any) -> Migrate:
    def run(
        seconds: int = 5,
        acknowledged: tuple[str, ...] = (),
        keep_defaults: bool = True,
        longest: int = 0,
        rehearsed: Rehearsal = NO_REHEARSAL,
        dump: Callable[[], None] = lambda: None,
        **entries: DatabaseFacts,
    ) -> list[str]:
        record.begin(SHOP, NAME, revision=REVISION, settings_module="config.settings", user="deploy")
        record.built(SHOP, NAME, replace(FACTS, databases={"default": POSTGRES, **entries}), {})
        run.step = make_step("build")  # type: ignore[attr-defined]
        asked = databases.ask(run.step, RELEASE)  # type: ignore[attr-defined]
        step = run.step  # type: ignore[attr-defined]
        limits = migrate.LockLimits(seconds, longest)
        return migrate.migrate(
            step, RELEASE, asked, limits, acknowledged, dump, keep_defaults=keep_defaults, rehearsed=rehearsed
        )

    return run


@pytest.mark.proves("migrate.skipped")
@pytest.mark.parametrize("pending", [False, True])
def test_migrate_runs_only_where_the_check_finds_something(project: Project, run: Migrate, pending: bool) -> None:
    project.pending = {"default"} if pending else set()
    assert run() == []
    assert project.titles == ["migrate --check", "migrate"][: 1 + pending]
    assert list(project.ran[0].argv[-3:]) == ["manage.py", "migrate", "--check"]
    if pending:
        assert list(project.ran[1].argv[-2:]) == ["migrate", "--noinput"]


@pytest.mark.proves("migrate.skipped")
@pytest.mark.parametrize("work", [False, True])
def test_what_the_first_answer_has_is_not_asked_again(project: Project, run: Migrate, work: bool) -> None:
    """Another start of the project for the same question would take its time."""
    project.asked["databases"][0]["work"] = work
    project.pending = set() if work else {"default"}
    run()
    assert project.titles == ["migrate"][:work]
    said = run.step.said  # type: ignore[attr-defined]
    assert said == [["no migrations to run"], ["migrations have run (1 applied)"]][work]


@pytest.mark.proves("migrate.all-databases")
def test_every_database_with_work_is_migrated_in_order(project: Project, run: Migrate) -> None:
    project.asked["databases"] += [
        {"alias": "logs"},
        {"alias": "replica", "whyNot": "it is read-only"},
        {"alias": "users"},
    ]
    project.pending = {"default", "replica", "users"}
    assert run(logs=POSTGRES, replica=POSTGRES, users=POSTGRES) == []
    migrated = [list(job.argv[7:]) for job in project.ran if "--noinput" in job.argv]
    assert migrated == [["--noinput"], ["--noinput", "--database", "users"]]
    assert run.step.said == [  # type: ignore[attr-defined]
        "DATABASES['replica'] is not migrated: it is read-only",
        "no migrations to run in logs",
        "migrations have run in default (1 applied)",
        "migrations have run in users (1 applied)",
    ]


@pytest.mark.proves("migrations.defaults")
@pytest.mark.parametrize("fails", [False, True])
def test_what_a_run_has_kept_and_dropped_is_noted_however_it_ends(
    project: Project, run: Migrate, make_step: Any, fails: bool
) -> None:
    step = make_step("build")
    defaults.note(step, "default", [("book", "old"), ("book", "gone")], [])
    defaults.give_up(step, "default")
    defaults.begin(step, "default", [ADDED])
    project.said = {"kept": [["book", "note"]], "dropped": [["book", "gone"]]}
    project.failing = {"default": "no"} if fails else {}
    with pytest.raises(Failure) if fails else contextlib.nullcontext():
        run()
    [job] = [job for job in project.ran if "--noinput" in job.argv]
    due = [["book", "gone"], ["book", "old"]]
    assert json.loads(job.argv[5]) == {"alias": "default", "keep": True, "kept": [], "drop": due}
    kept = defaults.kept(SHOP, "default")
    assert (kept.columns, kept.due) == ((("book", "note"),), (("book", "old"),))


@pytest.mark.proves("migrations.defaults")
def test_no_default_is_kept_where_nothing_serves_or_the_stack_keeps_none(project: Project, run: Migrate) -> None:
    run()
    defaults.begin(run.step, "default", [ADDED])  # type: ignore[attr-defined]
    project.pending = {"default"}
    run(keep_defaults=False)
    jobs_run = [job for job in project.ran if "--noinput" in job.argv]
    assert [json.loads(job.argv[5])["keep"] for job in jobs_run] == [False, False]


def test_migrations_of_each_schema_are_counted(project: Project, run: Migrate) -> None:
    """As django-tenants prints them."""
    project.prints = (
        "[standard:public]   Applying customers.0001_initial... OK\n"
        "[1/1 (100%) standard:acme]   Applying auth.0001_initial... OK"
    )
    assert run() == []
    assert run.step.said == ["migrations have run (2 applied)"]  # type: ignore[attr-defined]


@pytest.mark.proves("migrate.all-databases")
def test_tables_of_another_program_are_left_alone_with_a_warning(project: Project, run: Migrate) -> None:
    project.asked["databases"].append({"alias": "legacy", "whyNot": "foreign"})
    [warning] = run(legacy=POSTGRES)
    assert "DATABASES['legacy'] is not migrated: it has tables, and none of Django's" in warning
    assert "allow_migrate" in warning
    assert project.titles == ["migrate --check in default", "migrate in default"]


@pytest.mark.proves("migrate.unfinished")
def test_what_did_not_end_well_runs_again_though_the_check_finds_nothing(project: Project, run: Migrate) -> None:
    """Also for another release: the next commit fixes the handler of post_migrate."""
    project.asked["databases"].append({"alias": "users"})
    project.failing = {"default": "CommandError: the handler fails"}
    for _ in range(2):
        with pytest.raises(Failure, match="the handler"):
            run(users=POSTGRES)
    check, both = "migrate --check in users", ["migrate --check in default", "migrate --check in users"]
    assert project.titles == [*both, "migrate in default", check, "migrate in default"]
    project.failing, project.ran = {}, []
    run(users=POSTGRES)
    assert project.titles == [check, "migrate in default"]
    project.ran = []
    run(users=POSTGRES)
    assert project.titles == both


@pytest.mark.proves("config.lock-timeout")
@pytest.mark.parametrize("seconds", [5, 0])
def test_a_migration_waits_for_a_lock_so_long(project: Project, run: Migrate, seconds: int) -> None:
    run(seconds)
    assert list(project.ran[1].argv[2:4]) == [str(migrate.MIGRATE), str(seconds)]
    assert project.ran[1].variables == {}


CANCELLED = """  Applying books.0002_index... OK
  Applying books.0003_fill...Traceback (most recent call last):
django.db.utils.OperationalError: canceling statement due to user request"""


@pytest.mark.proves("config.migration-timeout")
@pytest.mark.parametrize("seconds", [60, 0])
def test_a_migration_holds_its_locks_so_long(project: Project, run: Migrate, seconds: int) -> None:
    run(longest=seconds)
    assert list(project.ran[1].argv[3:5]) == ["5", str(seconds)]


@pytest.mark.proves("migrations.timeout")
@pytest.mark.parametrize(
    ("atomic", "cause", "fix"),
    [
        (
            True,
            "the migration books.0003_fill took longer than database.migrationTimeout (60 s) and was cancelled: all of"
            " it is rolled back\napplied before it, and staying so: books.0002_index",
            "change rows in batches, each in a transaction of its own, in a migration with atomic = False; see what the"
            " preview says of its locks; or raise database.migrationTimeout; then deploy again",
        ),
        (
            False,
            "a transaction of the migration books.0003_fill, or a statement without one, took longer than"
            " database.migrationTimeout (60 s) and was cancelled: it is rolled back\nthe migration has atomic = False:"
            " what it did before stays, and it is not recorded as applied\napplied before it, and staying so:"
            " books.0002_index",
            "make its batches smaller, and let it begin again where parts of it are done; or raise"
            " database.migrationTimeout; then deploy again",
        ),
    ],
)
def test_what_was_cancelled_is_told(project: Project, run: Migrate, atomic: bool, cause: str, fix: str) -> None:
    project.failing, project.said = {"default": CANCELLED}, {"over" if atomic else "partly": ["books.0003_fill"]}
    with pytest.raises(Failure) as caught:
        run(longest=60)
    assert (caught.value.cause, caught.value.fix) == (cause, fix)
    assert caught.value.log == CANCELLED
    # And what a cancelled index has left.
    project.said = {**project.said, "invalid": ["note_idx"], "left": ["note_idx"]}
    with pytest.raises(Failure) as caught:
        run(longest=60)
    assert caught.value.cause == f"{cause}; it left an invalid index: note_idx"


@pytest.mark.proves("migrations.timeout")
def test_a_database_that_has_no_bound_is_a_warning(project: Project, run: Migrate) -> None:
    project.said = {"unbounded": ["sqlite"]}
    assert run(longest=60) == ["database.migrationTimeout bounds nothing: the database is sqlite, not PostgreSQL"]


@pytest.mark.proves("migrate.weight")
def test_migrations_have_the_weight_of_what_serves(project: Project, run: Migrate) -> None:
    run()
    assert [job.low_weight for job in project.ran] == [False, False]


def test_a_limit_that_is_refused_is_a_warning(project: Project, run: Migrate) -> None:
    project.said = {"refused": ["unrecognized configuration parameter"]}
    assert run() == [
        "the database refuses lock_timeout (unrecognized configuration parameter): migrations wait for locks without"
        " a limit"
    ]


DROP = "on the server: sudo -u postgres psql shop -c 'DROP INDEX CONCURRENTLY note_idx'"


@pytest.mark.proves("migrate.invalid-index")
@pytest.mark.parametrize(
    ("log", "said", "cause", "fix"),
    [
        (
            LOCKED,
            {"invalid": ["note_idx"], "left": ["note_idx"]},
            "it left an invalid index: note_idx",
            f"{DROP}; then",
        ),
        (IN_THE_WAY, {"invalid": ["note_idx"]}, "note_idx exists already and is invalid", f"{DROP}; then deploy again"),
        # What was invalid before has nothing to do with it.
        (LOCKED, {"invalid": ["note_idx"]}, "a table stayed locked", "run pulumi up again at a quieter time"),
        (IN_THE_WAY, {}, "app.0002_index makes note_idx", "migrate --fake app 0002_index"),
    ],
)
def test_an_invalid_index_is_dropped_and_no_migration_with_it_recorded(
    project: Project, run: Migrate, log: str, said: dict[str, Any], cause: str, fix: str
) -> None:
    project.failing, project.said = {"default": log}, said
    with pytest.raises(Failure, match=re.escape(cause)) as caught:
        run()
    assert fix in caught.value.fix
    assert ("--fake" in caught.value.fix) is (said == {} and log == IN_THE_WAY)


HOLDER = {"lock": "a lock on book", "text": "process 41 (role shop)", "process": 41}
PREPARED = {"lock": "a lock on book", "text": "a prepared transaction (pg_prepared_xacts)", "process": 0}
END = "end what holds it, on the server: sudo -u postgres psql shop -c 'SELECT pg_terminate_backend(41)'; or"


@pytest.mark.proves("migrate.lock-holder")
@pytest.mark.parametrize(
    ("log", "said", "cause", "fix"),
    [
        (LOCKED, {"held": [HOLDER]}, "; it waited for a lock on book, held by process 41 (role shop)", END),
        (LOCKED, {"held": [HOLDER, PREPARED]}, "process 41 (role shop) and a prepared transaction", END),
        (LOCKED, {"held": [PREPARED]}, "held by a prepared transaction", "run pulumi up again at a quieter time"),
        (LOCKED, {}, "a table stayed locked for longer than database.lockTimeout", "run pulumi up again"),
        (CANCELLED, {"held": [HOLDER], "over": ["books.0003_fill"]}, "; it waited for a lock on book", f"{END} change"),
        # It has waited, and then failed for another reason.
        (IN_THE_WAY, {"held": [HOLDER]}, "app.0002_index makes note_idx", "compare both"),
    ],
)
def test_who_held_the_lock_is_named_with_what_ends_it(
    project: Project, run: Migrate, log: str, said: dict[str, Any], cause: str, fix: str
) -> None:
    project.failing, project.said = {"default": log}, said
    with pytest.raises(Failure, match=re.escape(cause)) as caught:
        run(longest=60)
    assert caught.value.fix.startswith(fix)
    assert ("waited for" in caught.value.cause) is (bool(said) and log != IN_THE_WAY)


@pytest.mark.proves("migrate.lock-holder")
def test_an_index_that_was_left_invalid_is_dropped_when_nobody_holds_the_lock(project: Project, run: Migrate) -> None:
    project.failing = {"default": LOCKED}
    project.said = {"held": [HOLDER], "invalid": ["note_idx"], "left": ["note_idx"]}
    with pytest.raises(Failure, match=r"an invalid index: note_idx; it waited for .* process 41") as caught:
        run()
    end = END.removesuffix("or")
    assert (
        caught.value.fix
        == f"{end}then {DROP}; then run pulumi up again at a quieter time, or raise database.lockTimeout"
    )


@pytest.mark.proves("migrate.invalid-index")
def test_an_invalid_index_that_a_migration_skips_is_a_warning(project: Project, run: Migrate) -> None:
    """CREATE INDEX CONCURRENTLY IF NOT EXISTS is content with one."""
    project.said = {"invalid": ['"Note Idx"', "other_idx"]}
    elsewhere = replace(POSTGRES, host="db.example.com")
    [warning] = run(default=elsewhere)
    assert 'invalid indexes, which PostgreSQL keeps and does not use ("Note Idx", other_idx)' in warning
    how = 'REINDEX INDEX CONCURRENTLY "Note Idx"; REINDEX INDEX CONCURRENTLY other_idx'
    assert warning.endswith(f"in the database shop at db.example.com: {how}")


@pytest.mark.proves("migrate.models-ahead")
@pytest.mark.parametrize(
    ("app", "said", "warning"),
    [
        (
            {"app": "notes", "own": True, "changes": ["Create model Note"]},
            [],
            "the models of notes are ahead of its migrations (Create model Note): run manage.py makemigrations notes",
        ),
        (
            {"app": "notes", "own": True, "models": ["A", "B", "C", "D"]},
            [],
            "notes has no migrations, so no tables are made for its models (A, B, C and 1 more): run manage.py",
        ),
        ({"app": "blog", "own": False, "models": ["Post"]}, [], "migrate --run-syncdb to hooks.afterMigrate"),
        ({"app": "blog", "own": False, "changes": ["Alter field id"]}, ["DEFAULT_AUTO_FIELD: blog"], ""),
    ],
)
def test_models_ahead_of_their_migrations_are_named(
    project: Project, run: Migrate, app: dict[str, Any], said: list[str], warning: str
) -> None:
    project.asked["apps"] = [app]
    warnings = run()
    assert [warning in text for text in warnings] == ([True] if warning else [])
    first = run.step.said[: len(said)]  # type: ignore[attr-defined]
    assert [words in text for words, text in zip(said, first, strict=True)] == [True] * len(said)


@pytest.mark.proves("database.collation")
def test_a_collation_that_no_longer_fits_is_a_warning_with_what_to_run(project: Project, run: Migrate) -> None:
    project.asked["databases"][0]["collation"] = ["2.36", "2.41"]
    [warning] = run(default=replace(POSTGRES, host="127.0.0.1", port="5433"))
    assert "the database shop sorts text by version 2.36 of its collation, and the system has 2.41 now" in warning
    assert warning.endswith(
        "on the server: sudo -u postgres psql -p 5433 shop -c 'REINDEX DATABASE \"shop\"'"
        " -c 'ALTER DATABASE \"shop\" REFRESH COLLATION VERSION'"
    )


@pytest.mark.proves("migrations.asked")
def test_all_that_has_work_is_judged_before_anything_is_migrated(
    project: Project, run: Migrate, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = []

    def refuse(
        step: Any, release: Release, aliases: list[str], acknowledged: tuple[str, ...], *_: Any, **__: Any
    ) -> Any:
        judged.append((aliases, acknowledged, [title for title in project.titles if "--check" not in title]))
        return guard.Found(("told",))

    monkeypatch.setattr(guard, "refuse", refuse)
    project.asked["databases"] += [{"alias": "logs"}, {"alias": "users"}, {"alias": "replica", "whyNot": "read-only"}]
    project.pending = {"default", "users"}
    assert run(logs=POSTGRES, users=POSTGRES, acknowledged=("a.0001",)) == ["told"]
    project.pending = set()
    run(logs=POSTGRES, users=POSTGRES, acknowledged=("a.0001",))
    run(logs=POSTGRES, users=POSTGRES)
    assert [aliases for aliases, *_ in judged] == [["default", "users"], ["default"], []]
    assert judged[0][1:] == (("a.0001",), [])


class Rehearsing:
    """Runs each database's plan on a copy, where one is risky."""

    def __init__(self) -> None:
        self.ran: list[Ran] = []
        self.done: list[str] = []

    def __call__(
        self, step: Any, release: Release, alias: str, where: str, wanted: Rehearsal, run: Any, *, is_risky: bool
    ) -> None:
        self.done.append(f"{wanted.wanted} {alias}{where}{' risky' if is_risky else ''}")
        copy = {"name": "copy", "folder": "/run/postgresql", "port": 5432}
        self.ran.append(run(copy, Path("/run/codesensei/rehearsal-shop"), 600))


@pytest.fixture
def rehearsing(monkeypatch: pytest.MonkeyPatch) -> Rehearsing:
    found = Rehearsing()
    monkeypatch.setattr(rehearsal, "rehearse", found)
    verdict = guard.Found((), destroys=True, risky=frozenset({"users"}))
    monkeypatch.setattr(guard, "refuse", lambda *_, **__: verdict)
    return found


@pytest.mark.proves("migrations.rehearsal", "backups.dump")
def test_all_is_rehearsed_before_anything_is_dumped_or_migrated(
    project: Project, run: Migrate, rehearsing: Rehearsing
) -> None:
    """Of the dumps only a few stay: none is made for a plan that is refused."""
    project.asked["databases"] += [{"alias": "users", "work": True}, {"alias": "logs", "work": False}]
    project.asked["databases"][0]["work"] = True
    wanted = Rehearsal("always")
    run(users=POSTGRES, logs=POSTGRES, rehearsed=wanted, dump=lambda: project.ran.append(Job("the dump", [])))
    assert rehearsing.done == ["always default in default", "always users in users risky"]
    assert project.titles == [
        "rehearse migrate in default",
        "rehearse migrate in users",
        "the dump",
        "migrate in default",
        "migrate in users",
    ]


@pytest.mark.proves("migrations.rehearsal", "migrations.rehearsal.kept-away")
def test_the_same_runs_on_the_copy_and_nothing_of_it_is_noted(
    project: Project, run: Migrate, rehearsing: Rehearsing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept and dropped there is in the copy alone."""
    noted: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(defaults, "note", lambda step, alias, *_: noted.append((alias, project.titles)))
    project.said = {"kept": [["book", "note"]], "rehearsal": {"joined": True, "tried": ["x:25"]}}
    run(longest=60)
    first, second = [job for job in project.ran if "--noinput" in job.argv]
    assert noted == [("default", ["migrate --check", first.title, second.title])]
    given = json.loads(first.argv[5])
    assert given.pop("copy") == {"name": "copy", "folder": "/run/postgresql", "port": 5432}
    assert (given, first.argv[:5], first.argv[6:]) == (json.loads(second.argv[5]), second.argv[:5], second.argv[6:])
    assert (first.only_socket, first.seconds) == (Path("/run/codesensei/rehearsal-shop"), 600)
    assert (second.only_socket, first.variables) == (None, {"HOME": "/tmp"})
    [ran] = rehearsing.ran
    assert (ran.said.tried, ran.failure, ran.is_over) == (("x:25",), None, False)


@pytest.mark.proves("migrations.rehearsal")
def test_how_a_run_on_the_copy_fails(project: Project, run: Migrate, rehearsing: Rehearsing) -> None:
    project.failing, project.said = {"default": CANCELLED}, {"over": ["books.0003_fill"], "rehearsal": {"at": "x"}}
    with pytest.raises(Failure):
        run(longest=60)
    [ran] = rehearsing.ran
    assert (ran.said.at, ran.is_over, ran.done.code) == ("x", True, 1)
    assert ran.failure is not None
    assert ran.failure.cause.startswith("the migration books.0003_fill took longer than database.migrationTimeout")


@pytest.mark.proves("migrate.site")
def test_a_site_that_nobody_has_named_is_a_warning(project: Project, run: Migrate) -> None:
    project.said = {"site": ["example.com"]}
    (told,) = run()
    assert told.startswith("the site of SITE_ID is example.com, with which django.contrib.sites begins")
    assert f"{SHOP.manage} shell -c" in told


@pytest.mark.proves("migrate.unfinished")
def test_a_migrate_that_a_signal_has_ended_has_not_ended_well(project: Project, run: Migrate) -> None:
    project.is_ended = True
    with pytest.raises(Failure, match="a signal ended it"):
        run()
    project.is_ended = False
    run()
    assert project.titles.count("migrate") == 2


NO_LOCK = {"migration": "books.0003_note", "at": "1 of 1 (Add field note to book)"}
HELD = {"locked": [NO_LOCK], "held": [HOLDER]}
FIRST = f"Applying books.0002_x... OK\nApplying books.0003_note...\n{LOCKED}"
IN_VAIN = (
    "migrate: books.0003_note did not get a lock on book, held by process 41 (role shop), within 5 s, and is rolled"
    " back: try {} of 4, the next in {} s"
)


@pytest.mark.proves("migrate.lock-tries")
def test_a_migration_without_its_lock_is_tried_again_after_a_pause(project: Project, run: Migrate) -> None:
    project.tries = [(FIRST, HELD), (LOCKED, {"locked": [NO_LOCK]})]
    project.prints = "Applying books.0003_note... OK"
    assert run() == []
    assert project.titles == ["migrate --check", *["migrate"] * 3]
    assert project.paused == [5, 15]
    assert run.step.said == [  # type: ignore[attr-defined]
        IN_VAIN.format(1, 5),
        "migrate: books.0003_note did not get its lock within 5 s, and is rolled back: try 2 of 4, the next in 15 s",
        "migrations have run (2 applied)",
    ]


@pytest.mark.proves("migrate.lock-tries")
def test_after_the_last_try_the_error_says_how_often_it_was(project: Project, run: Migrate) -> None:
    project.tries = [(LOCKED, HELD)] * 9
    with pytest.raises(Failure) as caught:
        run()
    assert (project.titles.count("migrate"), project.paused) == (4, [5, 15, 45])
    assert caught.value.cause == (
        "a table stayed locked for longer than database.lockTimeout, in each of 4 tries; it waited for a lock on book,"
        " held by process 41 (role shop)"
    )
    assert run.step.said == [IN_VAIN.format(*words) for words in ((1, 5), (2, 15), (3, 45))]  # type: ignore[attr-defined]


@pytest.mark.proves("migrate.lock-tries")
def test_a_later_try_may_fail_for_another_reason(project: Project, run: Migrate) -> None:
    project.tries = [(FIRST, HELD), (CANCELLED, {"over": ["books.0003_fill"]})]
    with pytest.raises(Failure) as caught:
        run(longest=60)
    assert "applied before it, and staying so: books.0002_x, books.0002_index\n" in caught.value.cause
    assert caught.value.cause.endswith("that was in try 2: before, it did not get a lock")


@pytest.mark.proves("migrate.lock-tries")
@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, HELD),
        (5, {"held": [HOLDER]}),
        # It has waited for too long, too.
        (5, {**HELD, "over": ["books.0003_note"], "locked": []}),
    ],
)
def test_without_a_limit_or_for_another_reason_it_is_tried_once(
    project: Project, run: Migrate, seconds: int, said: dict[str, Any]
) -> None:
    project.tries = [(LOCKED, said)] * 2
    with pytest.raises(Failure) as caught:
        run(seconds)
    assert (project.titles.count("migrate"), project.paused) == (1, [])
    assert "tries" not in caught.value.cause


@pytest.mark.proves("migrate.lock-tries")
def test_all_tries_together_have_the_time_of_one(
    project: Project, run: Migrate, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.sleep", lambda pause: now.__setitem__(0, now[0] + pause))
    monkeypatch.setattr(jobs, "LONGEST_SECONDS", 25)
    project.tries = [(LOCKED, HELD)] * 9
    with pytest.raises(Failure, match="in each of 3 tries"):
        run()
    assert [job.seconds for job in project.ran[2:]] == [20, 5]


@pytest.mark.proves("migrate.lock-tries")
def test_killed_in_a_pause_it_has_not_ended_well(
    project: Project, run: Migrate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(_: float) -> None:
        raise KeyboardInterrupt

    project.tries = [(LOCKED, HELD)]
    with monkeypatch.context() as patch:
        patch.setattr("time.sleep", end)
        with pytest.raises(KeyboardInterrupt):
            run()
    project.pending = set()
    run()
    assert project.titles == ["migrate --check", "migrate", "migrate"]


@pytest.mark.proves("migrate.lock-tries.safe")
@pytest.mark.parametrize(
    ("locked", "left", "told", "fix"),
    [
        (
            {"whyNot": "no transaction", "at": "2 of 2 (Create index)", "done": ["Add field note to book"]},
            [],
            "it has atomic = False, so parts of it may be applied, and it is not recorded; it failed in operation 2 of"
            " 2 (Create index)\nwhat it did before stays: Add field note to book",
            "; first, see which parts of it are applied, and undo them or let it begin again there",
        ),
        (
            {"whyNot": "no transaction", "at": "1 of 1 (Create index)"},
            ["note_idx"],
            "it has atomic = False, so parts of it may be applied, and it is not recorded; it failed in operation 1 of"
            " 1 (Create index)",
            "",
        ),
        (
            {"whyNot": "own transaction", "at": "5 of 5 (Raw SQL)", "done": ["A", "B", "C", "D"]},
            [],
            "it ends its transaction by itself, so parts of it may be applied, and it is not recorded; it failed in"
            " operation 5 of 5 (Raw SQL)\nwhat it did before stays: A; B; C and 1 more",
            "; first, see which parts of it are applied, and undo them or let it begin again there",
        ),
        (
            {"whyNot": "unrecorded"},
            [],
            "it is applied, and did not get the lock to be recorded in django_migrations",
            "; first, record it by a hook for one deploy: hooks.beforeMigrate: [python manage.py migrate --fake books"
            " 0003_note]",
        ),
    ],
)
def test_what_may_be_applied_in_part_is_named_and_not_tried_again(
    project: Project, run: Migrate, locked: dict[str, Any], left: list[str], told: str, fix: str
) -> None:
    said = {"locked": [{"migration": "books.0003_note", **locked}], "invalid": left, "left": left, "held": [HOLDER]}
    project.tries = [(LOCKED, said)] * 2
    with pytest.raises(Failure) as caught:
        run()
    assert (project.titles.count("migrate"), project.paused) == (1, [])
    assert caught.value.cause.endswith(f"\nthe migration books.0003_note is not tried again by itself: {told}")
    assert ("it left an invalid index: note_idx" in caught.value.cause) is bool(left)
    assert caught.value.fix.startswith("end what holds it")
    assert caught.value.fix.endswith(fix or "or raise database.lockTimeout")


@pytest.mark.proves("migrate.lock-tries.safe")
def test_a_rehearsal_is_not_tried_again(project: Project, run: Migrate, rehearsing: Rehearsing) -> None:
    project.tries = [(LOCKED, HELD)]
    run()
    assert (project.titles, project.paused) == (["migrate --check", "rehearse migrate", "migrate"], [])
    assert rehearsing.ran[0].failure is not None
