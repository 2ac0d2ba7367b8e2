"""What runs for a release before the switch, and what is left out: the programs are told apart by their titles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base.step import Failure, read_json, write_json
from codesensei.scripts.release import jobs, settings, twins
from codesensei.scripts.release.jobs import Job, JobResult
from codesensei.scripts.release.release import Release
from codesensei.scripts.steps import build, prepare

NAME, REVISION = "1234567-89abcde", "1234567" + "0" * 33
HOOKS: dict[str, list[str]] = {phase: [] for phase in prepare.ORDER}


class Programs:
    """Programs of a project that do nothing but end as they are told to."""

    def __init__(self) -> None:
        self.ran: list[Job] = []
        self.failing: set[str] = set()

    def run(self, step: Any, release: Any, job: Job) -> JobResult:
        self.ran.append(job)
        return JobResult(
            int(job.title in self.failing), "", Path("log"), answer='{"STATIC_ROOT": "static", "debug": false}'
        )

    @property
    def titles(self) -> list[str]:
        return [job.title for job in self.ran]


@pytest.fixture
def programs(server: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    found = Programs()
    monkeypatch.setattr(jobs, "run_job", found.run)
    for name in ("end_orphans", "end_build_user", "make_home"):
        monkeypatch.setattr(jobs, name, lambda *_: None)
    for name in ("seal", "_add_own_folder"):
        monkeypatch.setattr(prepare, name, lambda *_: None)
    return found


def run_prepare(
    make_step: Any,
    notes: dict[str, Any] | None = None,
    databases: dict[str, dict[str, str]] | None = None,
    **changes: Any,
) -> None:
    """Prepare a release that is built; `notes` is what is known of it, when it is not new."""
    data = {"user": "deploy", "directory": ".", "settingsModule": "config.settings", "hooks": HOOKS, "static": "serve"}
    step = make_step("prepare", NAME, REVISION, **{**data, "lockTimeout": 5, **changes})
    facts = {"STATIC_ROOT": "static", "installedStaticfiles": True, "databases": databases or {}}
    step.project.record(NAME).parent.mkdir(parents=True, exist_ok=True)
    built = {"built": True, "revision": REVISION, "facts": facts, "seconds": {}}
    write_json(step.project.record(NAME), notes or built)
    prepare.run(step)


@pytest.mark.proves("migrate.skipped")
@pytest.mark.parametrize("pending", [False, True])
def test_migrate_runs_only_where_the_check_finds_something(programs: Programs, make_step: Any, pending: bool) -> None:
    programs.failing = {"migrate --check"} if pending else set()
    run_prepare(make_step)
    assert programs.titles[0] == "migrate --check"
    assert ("migrate" in programs.titles) is pending
    assert programs.ran[0].argv[-2:] == ["migrate", "--check"]
    if pending:
        assert programs.ran[1].argv[-2:] == ["migrate", "--noinput"]


def test_a_sqlite_file_is_made_for_nobody_else_to_read(programs: Programs, make_step: Any, tmp_path: Path) -> None:
    there, absent = tmp_path / "there.sqlite3", tmp_path / "absent.sqlite3"
    there.touch()
    names = {"default": str(absent), "old": str(there), "memory": ":memory:", "unset": ""}
    sqlite = {alias: {"ENGINE": "django.db.backends.sqlite3", "NAME": name} for alias, name in names.items()}
    postgresql = {"ENGINE": "django.db.backends.postgresql", "NAME": "shop"}
    run_prepare(make_step, databases={**sqlite, "postgresql": postgresql})
    made = [job for job in programs.ran if job.title == "make the SQLite file"]
    assert programs.ran[0] is made[0]
    assert [job.argv[-1] for job in made] == [str(absent)]
    assert not made[0].as_build_user
    assert made[0].private


@pytest.mark.proves("config.static")
@pytest.mark.parametrize("static", ["serve", "none"])
def test_static_files_are_collected_only_where_they_are_served(programs: Programs, make_step: Any, static: str) -> None:
    run_prepare(make_step, static=static)
    assert ("collectstatic" in programs.titles) is (static == "serve")


@pytest.mark.proves("config.lock-timeout")
@pytest.mark.parametrize(("seconds", "variables"), [(5, {"PGOPTIONS": "-c lock_timeout=5s"}), (0, {})])
def test_a_migration_waits_for_a_lock_so_long(
    programs: Programs, make_step: Any, seconds: int, variables: dict[str, str]
) -> None:
    programs.failing = {"migrate --check"}
    run_prepare(make_step, lockTimeout=seconds)
    [job] = [job for job in programs.ran if job.title == "migrate"]
    assert job.variables == variables


@pytest.mark.proves("source.marker", "deps.root")
@pytest.mark.parametrize("lost", ["", "notes", "code", "packages"])
def test_a_release_is_used_only_when_all_of_it_is_marked_complete(
    programs: Programs, make_step: Any, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """A run that was cut off leaves no mark, and what it made is made again."""
    made: list[str] = []
    monkeypatch.setattr(build, "unpack", lambda *_: made.append("code"))
    monkeypatch.setattr(build, "install", lambda *_: made.append("packages"))
    monkeypatch.setattr(build, "_check", lambda *_: None)
    data = {"user": "deploy", "directory": ".", "settingsModule": "config.settings", "source": {}, "static": "none"}
    step = make_step("build", NAME, REVISION, **data)
    release = Release(step.project, NAME, "deploy", ".", "config.settings")
    step.project.record(NAME).parent.mkdir(parents=True)
    write_json(step.project.record(NAME), {"built": lost != "notes", "venv": "v", "facts": {}})
    if lost != "code":
        release.path.mkdir(parents=True)
    release.venv.mkdir(parents=True)
    if lost != "packages":
        (release.venv / ".complete").touch()
    build.run(step)
    assert made == (["code", "packages"] if lost else [])
    assert release.notes["built"] is True


def test_static_root_is_there_before_the_project_makes_sure_of_it(
    programs: Programs, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`os.makedirs(STATIC_ROOT, exist_ok=True)` is common in settings, and the app user may not do it in a release."""
    for name in ("unpack", "install", "_check"):
        monkeypatch.setattr(build, name, lambda *_: None)
    facts = {"installedStaticfiles": True, "STATIC_ROOT": "staticfiles", "debug": False}
    monkeypatch.setattr(settings, "ask", lambda *_: facts)
    data = {"user": "deploy", "directory": ".", "settingsModule": "config.settings", "source": {}, "static": "serve"}
    step = make_step("build", NAME, REVISION, **data)
    step.project.record(NAME).parent.mkdir(parents=True)
    build.run(step)
    [job] = programs.ran
    assert list(job.argv) == ["mkdir", "-p", f"{step.project.release(NAME)}/staticfiles"]
    assert job.as_build_user


@pytest.mark.parametrize("link", ["current", "previous"])
def test_what_is_served_from_is_left_alone(
    programs: Programs, make_step: Any, monkeypatch: pytest.MonkeyPatch, link: str
) -> None:
    """A changed hook around collectstatic gets a directory of its own, with the code as it was committed."""
    extracted: list[Path] = []

    def extract(step: Any, release: Release, archive: Path) -> None:
        extracted.append(release.place)
        release.place.mkdir(parents=True)

    monkeypatch.setattr(prepare, "extract", extract)
    project = make_step("prepare", NAME, REVISION).project
    project.release(NAME).mkdir(parents=True)
    project.environments.mkdir()
    (project.root / link).symlink_to(f"releases/{NAME}")
    # What a server has lost and built again is completed where it is.
    run_prepare(make_step)
    assert extracted == []
    run_prepare(make_step, read_json(project.record(NAME), {}), hooks={**HOOKS, "afterCollectstatic": ["new"]})
    assert extracted == [project.twin(NAME)]
    assert twins.waits(project, NAME)
    assert programs.titles[-2:] == ["hook afterCollectstatic: new", "compile"]


def test_hooks_as_they_were_bring_back_what_serves(
    programs: Programs, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The switch to the changed ones has failed, and the stack file is as it was."""
    monkeypatch.setattr(prepare, "extract", lambda step, release, archive: release.place.mkdir(parents=True))
    run_prepare(make_step)
    project = make_step("prepare", NAME, REVISION).project
    project.release(NAME).mkdir(parents=True)
    project.current.symlink_to(f"releases/{NAME}")
    project.environments.mkdir()
    notes = read_json(project.record(NAME), {})
    run_prepare(make_step, notes=notes, hooks={**HOOKS, "afterCollectstatic": ["new"]})
    assert twins.waits(project, NAME)
    ran = len(programs.ran)
    run_prepare(make_step, notes=read_json(project.record(NAME), {}))
    assert not project.twin(NAME).exists()
    assert "collectstatic" not in programs.titles[ran:]


@pytest.mark.parametrize("moment", ["hook beforeCollectstatic: new", "hook afterCollectstatic: new"])
def test_static_files_out_of_the_release_are_not_served(
    programs: Programs, make_step: Any, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """A hook may write in its release, and so make a link of STATIC_ROOT, also when the files are collected."""
    project = make_step("prepare", NAME, REVISION).project
    project.release(NAME).mkdir(parents=True)
    project.environments.mkdir()

    def run(step: Any, release: Release, job: Job) -> JobResult:
        if job.title == moment:
            (release.place / "static").symlink_to("/etc")
        return programs.run(step, release, job)

    monkeypatch.setattr(jobs, "run_job", run)
    around = {"beforeCollectstatic": ["new"], "afterCollectstatic": ["new"]}
    with pytest.raises(Failure, match="leads out of the release"):
        run_prepare(make_step, hooks={**HOOKS, **around})
