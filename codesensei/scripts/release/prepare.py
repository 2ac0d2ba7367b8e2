"""Hooks, migrations and static files of a built release, which then is root's and never changes."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from codesensei.scripts.base import files
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.release import databases, guard, jobs, made, record, static_files
from codesensei.scripts.release.builder import require
from codesensei.scripts.release.checks import inside, is_sqlite, sqlite_path
from codesensei.scripts.release.databases import Asked
from codesensei.scripts.release.jobs import Job
from codesensei.scripts.release.migrate import LockLimits, migrate
from codesensei.scripts.release.rehearsal import Copyable, Rehearsal
from codesensei.scripts.release.release import Release
from codesensei.scripts.release.seal import seal
from codesensei.scripts.release.share import share
from codesensei.scripts.release.unpack import extract
from codesensei.wire.steps import Build, Hooks


def prepare(
    step: Step[Build],
    release: Release,
    asked: Asked | None,
    dump: Callable[[], None],
    original: Copyable | None = None,
) -> None:
    """Run everything that comes before the switch, in the contract's order, once for each release.

    `asked` is what Django has said of its databases just now; None: it is asked when it is their turn. `dump` is called
    before destructive migrations. `original` is the database of which a copy can be made for a rehearsal.
    """
    data, project, name, known = step.data, step.project, release.name, release.record
    # A hook may write modules.
    is_compiled = data.hooks == Hooks()
    guard.refuse_older(step, release, data.acknowledge_migrations)
    if known.is_prepared:
        return
    if known.state != "built":
        # An earlier run was cut off; its hooks may have changed the code.
        extract(step, release, project.archive(known.revision))
        share(step, release, data.shared_paths)
        is_compiled = False
    record.preparing(project, name)
    _make_sqlite_files(step, release)
    phases: dict[str, Callable[[Step[Build], Release], None]]
    found: list[str] = []
    rehearsed = Rehearsal(data.rehearse, original)
    migrating = partial(_migrate, asked=asked, dump=dump, rehearsed=rehearsed)
    phases = {"migrate": migrating, "static": partial(_collect, found=found)}
    seconds = {}
    for phase in reversed(phases) if data.collectstatic == "beforeMigrate" else phases:
        started = time.monotonic()
        phases[phase](step, release)
        seconds[phase] = round(time.monotonic() - started, 1)
    started = time.monotonic()
    if not is_compiled:
        compile_modules(step, release)
    public = _finish(step, release)
    found += made.warnings(release, project.archive(known.revision))
    found += static_files.kept_names(release, public) if public else ()
    record.warned_too(project, name, found)
    for warning in found:
        step.say(f"warning: {warning}")
    seconds["static"] = round(seconds["static"] + time.monotonic() - started, 1)
    jobs.wait_for_disk(step, release.path)
    record.prepared(project, name, seconds)
    step.changed(f"release {name} is prepared")


def _hooks(
    step: Step[Build], release: Release, phase: str, lines: tuple[str, ...], *, as_build_user: bool = False
) -> None:
    """Those around migrate run as the app user; those around collectstatic as the build user: they may write code."""
    for number, line in enumerate(lines):
        script = step.project.environments / f"{release.name}.{phase}-{number}.sh"
        files.write_file(script, line + "\n", 0o640, "root", release.user)
        title = f"hook {phase}: {line[:60]}"
        job = Job(title, ["/bin/bash", "-e", str(script)], as_build_user=as_build_user)
        require(jobs.run_job(step, release, job), release, title, "fix the hook and deploy again")
        step.changed(f"hook {phase} has run: {line[:60]}")


def _make_sqlite_files(step: Step[Build], release: Release) -> None:
    """Make them private: others may read the app user's files, as the proxy must, but no database or journal."""
    for database in release.facts.databases.values():
        path = sqlite_path(database.name) if is_sqlite(database) else None
        if path and not os.path.lexists(os.path.join(release.code, path)):
            # Where it cannot be made, migrate says why.
            jobs.run_job(step, release, Job("make the SQLite file", ["touch", "--", path], private=True))


def _manage(release: Release, *arguments: str) -> list[str]:
    return [f"{release.venv}/bin/python", "-B", "manage.py", *arguments]


def _migrate(
    step: Step[Build], release: Release, asked: Asked | None, dump: Callable[[], None], rehearsed: Rehearsal
) -> None:
    data, hooks = step.data, step.data.hooks
    _hooks(step, release, "beforeMigrate", hooks.before_migrate)
    came_before = [*hooks.before_migrate]
    if data.collectstatic != "afterMigrate":
        came_before += [*hooks.before_collectstatic, *hooks.after_collectstatic]
    # A hook may have changed what was found.
    asked = (None if came_before else asked) or databases.ask(step, release)
    warnings = migrate(
        step,
        release,
        asked,
        LockLimits(data.lock_timeout, data.migration_timeout),
        data.acknowledge_migrations,
        dump,
        keep_defaults=data.keep_defaults,
        rehearsed=rehearsed,
    )
    record.warned(step.project, release.name, warnings)
    _hooks(step, release, "afterMigrate", hooks.after_migrate)
    _need_cache_tables(step, release)


def _need_cache_tables(step: Step[Build], release: Release) -> None:
    """Refuse a cache in the database without its table: the site would answer, and fail where it uses the cache."""
    tables = release.facts.cache_tables
    if not tables:
        return
    # It prints how those would be made that are not there.
    words = ("createcachetable", "--dry-run", "--verbosity", "0")
    done = jobs.run_job(step, release, Job("look for the cache's tables", _manage(release, *words)))
    require(done, release, "manage.py createcachetable", "fix what it names and deploy again")
    if lacking := [name for name in tables if re.search(rf"CREATE TABLE\W+{re.escape(name)}\b", done.tail)]:
        cause = f"CACHES keeps its entries in the table {', '.join(lacking)}, which migrate does not make"
        fix = "set project.hooks.afterMigrate: [python manage.py createcachetable]"
        raise Failure("the cache in the database", cause, fix)


def _collect(step: Step[Build], release: Release, found: list[str]) -> None:
    """Adds to `found` what to warn of."""
    hooks = step.data.hooks
    _hooks(step, release, "beforeCollectstatic", hooks.before_collectstatic, as_build_user=True)
    if _serves_static(step, release):
        found += static_files.absent(release, _run_collectstatic(step, release))
    _hooks(step, release, "afterCollectstatic", hooks.after_collectstatic, as_build_user=True)


def _serves_static(step: Step[Build], release: Release) -> bool:
    return step.data.static == "serve" and release.facts.installed_staticfiles


def _run_collectstatic(step: Step[Build], release: Release) -> str:
    """What it said."""
    job = Job("collectstatic", _manage(release, "collectstatic", "--noinput"), as_build_user=True)
    done = jobs.run_job(step, release, job)
    require(done, release, "manage.py collectstatic", "fix what it names and deploy again")
    step.changed("static files are collected")
    return done.tail


def compile_modules(step: Step[Build], release: Release) -> None:
    """Compile the project's modules, which no other user may do in a release; some of them need not be Python's."""
    argv = [f"{release.venv}/bin/python", "-m", "compileall", "-q", "."]
    jobs.run_job(step, release, Job("compile", argv, as_build_user=True, directory=release.path))


def _finish(step: Step[Build], release: Release) -> Path | None:
    """End the build user's processes, and give the release to root; returns where its static files are."""
    jobs.end_build_user(step)
    public = None
    if _serves_static(step, release):
        # Only now, without any process of the build user: a hook may have made it a link to what must not be served.
        static_root = release.code / release.facts.static_root
        if not inside(str(static_root), release.path):
            raise Failure("STATIC_ROOT", f"{release.facts.static_root} leads out of the release", "remove the link")
        public = Path(os.path.realpath(static_root))
    seal(release.path, step.project.build_user, release.user, public)
    _add_own_folder(release, public)
    return public


def _add_own_folder(release: Release, public: Path | None) -> None:
    """Make the product's own folder in the sealed release: links to its env file, venv and static files."""
    own, known = release.project.own_folder(release.name), release.record
    revision = f"{known.revision}\n"
    files.remove_path(own)
    files.make_directory(own, 0o751)
    files.make_link(own / "env", f"../../../env/{release.env_file.name}")
    files.make_link(own / "venv", f"../../../venvs/{release.venv.name}")
    if public and public.is_dir():
        files.make_link(own / "static", os.path.relpath(public, own))
    files.write_file(own / "REVISION", revision, 0o644)
    if not os.path.lexists(release.path / "REVISION"):
        files.write_file(release.path / "REVISION", revision, 0o640, "root", release.user)
    os.chmod(release.path, 0o751)
