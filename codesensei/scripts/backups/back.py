"""Put a backup back: into a new database and a new folder, which then take the place of the old ones; those stay."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from codesensei.scripts.backups import archiving, make, moment, postgres, settings, sqlite
from codesensei.scripts.backups.pgbackrest import Archive
from codesensei.scripts.backups.repository import Repository
from codesensei.scripts.base import before, files, locks
from codesensei.scripts.base.commands import sync, systemctl
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.postgres import postgresql
from codesensei.scripts.postgres.postgresql import PORT, identifier, literal
from codesensei.scripts.serving.live import Live
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import Backup

# What ALTER DATABASE and ALTER ROLE IN DATABASE have set is of the database's number, and in no dump of it.
_SETTINGS = (
    "INSERT INTO pg_db_role_setting SELECT new.oid, setrole, setconfig FROM pg_db_role_setting"
    " JOIN pg_database AS old ON old.oid = setdatabase"
    " JOIN pg_database AS new ON old.datname = {} AND new.datname = {};"
)


@dataclass(frozen=True)
class _Names:
    """What the old things are called afterwards."""

    stamp: str

    def of(self, name: str) -> str:
        return before.name_of(name, self.stamp)


def restore(step: Step[object], snapshot: str, at: str = "") -> None:
    """Everything is fetched, restored and compared first; only then the site's processes stop for a moment.

    `at` is a moment, where backups are continuous: the database is that of then, the files are of the backup before.
    """
    project, wanted, names = step.project, settings.require(step.project), _Names(time.strftime("%Y%m%d-%H%M%S"))
    target = _moment(wanted, at)
    make.sweep(step)
    repository = Repository(project, wanted)
    chosen = make.choose(repository, snapshot, target)
    with _no_deploy(step), contextlib.ExitStack() as ending:
        into, besides = make.fetched(project, "restore"), {project.fetched_folders: None}
        besides |= dict.fromkeys(make.beside(project, folder) for folder in make.folders(project, wanted))
        for place in (into, *besides):
            files.remove_path(place)
            # Not one that somebody else has made since.
            place.mkdir(mode=0o700)
            ending.callback(files.remove_path, place)
        step.say(f"fetching backup {chosen.id} from {wanted.to}")
        found, contents = make.fetch(repository, chosen, into)
        folders = _fetch_folders(step, repository, chosen.id, contents)
        new = ""
        if contents.point or at:
            words = moment.at(target, contents.label) if at else moment.of_point(contents.point, contents.label)
            contents = _read_moment(step, wanted, contents, words, found / make.DUMP, at)
        if contents.kind == "postgresql":
            new = _new_database(step, wanted, found, contents)
        elif contents.kind == "sqlite":
            make.compare(contents, sqlite.count(wanted.user, found / make.DUMP))
        # The files of before give up their place only to what a power cut leaves whole.
        for place in besides:
            sync(place)
        with _stopped(step):
            if new:
                _swap_databases(step, wanted, new, names)
            elif contents.kind:
                _swap_sqlite(step, wanted, found / make.DUMP, names)
            for name, folder in folders.items():
                _swap_folder(step, project.shared / name, folder, names)
        made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(contents.made))
        if at:
            then = "at the end of the archive" if target is None else f"on {target:%Y-%m-%d %H:%M:%S} UTC"
            step.say(f"restored: the database of {project.slug} as it was {then}, its files as they were on {made}")
        else:
            step.say(f"restored: {project.slug} as it was on {made} (release {contents.release or 'none'})")


def _moment(wanted: Backup, at: str) -> datetime | None:
    """The moment that is asked for. Failure where none can be restored, and for one that has not come yet."""
    if not at:
        return None
    if not wanted.days:
        fix = "choose one of the backups, which codesensei backups lists; backups.database: continuous is for moments"
        raise Failure(f"moment {at}", "this stack's database is dumped, not archived", fix)
    found = moment.parse(at)
    if found and found > datetime.now(timezone.utc):
        raise Failure(f"moment {at}", "it has not come yet", "choose one that has passed")
    return found


def _read_moment(
    step: Step[object], wanted: Backup, was: make.Contents, words: list[str], into: Path, at: str
) -> make.Contents:
    archive = Archive(step.project, wanted)
    if at and archiving.is_on(archive):
        try:
            moment.reach_now(archive)
        except Failure as failure:
            step.say(f"warning: what was written last may be missing: {failure.cause}")
    return make.read_moment(step, wanted, was, words, into, compared=not at and was.counted)


def _new_database(step: Step[object], wanted: Backup, found: Path, contents: make.Contents) -> str:
    database = wanted.database
    if database is None or database.kind == "sqlite":
        fix = "give the stack file the database that it had then"
        raise Failure("backup", "it has a PostgreSQL database, and the stack has none", fix)
    port, new = database.port or PORT, postgres.scratch(step.project, "new")
    postgres.drop(port, new)
    try:
        step.say("restoring the database beside the one that serves")
        postgres.restore(step, port, found / make.DUMP, new, database.role, list(contents.extensions))
        make.compare(contents, postgres.count(port, new))
    except (Failure, OSError):
        postgres.drop(port, new)
        raise
    return new


def _swap_databases(step: Step[object], wanted: Backup, new: str, names: _Names) -> None:
    """Both names change at once. Nobody may connect meanwhile, and PostgreSQL waits for those that it ends."""
    database = wanted.database
    assert database is not None
    port, live, old = database.port or PORT, identifier(database.name), names.of(database.name)
    place = f"ALTER DATABASE {identifier(new)} RENAME TO {live};"
    if not postgres.exists(port, database.name):
        postgresql.sql(port, place, thing=f"database {database.name}")
        return
    ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {literal(database.name)};"
    renamed = f"ALTER DATABASE {live} RENAME TO {identifier(old)};"
    opened = "ALTER DATABASE {} ALLOW_CONNECTIONS true;".format
    kept = _SETTINGS.format(literal(database.name), literal(new))
    postgresql.sql(port, f"ALTER DATABASE {live} ALLOW_CONNECTIONS false;")
    try:
        text = f"{ended} BEGIN; {kept} {renamed} {opened(identifier(old))} {place} COMMIT;"
        postgresql.sql(port, text, thing=f"database {database.name}")
    except Failure:
        postgresql.sql(port, opened(live))
        raise
    step.say(f"kept: the database of before, as {old} (on the server: sudo -u postgres dropdb {old})")


def _swap_sqlite(step: Step[object], wanted: Backup, file: Path, names: _Names) -> None:
    if wanted.database is None or wanted.database.kind != "sqlite":
        fix = "give the stack file the DATABASE_URL that it had then"
        raise Failure("backup", "it has a SQLite database, and the stack has none", fix)
    place = make.sqlite_place(step.project, wanted)
    old = os.path.join(os.path.dirname(place), names.of(os.path.basename(place)))
    sqlite.put(wanted.user, file, place, old)
    step.say(f"kept: the database of before, as {old}")


def _fetch_folders(
    step: Step[object], repository: Repository, snapshot: str, contents: make.Contents
) -> dict[str, Path]:
    """The folders of the backup, each as the app user's own."""
    wanted, found = repository.settings, {}
    known = make.folders(step.project, wanted)
    for folder, was in contents.folders.items():
        if folder not in known:
            step.say(f"left out: {folder}, which is no folder of the stack any more")
            continue
        place, into = Path(was), make.beside(step.project, folder)
        repository.restore(snapshot, place, into)
        there = into / place.relative_to("/")
        if there.is_dir() and not there.is_symlink():
            left = _give(there, contents.media_owner, files.user_id(wanted.user), files.group_id(wanted.user))
            but = f", but for {len(left)} files that were not the project's, as {left[0]}" if left else ""
            step.say(f"fetched {place}{but}")
            found[folder] = there
    return found


def _give(folder: Path, was: int, uid: int, gid: int) -> list[str]:
    """Give what was the app user's to the one of now; files that were not are removed: which. Nobody else writes here.

    A directory of somebody else's may have the project's files below it.
    """
    left = []
    for place, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(place, name)
            found = path.lstat()
            if found.st_uid != was and not stat.S_ISDIR(found.st_mode):
                left.append(str(path.relative_to(folder)))
                path.unlink()
                continue
            os.chown(path, uid, gid, follow_symlinks=False)
            if found.st_uid != was:
                os.chmod(path, stat.S_IMODE(found.st_mode) & ~stat.S_IWOTH | stat.S_IRWXU)
    os.chown(folder, uid, gid, follow_symlinks=False)
    return left


def _swap_folder(step: Step[object], place: Path, new: Path, names: _Names) -> None:
    """Shared is root's and sticky: nobody else can come between the two renames."""
    old = place.with_name(names.of(place.name))
    if make.stays(place):
        beside = step.project.root / names.of(place.name)
        os.rename(new, beside)
        linked = "is a link of root's: copy the files to where it leads"
        why = linked if place.is_symlink() else "has a disk of its own: copy the files into it"
        step.say(f"restored: {beside}; {place} {why}")
        return
    is_there = os.path.lexists(place)
    if is_there:
        found = place.lstat()
        os.chmod(new, stat.S_IMODE(found.st_mode) if stat.S_ISDIR(found.st_mode) else 0o750)
        os.chown(new, -1, found.st_gid)
        os.rename(place, old)
    try:
        os.rename(new, place)
    except OSError:
        if is_there:
            os.rename(old, place)
        raise
    if is_there:
        step.say(f"kept: the files of before, as {old}")


@contextlib.contextmanager
def _stopped(step: Step[object]) -> Iterator[None]:
    """Stop the project's processes. Its socket stays: a visitor may start one of them, and get an error."""
    manifest = Live.read(step.project).manifest
    if manifest is None:
        yield
        return
    workers, web = manifest.named("worker"), manifest.web
    step.say("stopping the project's processes")
    if workers:
        systemctl("stop", *workers)
    systemctl("stop", web, check=False)
    try:
        yield
    finally:
        systemctl("restart", web)
        if workers:
            systemctl("start", *workers)
        step.say("the project's processes run again")


@contextlib.contextmanager
def _no_deploy(step: Step[object]) -> Iterator[None]:
    """The lock of the project's steps: one that waits for it says for whom."""
    name = f"project-{step.slug}"
    taken = partial(Failure, f"project {step.slug}", f"{locks.holder(name)} runs", "wait for its end")
    with locks.held(locks.file_of(name), taken):
        locks.note(name, step)
        yield
