"""Make a backup, and check one by restoring it: once a week, or when asked."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from datetime import datetime
from pathlib import Path

from codesensei.scripts.backups import archiving, moment, postgres, settings, sqlite, status
from codesensei.scripts.backups.pgbackrest import Archive
from codesensei.scripts.backups.repository import Repository, Snapshot
from codesensei.scripts.base import files, locks
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.postgres import postgresql
from codesensei.scripts.postgres.postgresql import FREE_SPACE, PORT
from codesensei.scripts.serving import media
from codesensei.scripts.serving.live import Live
from codesensei.wire import codec, moments
from codesensei.wire.names import backup_units
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import MADE_HERE, Backup

DUMP, MANIFEST = "database.dump", "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a backup holds: of which release, how many rows each table had at that moment, and where folders were."""

    release: str = ""
    made: float = 0.0
    kind: str = ""
    name: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    extensions: tuple[str, ...] = ()
    media_owner: int = 0
    # With continuous backups: that of the cluster, and the restore point after it; not every one is counted.
    label: str = ""
    point: str = ""
    counted: bool = True
    bytes: int = 0
    folders: Mapping[str, str] = field(default_factory=dict)


def staging(project: ProjectPaths) -> Path:
    """Where a backup's database and contents are written; the same for each, so that restic keeps them as one place."""
    return project.backups / "staging"


def fetched(project: ProjectPaths, what: str) -> Path:
    """Where a backup is fetched to; `what` is `check` or `restore`."""
    return project.backups / what


def beside(project: ProjectPaths, folder: str) -> Path:
    """Where a folder of a backup is fetched to: from there one rename brings it to its place, where one can."""
    place = project.shared / folder
    if stays(place) or files.mount_of(place.parent) == files.mount_of(project.root):
        return project.fetched_folders
    return place.with_name(project.fetched_folders.name)


def stays(place: Path) -> bool:
    """Whether nothing takes the place of this folder: root's link leads elsewhere, or it is on a disk of its own."""
    if place.is_symlink():
        return files.owner(place) == files.user_id("root")
    return files.holds_mount(place)


def sqlite_place(project: ProjectPaths, wanted: Backup) -> str:
    """The SQLite file, as the project itself finds it."""
    assert wanted.database is not None
    return os.path.join(project.current, wanted.directory, wanted.database.name)


def folders(project: ProjectPaths, wanted: Backup) -> tuple[str, ...]:
    """Those of the stack file, and the one in shared where what serves has its uploads, if that is another one."""
    root = media.root(project, wanted.directory)
    if not wanted.folders or root is None or _covers(project, wanted.folders, root):
        return wanted.folders
    # Only what is in shared itself: around a folder in there, the app user may put links.
    ways = [(project.shared, root), (Path(os.path.realpath(project.shared)), Path(os.path.realpath(root)))]
    name = next((path.relative_to(shared).parts[0] for shared, path in ways if shared in path.parents), "")
    place = project.shared / name
    is_theirs = place.is_symlink() or files.owner(place) in (None, files.user_id(wanted.user))
    own = [path.name for path in (project.logs, project.home(""), project.env_link, project.venv_link)]
    return (*wanted.folders, name) if name and name not in own and is_theirs else wanted.folders


def _covers(project: ProjectPaths, names: Iterable[str], root: Path) -> bool:
    real = Path(os.path.realpath(root))
    return any(real.is_relative_to(os.path.realpath(project.shared / name)) for name in names)


def _uploads_elsewhere(project: ProjectPaths, wanted: Backup) -> str:
    """Where uploads are that no backup has; empty where there are none, or where nobody wants them in it."""
    root = media.root(project, wanted.directory)
    if not wanted.folders or root is None or _covers(project, folders(project, wanted), root):
        return ""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return str(root) if any(root.iterdir()) else ""
    return ""


def alone(step: Step[object]) -> contextlib.AbstractContextManager[None]:
    """One of these at a time."""

    def taken() -> Failure:
        fix = f"wait for it; systemctl status {backup_units(step.slug)[1]} tells of the timer's"
        return Failure(f"backups of {step.slug}", "another backup, check or restore runs", fix)

    return locks.held(step.project.backups / "lock", taken)


def sweep(step: Step[object]) -> None:
    """Remove what a backup, check or restore that was killed has left: each begins with it, and holds the lock."""
    project, wanted = step.project, settings.require(step.project)
    places = [staging(project), fetched(project, "check"), fetched(project, "restore"), project.fetched_folders]
    besides = dict.fromkeys(beside(project, folder) for folder in wanted.folders)
    places += [path for path in besides if path not in places and files.owner(path) == files.user_id("root")]
    left = [str(path) for path in places if _remove(path)]
    database = wanted.database
    if database and database.kind in MADE_HERE:
        port = database.port or PORT
        left += moment.sweep(Archive(project, wanted)) if wanted.days else []
        left += postgres.sweep(project, port)
        if postgresql.is_closed(port, database.name):
            postgresql.open_database(port, database.name)
            step.say(f"database {database.name} opened, which an interrupted run has left closed")
    if left:
        step.say(f"removed what an interrupted run has left: {', '.join(left)}")


def _remove(path: Path) -> bool:
    try:
        return files.remove_path(path)
    except OSError as error:
        # The timer's service may write less than who restores; the next restore removes it.
        if error.errno != errno.EROFS:
            raise
        return False


def now(step: Step[object], *, again: bool = False) -> str:
    """Make one, remove what is beyond those to keep, and check it where the last check is a week ago.

    `again` in a new repository, where the one of before is gone.
    """
    project, wanted = step.project, settings.require(step.project)
    try:
        sweep(step)
        repository = Repository(project, wanted)
        repository.ensure(again=again)
        snapshot = _make(step, wanted, repository)
        repository.forget(wanted.keep, wanted.days)
    except (Failure, OSError) as error:
        status.failed(project, error)
        raise
    step.say(f"backup {snapshot} made in {wanted.to}")
    if _is_check_due(project):
        verify(step, snapshot)
    return snapshot


def _is_check_due(project: ProjectPaths) -> bool:
    return time.time() - status.read(project).checked > status.CHECK_SECONDS


def _make(step: Step[object], wanted: Backup, repository: Repository) -> str:
    project, place = step.project, staging(step.project)
    with _emptied(place):
        chosen, left = _folders(project, wanted)
        archived = 0
        if wanted.days:
            contents, archived = _archive(step, wanted)
        else:
            contents = _dump(project, wanted, place)
        contents = replace(contents, folders=chosen)
        files.write_file(place / MANIFEST, json.dumps(codec.encode(contents), indent=1) + "\n", 0o600)
        size = archived + sum(path.stat().st_size for path in place.iterdir())
        snapshot, unread = repository.add([place, *map(Path, chosen.values())])
        if own := next((path for path in unread if Path(path).is_relative_to(place)), ""):
            raise Failure(f"backup {snapshot}", f"{own} is not in it, for it could not be read", "make one again")
    # What the project has removed meanwhile is no loss.
    unread = [path for path in unread if os.path.lexists(path)]
    lacks, fix = "", ""
    if unread:
        lacks = f"{len(unread)} files could not be read, as {unread[0]}"
        fix = "look on the server why root cannot read it (journalctl -k tells of disks)"
    if left:
        lacks = f"files are not in it, because {', '.join(left)} is a link that {wanted.user} made"
        fix = "put the folder itself there, or a link that root owns"
    elif elsewhere := _uploads_elsewhere(project, wanted):
        lacks = f"uploads are not in it, because MEDIA_ROOT is {elsewhere}"
        fix = f"set MEDIA_ROOT to a folder of {project.shared}, or codesensei:backups.media to false"
    status.note(project, made=contents.made, snapshot=snapshot, bytes=size, error="", lacks=lacks, fix=fix)
    if lacks:
        step.say(f"warning: {lacks}")
    return snapshot


def _archive(step: Step[object], wanted: Backup) -> tuple[Contents, int]:
    """Back PostgreSQL up where its archive is, and set a restore point; the size of what is new there."""
    project, database, archive = step.project, wanted.database, Archive(step.project, wanted)
    assert database is not None
    if not archiving.is_on(archive):
        raise Failure(archiving.THING, "it is not on", "run pulumi up, which turns it on")
    made = archive.backup()
    now = time.time()
    # As long as a dump of it, in a database that is too large for that: not more often than it is compared.
    counts = made.kind == "full" or _is_check_due(project)
    found = moment.mark(archive.port, database.name, f"codesensei-{step.slug}-{now:.0f}", counts=counts)
    archive.check()
    contents = Contents(
        release=Live.read(project).release or "",
        made=now,
        kind="postgresql",
        name=database.name,
        counts=found.counts or {},
        counted=found.counts is not None,
        label=made.label,
        point=found.name,
        bytes=postgres.size(archive.port, database.name),
        media_owner=files.user_id(wanted.user),
    )
    return contents, made.bytes


def read_moment(
    step: Step[object],
    wanted: Backup,
    contents: Contents,
    words: list[str],
    into: Path,
    schema: Path | None = None,
    *,
    compared: bool,
) -> Contents:
    """Write the database of a moment into a file, as a dump; what it holds, `compared` with what it held then."""
    if not wanted.days:
        cause = "its database is in the archive of continuous backups, which this stack has no more"
        raise Failure("backup", cause, "set codesensei:backups.database: continuous, and run pulumi up")
    archive = Archive(step.project, wanted)
    counts, extensions, emptied = moment.dump(step, archive, words, into, contents.bytes, schema)
    if compared:
        kept = {name: rows for name, rows in contents.counts.items() if name not in emptied}
        compare(replace(contents, counts=kept), {name: rows for name, rows in counts.items() if name not in emptied})
    read = replace(contents, kind="postgresql", counts=counts, counted=True, extensions=tuple(extensions))
    return replace(read, label="", point="")


def _dump(project: ProjectPaths, wanted: Backup, place: Path) -> Contents:
    release = Live.read(project).release or ""
    database, made = wanted.database, time.time()
    owner = files.user_id(wanted.user)
    if database is None:
        return Contents(release=release, made=made, media_owner=owner)
    if database.kind in MADE_HERE:
        port = database.port or PORT
        if postgres.size(port, database.name) > shutil.disk_usage(place).free:
            raise Failure(f"disk of {place}", "there is no room for a copy of the database", FREE_SPACE)
        counts, extensions = postgres.dump(port, database.name, place / DUMP)
    else:
        counts, extensions = sqlite.dump(wanted.user, sqlite_place(project, wanted), place / DUMP), []
    return Contents(
        release=release,
        made=made,
        kind="sqlite" if database.kind == "sqlite" else "postgresql",
        name=database.name,
        counts=counts,
        extensions=tuple(extensions),
        media_owner=owner,
    )


def verify(step: Step[object], snapshot: str = "latest") -> None:
    """Restore a backup beside the live database, compare all counts, and drop it again. Failure where they differ."""
    project, wanted = step.project, settings.require(step.project)
    repository, into = Repository(project, wanted), fetched(project, "check")
    try:
        sweep(step)
        chosen = choose(repository, snapshot)
        with _emptied(into):
            found, contents = fetch(repository, chosen, into)
            counts: Mapping[str, int] = {}
            if contents.point:
                words = moment.of_point(contents.point, contents.label)
                # Read to its end, and not kept.
                into_nothing, compared, schema = Path(os.devnull), contents.counted, found / DUMP
                read = read_moment(step, wanted, contents, words, into_nothing, schema, compared=compared)
                counts = read.counts
                # All of it would be written to the archive once more.
                _try(step, wanted, schema, read)
            elif contents.kind == "sqlite":
                counts = sqlite.count(wanted.user, found / DUMP)
            elif contents.kind:
                counts = _try(step, wanted, found / DUMP, contents)
            if not contents.point:
                compare(contents, counts)
    except (Failure, OSError) as error:
        failure = Failure.of(error, f"check of backup {snapshot}")
        status.note(project, check_error=status.told(failure))
        raise
    status.note(project, checked=time.time(), checked_snapshot=chosen.id, check_error="")
    all_there = "all there" if contents.counted else "not compared, for they were not counted when it was made"
    step.say(f"backup {chosen.id} restored for a check: {_rows(counts)}, {all_there}")


def _try(step: Step[object], wanted: Backup, file: Path, contents: Contents) -> Mapping[str, int]:
    """Restore a dump beside the live database, and drop it again; what was in it."""
    if wanted.database is None:
        return {}
    port, new = wanted.database.port or PORT, postgres.scratch(step.project, "check")
    quiet = postgres.Quiet(step.slug, step.name, (), None)
    postgres.drop(port, new)
    try:
        postgres.restore(quiet, port, file, new, wanted.database.role, list(contents.extensions))
        return postgres.count(port, new)
    finally:
        postgres.drop(port, new)


def choose(repository: Repository, snapshot: str, before: datetime | None = None) -> Snapshot:
    """The backup of this name, or the latest, or the last one `before` a moment. Failure where there is none."""
    known = repository.snapshots()
    if known and before:
        first = known[0]
        known = [one for one in known if moments.instant(one.time) <= before]
        if not known:
            cause = f"there is no backup that is so old; the oldest is {first.id} of {first.time[:19]}"
            raise Failure(f"moment {before:%Y-%m-%d %H:%M:%S} UTC", cause, "choose a later moment")
    if not known:
        raise Failure(f"backups in {repository.settings.to}", "there is none", "make one first")
    chosen = known[-1] if snapshot == "latest" else next((one for one in known if one.id == snapshot), None)
    if chosen is None:
        fix = f"choose one that exists: {', '.join(one.id for one in known[-5:])}"
        raise Failure(f"backup {snapshot}", "there is no such backup", fix)
    return chosen


def fetch(repository: Repository, chosen: Snapshot, into: Path) -> tuple[Path, Contents]:
    """Bring the database and the contents of a backup; where they are, and what the contents say."""
    place = next((Path(path) for path in chosen.paths if path.endswith("/backup/staging")), None)
    if place is None:
        raise Failure(f"backup {chosen.id}", "it is not one of codesensei's", "choose another one")
    repository.restore(chosen.id, place, into)
    found = into / place.relative_to("/")
    text = (found / MANIFEST).read_text()
    return found, codec.decode(Contents, json.loads(text), f"contents of backup {chosen.id}", kept=True)


def compare(contents: Contents, counts: Mapping[str, int]) -> None:
    """Failure where a table has not the rows that it had when the backup was made."""
    wrong = [name for name in {**contents.counts, **counts} if contents.counts.get(name) != counts.get(name)]
    if wrong:
        name = wrong[0]
        had, has = contents.counts.get(name, 0), counts.get(name, 0)
        cause = f"{len(wrong)} tables differ from what was backed up: {name} had {had} rows and has {has}"
        raise Failure("restored database", cause, "make a new backup now, and keep the older ones")


def _folders(project: ProjectPaths, wanted: Backup) -> tuple[dict[str, str], list[str]]:
    """Where each folder is, and those that a link of the app user's stands for: root reads nothing behind it."""
    found, left = {}, []
    for folder in folders(project, wanted):
        path = project.shared / folder
        if path.is_symlink() and files.owner(path) != files.user_id("root"):
            left.append(str(path))
        elif os.path.lexists(path):
            found[folder] = os.path.realpath(path)
    return found, left


def _rows(counts: Mapping[str, int]) -> str:
    return f"{sum(counts.values())} rows in {len(counts)} tables"


@contextlib.contextmanager
def _emptied(place: Path) -> Iterator[None]:
    """A folder of root's with nothing in it, removed at the end."""
    files.remove_path(place)
    files.make_directory(place, 0o700)
    try:
        yield
    finally:
        files.remove_path(place)
