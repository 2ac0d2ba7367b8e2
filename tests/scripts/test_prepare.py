"""What runs for a release before the switch, and what is left out: the programs are told apart by their titles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.backups import copies
from codesensei.scripts.base.commands import as_user
from codesensei.scripts.base.step import Failure
from codesensei.scripts.postgres import ownership
from codesensei.scripts.release import databases, guard, jobs, prepare, record, settings, static_files
from codesensei.scripts.release.databases import Asked, Database
from codesensei.scripts.release.jobs import Job, JobResult
from codesensei.scripts.release.record import DatabaseFacts, Facts
from codesensei.scripts.release.rehearsal import Rehearsal
from codesensei.scripts.release.release import Release
from codesensei.scripts.steps import build
from codesensei.wire import codec
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.steps import Hooks
from tests.scripts.examples import BUILD, FACTS, NAME, REVISION, database_facts

SHOP = ProjectPaths("shop")
ASKED = Asked(databases=(Database(alias="default", work=False),))


class Programs:
    """Programs of a project that do nothing but end as they are told to."""

    def __init__(self) -> None:
        self.ran: list[Job] = []
        self.others: list[list[str]] = []
        self.failing: set[str] = set()
        self.says: dict[str, str] = {}

    def run(self, step: Any, release: Any, job: Job) -> JobResult:
        if job.title == "ask Django for its databases":
            return JobResult(0, "", Path("log"), answer='{"databases": [{"alias": "default"}]}')
        self.ran.append(job)
        answer = "{}" if job.title == "migrate" else ""
        return JobResult(int(job.title in self.failing), self.says.get(job.title, ""), Path("log"), answer=answer)

    @property
    def titles(self) -> list[str]:
        return [job.title for job in self.ran]


@pytest.fixture
def programs(server: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    found = Programs()
    monkeypatch.setattr(jobs, "run_job", found.run)
    monkeypatch.setattr(jobs, "run", lambda argv, thing: found.others.append(argv))
    for name in ("end_orphans", "end_build_user", "make_home", "wait_for_disk"):
        monkeypatch.setattr(jobs, name, lambda *_: None)
    for name in ("seal", "_add_own_folder"):
        monkeypatch.setattr(prepare, name, lambda *_: None)
    SHOP.record(NAME).parent.mkdir(parents=True)
    SHOP.environments.mkdir(parents=True)
    return found


def make_built(facts: Facts = FACTS) -> None:
    """A release that is built."""
    record.begin(SHOP, NAME, revision=REVISION, settings_module="config.settings", user="deploy")
    record.built(SHOP, NAME, facts, {})


def run_prepare(make_step: Any, asked: Asked | None = None, **changes: Any) -> None:
    """Prepare the release with other data than usual."""
    release = Release(SHOP, NAME, "deploy", ".", "config.settings")
    prepare.prepare(make_step("build", NAME, REVISION, data=replace(BUILD, **changes)), release, asked, lambda: None)


def test_a_sqlite_file_is_made_for_nobody_else_to_read(programs: Programs, make_step: Any, tmp_path: Path) -> None:
    there, absent = tmp_path / "there.sqlite3", tmp_path / "absent.sqlite3"
    there.touch()
    names = {"default": str(absent), "old": str(there), "memory": ":memory:", "unset": ""}
    databases: dict[str, DatabaseFacts] = {
        alias: database_facts("django.db.backends.sqlite3", name) for alias, name in names.items()
    }
    databases["postgresql"] = database_facts("django.db.backends.postgresql", "shop")
    make_built(replace(FACTS, databases=databases))
    run_prepare(make_step)
    made = [job for job in programs.ran if job.title == "make the SQLite file"]
    assert programs.ran[0] is made[0]
    assert [job.argv[-1] for job in made] == [str(absent)]
    assert not made[0].as_build_user
    assert made[0].private


@pytest.mark.proves("config.static", "collectstatic")
@pytest.mark.parametrize("static", ["serve", "none"])
def test_static_files_are_collected_only_where_they_are_served(programs: Programs, make_step: Any, static: str) -> None:
    make_built()
    run_prepare(make_step, static=static)
    collected = [(job.argv[-2:], job.directory) for job in programs.ran if job.title == "collectstatic"]
    assert collected == ([(["collectstatic", "--noinput"], None)] if static == "serve" else [])


@pytest.mark.proves("cache.table")
@pytest.mark.parametrize(
    ("printed", "lacking"),
    [
        ('BEGIN;\nCREATE TABLE "entries" (\nCREATE TABLE `spirit_rl_cache` (', "entries, spirit_rl_cache"),
        ('CREATE TABLE "entries" (\nCREATE INDEX "entries_expires" ON "entries"', "entries"),
        ('CREATE TABLE "entries_too" (', ""),
        ("", ""),
    ],
)
def test_a_cache_without_its_table_ends_the_deploy(
    programs: Programs, make_step: Any, printed: str, lacking: str
) -> None:
    """Spirit was green, and registering and logging in answered 500."""
    programs.says["look for the cache's tables"] = printed
    make_built(replace(FACTS, cache_tables=("entries", "spirit_rl_cache")))
    if lacking:
        with pytest.raises(Failure) as caught:
            run_prepare(make_step)
        assert f"in the table {lacking}, which migrate does not make" in caught.value.cause
        assert caught.value.fix == "set project.hooks.afterMigrate: [python manage.py createcachetable]"
    else:
        run_prepare(make_step)
    titles = programs.titles
    assert titles.count("look for the cache's tables") == 1


@pytest.mark.proves("cache.table")
def test_tables_are_looked_for_after_the_hooks_and_only_where_there_is_such_a_cache(
    programs: Programs, make_step: Any
) -> None:
    make_built(replace(FACTS, cache_tables=("entries",)))
    run_prepare(make_step, hooks=Hooks(after_migrate=("python manage.py createcachetable",)))
    assert [title for title in programs.titles if "cache" in title] == [
        "hook afterMigrate: python manage.py createcachetable",
        "look for the cache's tables",
    ]
    make_built()
    programs.ran.clear()
    run_prepare(make_step)
    assert not any("cache" in title for title in programs.titles)


@pytest.mark.proves("migrate.models-ahead")
def test_what_migrate_warns_of_is_kept_for_the_switch(
    programs: Programs, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "migrate", lambda *_, **__: ["notes has no migrations"])
    make_built()
    run_prepare(make_step)
    assert record.read(SHOP, NAME).warnings == ("notes has no migrations",)


@pytest.mark.proves("migrations.rollback")
def test_a_release_that_is_prepared_already_may_be_too_old(
    programs: Programs, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(guard, "refuse_older", lambda _, release, names: asked.append((release.name, names)))
    make_built()
    record.prepared(SHOP, NAME, {})
    run_prepare(make_step, acknowledge_migrations=("books.0003_drop_price",))
    assert asked == [(NAME, ("books.0003_drop_price",))]


@pytest.mark.proves("migrate.skipped")
@pytest.mark.parametrize(
    ("hooks", "first", "again"),
    [
        (Hooks(), "afterMigrate", False),
        (Hooks(), "beforeMigrate", False),
        (Hooks(before_migrate=("./sync",)), "afterMigrate", True),
        (Hooks(after_migrate=("./sync",)), "afterMigrate", False),
        (Hooks(before_collectstatic=("./sync",), after_collectstatic=("./sync",)), "afterMigrate", False),
        (Hooks(before_collectstatic=("./sync",)), "beforeMigrate", True),
        (Hooks(after_collectstatic=("./sync",)), "beforeMigrate", True),
    ],
)
def test_databases_are_asked_again_only_after_a_hook(
    programs: Programs, make_step: Any, monkeypatch: pytest.MonkeyPatch, hooks: Hooks, first: str, again: bool
) -> None:
    """What was found with the settings holds until something may have changed the tables."""
    asked: list[str] = []

    def ask(*_: object) -> Asked:
        asked.extend(programs.titles)
        return Asked(databases=(Database(alias="default", work=True),))

    monkeypatch.setattr(databases, "ask", ask)
    make_built()
    run_prepare(make_step, ASKED, hooks=hooks, collectstatic=first)
    assert any("./sync" in title for title in asked) == again
    assert ("migrate" in programs.titles) == again


@pytest.mark.proves("hooks.order")
def test_hooks_run_in_the_order_of_the_contract(programs: Programs, make_step: Any) -> None:
    programs.failing = {"migrate --check"}
    make_built()
    run_prepare(
        make_step,
        hooks=Hooks(
            before_migrate=("one",),
            after_migrate=("two", "three"),
            before_collectstatic=("four",),
            after_collectstatic=("five",),
        ),
    )
    assert programs.titles == [
        "hook beforeMigrate: one",
        "migrate --check",
        "migrate",
        "hook afterMigrate: two",
        "hook afterMigrate: three",
        "hook beforeCollectstatic: four",
        "collectstatic",
        "hook afterCollectstatic: five",
        "compile",
    ]
    assert [job.as_build_user for job in programs.ran] == [False, False, False, False, False, True, True, True, True]


@pytest.mark.proves("config.collectstatic")
def test_static_files_are_collected_before_migrations_where_the_stack_says_so(
    programs: Programs, make_step: Any
) -> None:
    programs.failing = {"migrate --check"}
    make_built()
    hooks = Hooks(before_migrate=("1",), after_migrate=("2",), before_collectstatic=("3",), after_collectstatic=("4",))
    run_prepare(make_step, collectstatic="beforeMigrate", hooks=hooks)
    assert programs.titles == [
        "hook beforeCollectstatic: 3",
        "collectstatic",
        "hook afterCollectstatic: 4",
        "hook beforeMigrate: 1",
        "migrate --check",
        "migrate",
        "hook afterMigrate: 2",
        "compile",
    ]
    assert record.read(SHOP, NAME).seconds.keys() == {"migrate", "static"}


@pytest.mark.proves("build.compiled")
@pytest.mark.parametrize(
    ("hooks", "state", "again"),
    [
        (Hooks(), "built", False),
        (Hooks(), "preparing", True),
        (Hooks(before_migrate=("./sync",)), "built", True),
        (Hooks(after_collectstatic=("./sync",)), "built", True),
    ],
)
def test_modules_are_compiled_again_where_others_may_be_there(
    programs: Programs, make_step: Any, monkeypatch: pytest.MonkeyPatch, hooks: Hooks, state: str, again: bool
) -> None:
    monkeypatch.setattr(prepare, "extract", lambda *_: None)
    make_built()
    if state == "preparing":
        record.preparing(SHOP, NAME)
    run_prepare(make_step, hooks=hooks)
    assert (programs.titles[-1] == "compile") == ("compile" in programs.titles) == again


@pytest.mark.proves("hooks.failing")
@pytest.mark.parametrize("phase", ["beforeMigrate", "afterMigrate", "beforeCollectstatic", "afterCollectstatic"])
def test_a_failing_hook_ends_the_release_there(programs: Programs, make_step: Any, phase: str) -> None:
    programs.failing = {f"hook {phase}: false"}
    make_built()
    with pytest.raises(Failure, match=f"hook {phase}: false") as caught:
        run_prepare(make_step, hooks=codec.decode(Hooks, {phase: ["false"]}, "hooks"))
    assert caught.value.fix == "fix the hook and deploy again"
    assert programs.titles[-1] == f"hook {phase}: false"
    assert record.read(SHOP, NAME).state == "preparing"


@pytest.mark.proves("config.rehearse")
def test_what_the_stack_file_says_of_rehearsals(
    programs: Programs, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Rehearsal] = []

    def migrate(*_: object, rehearsed: Rehearsal, **__: object) -> list[str]:
        given.append(rehearsed)
        return []

    monkeypatch.setattr(prepare, "migrate", migrate)
    monkeypatch.setattr(build, "_is_built", lambda release: True)
    monkeypatch.setattr(build, "_check", lambda *_: None)
    (SHOP.memory / "database").mkdir(parents=True)
    ownership.apply(SHOP, ownership.Applied(name="shop", role="owner", port=5433))
    make_built()
    build.run(make_step("build", NAME, REVISION, data=replace(BUILD, rehearse="always")))
    [found] = given
    assert (found.wanted, type(found.original)) == ("always", copies.Original)


@pytest.mark.proves("words.release.immutable")
@pytest.mark.parametrize("state", ["prepared", "served"])
def test_a_release_that_is_made_is_never_changed(programs: Programs, make_step: Any, state: str) -> None:
    make_built()
    record.prepared(SHOP, NAME, {})
    if state == "served":
        record.served(SHOP, NAME)
    before = SHOP.record(NAME).read_bytes()
    run_prepare(make_step, lock_timeout=9)
    assert programs.ran == []
    assert SHOP.record(NAME).read_bytes() == before


@pytest.mark.parametrize("cut_off", ["killed", "failed", "abandoned"])
def test_a_run_that_was_cut_off_gets_its_code_again(
    programs: Programs, make_step: Any, monkeypatch: pytest.MonkeyPatch, cut_off: str
) -> None:
    """A hook around collectstatic may have changed it."""
    extracted: list[Path] = []
    monkeypatch.setattr(prepare, "extract", lambda step, release, archive: extracted.append(archive))
    make_built()
    record.preparing(SHOP, NAME)
    if cut_off == "failed":
        record.failed(SHOP, NAME, "build")
    if cut_off == "abandoned":
        record.abandon_others(SHOP, "another-release")
    run_prepare(make_step)
    assert extracted == [SHOP.archive(REVISION)]
    assert record.read(SHOP, NAME).state == "prepared"
    assert record.read(SHOP, NAME).failed == ""


def run_build(make_step: Any, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> list[str]:
    """Build the release; what of it was made."""
    made: list[str] = []
    monkeypatch.setattr(build, "unpack", lambda *_: made.append("code"))
    monkeypatch.setattr(build, "install", lambda *_: made.append("packages"))
    monkeypatch.setattr(build, "_check", lambda *_: None)
    monkeypatch.setattr(settings, "ask_all", lambda *_: (FACTS, ASKED))
    monkeypatch.setattr(
        build, "prepare", lambda step, release, asked, *_: made.append("not asked" if asked is None else "asked")
    )
    build.run(make_step("build", NAME, REVISION, data=replace(BUILD, **changes)))
    return made


def make_whole() -> Release:
    """A release of which everything is there."""
    make_built()
    record.uses(SHOP, NAME, "v")
    release = Release(SHOP, NAME, "deploy", ".", "config.settings")
    release.path.mkdir(parents=True)
    release.venv.mkdir(parents=True)
    (release.venv / ".complete").touch()
    return release


@pytest.mark.proves("source.marker", "deps.root")
@pytest.mark.parametrize("lost", ["", "record", "code", "packages"])
def test_a_release_is_used_only_when_all_of_it_is_marked_complete(
    programs: Programs, make_step: Any, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """A run that was cut off leaves no mark, and what it made is made again."""
    release = make_whole()
    if lost == "record":
        record.begin(SHOP, NAME, revision=REVISION, settings_module="config.settings", user="deploy")
    if lost == "code":
        release.path.rmdir()
    if lost == "packages":
        (release.venv / ".complete").unlink()
    made = run_build(make_step, monkeypatch)
    assert made == (["code", "packages", "asked"] if lost else ["not asked"])
    assert release.record.state == "built"


@pytest.mark.parametrize("change", [{"settings_module": "config.other"}, {"user": "shop"}])
def test_a_release_that_never_served_is_made_again_for_other_settings(
    programs: Programs, make_step: Any, monkeypatch: pytest.MonkeyPatch, change: dict[str, str]
) -> None:
    release = make_whole()
    assert run_build(make_step, monkeypatch, **change) == ["code", "packages", "asked"]
    assert (release.record.settings_module, release.record.user) == (
        change.get("settings_module", "config.settings"),
        change.get("user", "deploy"),
    )


@pytest.mark.proves("words.release.immutable")
@pytest.mark.parametrize("link", ["current", "previous"])
def test_a_release_that_serves_is_not_made_again_for_other_settings(
    programs: Programs, make_step: Any, monkeypatch: pytest.MonkeyPatch, link: str
) -> None:
    make_whole()
    (SHOP.root / link).symlink_to(f"releases/{NAME}")
    with pytest.raises(Failure, match="a release never changes") as caught:
        run_build(make_step, monkeypatch, settings_module="config.other")
    assert caught.value.fix == "set project.rebuild: config.other, so that a new release is made"


def test_another_release_abandons_those_that_never_served(
    programs: Programs, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = {"aaaaaaa-1111111": record.served, "bbbbbbb-1111111": None}
    for name, transition in states.items():
        record.begin(SHOP, name, revision=REVISION, settings_module="config.settings", user="deploy")
        if transition:
            transition(SHOP, name)
    run_build(make_step, monkeypatch)
    assert [record.read(SHOP, name).state for name in states] == ["served", "abandoned"]


def test_static_root_is_there_before_the_project_makes_sure_of_it(
    programs: Programs, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`os.makedirs(STATIC_ROOT, exist_ok=True)` is common in settings, and the app user may not do it in a release."""
    run_build(make_step, monkeypatch)
    assert programs.others == [as_user(SHOP.build_user, "mkdir", "-p", f"{SHOP.release(NAME)}/static", group="deploy")]


@pytest.mark.parametrize("moment", ["hook beforeCollectstatic: new", "hook afterCollectstatic: new"])
def test_static_files_out_of_the_release_are_not_served(
    programs: Programs, make_step: Any, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """A hook may write in its release, and so make a link of STATIC_ROOT, also when the files are collected."""
    SHOP.release(NAME).mkdir(parents=True)
    make_built()

    def run(step: Any, release: Release, job: Job) -> JobResult:
        if job.title == moment:
            (release.path / "static").symlink_to("/etc")
        return programs.run(step, release, job)

    monkeypatch.setattr(jobs, "run_job", run)
    with pytest.raises(Failure, match="leads out of the release"):
        run_prepare(make_step, hooks=Hooks(before_collectstatic=("new",), after_collectstatic=("new",)))


@pytest.mark.proves("paths.releases.revision")
@pytest.mark.parametrize("own", [False, True])
def test_the_commit_is_named_beside_the_code(server: Path, own: bool) -> None:
    """Also where the project has a file of this name, which stays its own."""
    SHOP.record(NAME).parent.mkdir(parents=True)
    make_built()
    release = Release(SHOP, NAME, "deploy", ".", "config.settings")
    release.path.mkdir(parents=True)
    if own:
        (release.path / "REVISION").write_text("the project's\n")
    prepare._add_own_folder(release, None)
    assert (SHOP.own_folder(NAME) / "REVISION").read_text() == f"{REVISION}\n"
    assert (release.path / "REVISION").read_text() == ("the project's\n" if own else f"{REVISION}\n")


@pytest.mark.proves("static.absent", "static.kept-names")
@pytest.mark.parametrize("first", ["beforeMigrate", "afterMigrate"])
def test_what_is_found_of_static_files_is_kept_for_the_switch(
    programs: Programs, make_step: Any, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    made = programs.run
    absent = "?: (staticfiles.W004) The directory '/opt/x' in the STATICFILES_DIRS setting does not exist."

    def run(step: Any, release: Release, job: Job) -> JobResult:
        return replace(made(step, release, job), tail=absent if job.title == "collectstatic" else "")

    monkeypatch.setattr(jobs, "run_job", run)
    monkeypatch.setattr(static_files, "kept_names", lambda release, public: ["some have kept their names"])
    make_built()
    run_prepare(make_step, collectstatic=first)
    first_told, second_told = record.read(SHOP, NAME).warnings
    assert first_told.startswith("there is no /opt/x, which STATICFILES_DIRS names")
    assert second_told == "some have kept their names"
