"""Step `prepare`: hooks, migrations and static files of a built release; at its end the release is root's and fixed."""

from __future__ import annotations

import os
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from codesensei.scripts.base import files
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.release import jobs, twins
from codesensei.scripts.release.checks import inside, is_sqlite, sqlite_path
from codesensei.scripts.release.install import require
from codesensei.scripts.release.jobs import Job
from codesensei.scripts.release.release import Release
from codesensei.scripts.release.seal import seal
from codesensei.scripts.release.unpack import OWN_FOLDER, archive_of, extract

ORDER = ("beforeMigrate", "afterMigrate", "beforeCollectstatic", "afterCollectstatic")
STATIC_HOOKS = ("beforeCollectstatic", "afterCollectstatic")
# Large projects begin with many hundreds of migrations, some of which say more than their name.
MIGRATE_LINES = 20_000
APPLIED = re.compile(r"^\s*Applying \S+\.\.\.", re.MULTILINE)
MIGRATION_FRAME = re.compile(r'File "[^"]+/migrations/\d\w*\.py"')


def run(step: Step[object]) -> None:
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
    _make_sqlite_files(step, release)
    _hooks(step, release, "beforeMigrate", hooks["beforeMigrate"])
    _migrate(step, release, data)
    _hooks(step, release, "afterMigrate", hooks["afterMigrate"])
    migrated = time.monotonic()
    used = _static(step, release, data, notes.get("prepared"))
    seconds = {"migrate": round(migrated - started, 1), "static": round(time.monotonic() - migrated, 1)}
    known = notes.get("seconds")
    assert isinstance(known, dict)
    waits = {"twin": twins.identity(used.place)} if used.anew else {}
    note(release, {"prepared": data, "seconds": {**known, **seconds}, **waits})
    step.changed(f"release {name} is prepared")


def _hooks(step: Step[object], release: Release, phase: str, commands: list[str]) -> None:
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


def _make_sqlite_files(step: Step[object], release: Release) -> None:
    """What the app user makes may be read by others, for the proxy has to; a database may not, nor its journals."""
    for database in _facts(release)["databases"].values():
        path = sqlite_path(database["NAME"]) if is_sqlite(database) else None
        if path and not os.path.lexists(os.path.join(release.code, path)):
            # Where it cannot be made, migrate says why.
            jobs.run_job(step, release, Job("make the SQLite file", ["touch", "--", path], private=True))


def _manage(release: Release, *arguments: str) -> list[str]:
    return [f"{release.venv}/bin/python", "-B", "manage.py", *arguments]


def _migrate(step: Step[object], release: Release, data: dict[str, Any]) -> None:
    pending = jobs.run_job(step, release, Job("migrate --check", _manage(release, "migrate", "--check")))
    if pending.ok:
        step.say("no migrations to run")
        return
    variables = {"PGOPTIONS": f"-c lock_timeout={data['lockTimeout']}s"} if data["lockTimeout"] else {}
    job = Job("migrate", _manage(release, "migrate", "--noinput"), variables=variables, lines=MIGRATE_LINES)
    done = jobs.run_job(step, release, job)
    what = "the migration" if MIGRATION_FRAME.search(done.tail) else "what it names"
    require(done, release, "manage.py migrate", f"mend {what} and deploy again")
    step.changed(f"migrations have run ({len(APPLIED.findall(done.tail))} applied)")


def _static(step: Step[object], release: Release, data: dict[str, Any], before: object) -> Release:
    """Static files and the hooks around them; gives the release with the directory that it has put them into."""
    if isinstance(before, dict) and _makes(before) == _makes(data):
        return release
    serving = _of_served(release)
    if serving and twins.waits(step.project, release.name) and _makes(serving) == _makes(data):
        note(release, {"twin": None})
        step.converge(files.remove_path(step.project.twin(release.name)), "what serves is what these hooks make")
        return release
    release = _with_clean_code(step, release)
    _hooks(step, release, "beforeCollectstatic", data["hooks"]["beforeCollectstatic"])
    collected = _collect(step, release, data)
    _hooks(step, release, "afterCollectstatic", data["hooks"]["afterCollectstatic"])
    compile_all = [f"{release.venv}/bin/python", "-m", "compileall", "-q", "."]
    jobs.run_job(step, release, Job("compile", compile_all, as_build_user=True, directory=release.path))
    jobs.end_build_user(step)
    public = _public(release) if collected else None
    seal(release.place, step.project.build_user, release.user, public)
    _add_own_folder(release, public)
    return release


def _facts(release: Release) -> dict[str, Any]:
    """What Django has said of its settings."""
    facts = release.notes["facts"]
    assert isinstance(facts, dict)
    return facts


def _collect(step: Step[object], release: Release, data: dict[str, Any]) -> bool:
    """Run collectstatic, where the proxy serves static files; whether it does."""
    if data["static"] != "serve" or not _facts(release)["installedStaticfiles"]:
        return False
    job = Job("collectstatic", _manage(release, "collectstatic", "--noinput"), as_build_user=True)
    done = jobs.run_job(step, release, job)
    require(done, release, "manage.py collectstatic", "mend what it names and deploy again")
    step.changed("static files are collected")
    return True


def _public(release: Release) -> Path:
    """Where the static files are that the proxy serves; asked when no process of the build user is left.

    A hook may have made a link of it, and what the proxy serves is nobody's to choose.
    """
    root = _facts(release)["STATIC_ROOT"]
    public = release.place / os.path.relpath(release.code / root, release.path)
    if not inside(str(public), release.place):
        raise Failure("STATIC_ROOT", f"{root} leads out of the release", "remove the link")
    return Path(os.path.realpath(public))


def _makes(data: dict[str, Any]) -> tuple[object, ...]:
    """What decides on a release's files."""
    return (data["static"], *(data["hooks"][phase] for phase in STATIC_HOOKS))


def _of_served(release: Release) -> dict[str, Any] | None:
    """What the directory that serves was made by; while a twin waits, `prepared` is the twin's."""
    found = release.notes.get("serving" if twins.waits(release.project, release.name) else "prepared")
    return found if isinstance(found, dict) else None


def _with_clean_code(step: Step[object], release: Release) -> Release:
    """The release with its code as it was before any hook has written to it; a served one's directory is left alone."""
    links = (release.project.current, release.project.previous)
    linked = release.name in [Path(target).name for link in links if (target := files.link_target(link))]
    before = _of_served(release)
    if linked and before:
        note(release, {"twin": None, "serving": before, "prepared": before})
        release = replace(release, anew=True)
    elif before or release.notes.get("hooked"):
        note(release, {"prepared": None})
    else:
        # Just built; built again where a server has lost it, though it is led to.
        note(release, {"hooked": True})
        return release
    extract(step, release, archive_of(step, str(release.notes["revision"])))
    return release


def _add_own_folder(release: Release, public: Path | None) -> None:
    """`.codesensei` in the sealed release: where env file, venv and static files of this release are."""
    own = release.place / OWN_FOLDER
    revision = f"{release.notes['revision']}\n"
    files.remove_path(own)
    files.make_directory(own, 0o751)
    files.make_link(own / "env", f"../../../env/{release.project.env_file(release.name).name}")
    files.make_link(own / "venv", f"../../../venvs/{release.venv.name}")
    if public and public.is_dir():
        files.make_link(own / "static", os.path.relpath(public, own))
    files.write_file(own / "REVISION", revision, 0o644)
    if not os.path.lexists(release.place / "REVISION"):
        files.write_file(release.place / "REVISION", revision, 0o640, "root", release.user)
    os.chmod(release.place, 0o751)
