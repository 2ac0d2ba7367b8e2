"""Step `prepare`: hooks, migrations and static files of a built release; at its end the release is root's and fixed."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from codesensei.scripts import files, jobs
from codesensei.scripts.install import require
from codesensei.scripts.jobs import Job, Release, note
from codesensei.scripts.seal import seal
from codesensei.scripts.step import Failure, Step
from codesensei.scripts.unpack import archive_of, extract

ORDER = ("beforeMigrate", "afterMigrate", "beforeCollectstatic", "afterCollectstatic")
STATIC_HOOKS = ("beforeCollectstatic", "afterCollectstatic")


def run(step: Step) -> None:
    """Run what comes before the switch, in the contract's order; done once for the same hooks."""
    name, _ = step.args
    data = step.data
    release = Release(step.project, name, data["user"], data["directory"], data["settingsModule"])
    notes = release.notes
    jobs.end_orphans(step)
    if not notes.get("built"):
        raise Failure(f"release {name}", "it is not built on this server", "run pulumi up again")
    if notes.get("prepared") == data:
        step.say(f"release {name} is prepared already")
        return
    hooks = data["hooks"]
    started = time.monotonic()
    _hooks(step, release, "beforeMigrate", hooks["beforeMigrate"])
    _migrate(step, release, data)
    _hooks(step, release, "afterMigrate", hooks["afterMigrate"])
    migrated = time.monotonic()
    _static(step, release, data, notes.get("prepared"))
    seconds = {"migrate": round(migrated - started, 1), "static": round(time.monotonic() - migrated, 1)}
    known = notes.get("seconds")
    assert isinstance(known, dict)
    note(release, {"prepared": data, "seconds": {**known, **seconds}})
    step.changed(f"release {name} is prepared")


def _hooks(step: Step, release: Release, phase: str, commands: list[str]) -> None:
    """Those around the migration run as the app user; those around collectstatic may write code: as the build user."""
    for number, command in enumerate(commands):
        script = step.project.environments / f"{release.name}.{phase}-{number}.sh"
        files.write_file(script, command + "\n", 0o640, "root", release.user)
        title = f"hook {phase}: {command[:60]}"
        job = Job(title, ["/bin/bash", "-e", str(script)], as_build_user=phase in STATIC_HOOKS)
        require(
            jobs.run_job(step, release, job),
            release,
            title,
            "mend the hook and deploy again",
        )
        step.changed(f"hook {phase} has run: {command[:60]}")


def _manage(release: Release, *arguments: str) -> list[str]:
    return [f"{release.venv}/bin/python", "-B", "manage.py", *arguments]


def _migrate(step: Step, release: Release, data: dict[str, Any]) -> None:
    pending = jobs.run_job(step, release, Job("migrate --check", _manage(release, "migrate", "--check")))
    if pending.ok:
        step.say("no migrations to run")
        return
    variables = {"PGOPTIONS": f"-c lock_timeout={data['lockTimeout']}s"} if data["lockTimeout"] else {}
    job = Job("migrate", _manage(release, "migrate", "--noinput"), variables=variables)
    done = jobs.run_job(step, release, job)
    require(
        done,
        release,
        "manage.py migrate",
        "mend the migration and deploy again",
    )
    applied = [line.strip() for line in done.tail.splitlines() if line.strip().endswith("OK")]
    step.changed(f"migrations have run ({len(applied)} applied)")


def _static(step: Step, release: Release, data: dict[str, Any], before: object) -> None:
    hooks = {phase: data["hooks"][phase] for phase in STATIC_HOOKS}
    if isinstance(before, dict):
        if {phase: before["hooks"][phase] for phase in STATIC_HOOKS} == hooks and before["static"] == data["static"]:
            return
        _begin_anew(step, release)
    public = None
    _hooks(step, release, "beforeCollectstatic", hooks["beforeCollectstatic"])
    facts = release.notes["facts"]
    assert isinstance(facts, dict)
    if data["static"] == "serve" and facts["installedStaticfiles"]:
        public = Path(os.path.realpath(release.code / facts["STATIC_ROOT"]))
        argv = _manage(release, "collectstatic", "--noinput")
        job = Job("collectstatic", argv, as_build_user=True)
        require(
            jobs.run_job(step, release, job), release, "manage.py collectstatic", "mend what it names and deploy again"
        )
        step.changed("static files are collected")
    _hooks(step, release, "afterCollectstatic", hooks["afterCollectstatic"])
    compile_all = [f"{release.venv}/bin/python", "-m", "compileall", "-q", "."]
    jobs.run_job(step, release, Job("compile", compile_all, as_build_user=True, directory=release.path))
    jobs.end_build_user(step)
    seal(release.path, step.project.build_user, release.user, public)
    _add_own_folder(release, public)


def _begin_anew(step: Step, release: Release) -> None:
    """The release's code as it was before any hook has written to it; never for one that visitors are served from."""
    links = (release.project.current, release.project.previous)
    if release.name in [Path(target).name for link in links if (target := files.link_target(link))]:
        raise Failure(
            f"release {release.name}",
            "it is being served from, so hooks that write its files cannot run in it again",
            "set project.rebuild to any new text: a new release is made, and the changed hooks run in it",
        )
    note(release, {"prepared": None})
    extract(step, release, archive_of(step, str(release.notes["revision"])))


def _add_own_folder(release: Release, public: Path | None) -> None:
    """`.codesensei` in the sealed release: where env file, venv and static files of this release are."""
    inside = release.project.inside(release.name)
    revision = f"{release.notes['revision']}\n"
    files.remove_path(inside)
    files.make_directory(inside, 0o751)
    files.make_link(inside / "env", f"../../../env/{release.project.env_file(release.name).name}")
    files.make_link(inside / "venv", f"../../../venvs/{release.venv.name}")
    if public and public.is_dir():
        files.make_link(inside / "static", os.path.relpath(public, inside))
    files.write_file(inside / "REVISION", revision, 0o644)
    if not os.path.lexists(release.path / "REVISION"):
        files.write_file(release.path / "REVISION", revision, 0o640, "root", release.user)
    os.chmod(release.path, 0o751)
