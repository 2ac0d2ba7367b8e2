"""PostgreSQL's part in continuous backups: it hands over all that it writes, by a drop-in of its configuration."""

from __future__ import annotations

import contextlib
import re
import shlex
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from codesensei.scripts.backups import settings
from codesensei.scripts.backups.pgbackrest import Archive, Gap
from codesensei.scripts.base import files, locks, register
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.postgres import conf, postgresql
from codesensei.scripts.postgres.postgresql import CLUSTERS_TEXT, Cluster
from codesensei.wire import paths
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.register import Register, disconnected, with_databases
from codesensei.wire.steps import Backup, Finding
from codesensei.wire.text import size

THING = "WAL archive of PostgreSQL"
# So much is lost with a server at most where few write.
SECONDS = 60
ENDS = "# Written by codesensei: PostgreSQL restarts without an archive, and this file goes.\n"
_ASKED = ("wal_level", "archive_mode", "archive_command", "archive_library")
_ARCHIVER = (
    "SELECT last_failed_time > coalesce(last_archived_time, '-infinity') AS fails, last_archived_wal AS last,"
    " to_char(coalesce(last_archived_time, last_failed_time) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') AS since,"
    " (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size') AS segment FROM pg_stat_archiver"
)
_QUEUE = re.compile(r"^archive-push-queue-max=(\d+)$", re.MULTILINE)


def ensure(step: Step[Backup]) -> None:
    """Begin to archive, or go on. Failure where somebody else archives, and where the archive takes nothing."""
    archive = Archive(step.project, step.data)
    cluster = _cluster(archive.port)
    found = _settings(archive.port)
    _refuse_other(step, archive, found)
    register.settle(step.slug, {"archives": [str(archive.port)]})
    step.converge(archive.configure(), f"{step.project.wal_config} written")
    step.manage(step.project.wal_config)
    # First: PostgreSQL keeps what the archive does not take.
    step.converge(archive.ensure(), f"{archive.thing} made")
    drop_in = _drop_in(step.slug, cluster)
    wrote = files.write_file(drop_in, _text(archive), 0o644)
    step.converge(wrote, f"{drop_in} written")
    step.manage(drop_in, shown=True)
    if found["archive_mode"] != "on":
        _restart(step, cluster, drop_in)
    elif wrote:
        postgresql.sql(archive.port, "SELECT pg_reload_conf();")
    if step.changes:
        step.say(f"every moment from the next backup on can be restored: {step.project.backup} now makes one")


def remove(step: Step[object]) -> None:
    """End it, where it has begun; the archive stays."""
    for drop_in in _drop_ins(step.slug):
        version, name = drop_in.parts[-4:-2]
        step.say(f"restarting PostgreSQL {version}/{name} without an archive: {_disconnected(step.slug)}")
        # It says nothing any more, and tells the next run of a restart that is still to come.
        files.write_file(drop_in, ENDS, 0o644)
        unit = f"postgresql@{version}-{name}.service"
        # Only a restart takes archive_mode back, and PostgreSQL keeps all WAL for an archive without a command.
        if not systemctl("try-restart", unit, check=False).ok:
            raise Failure("PostgreSQL", f"{unit} does not start again", CLUSTERS_TEXT)
        files.remove_path(drop_in)
        step.changed(f"{drop_in} removed, and PostgreSQL {version}/{name} restarted without it")
    step.converge(files.remove_path(step.project.wal_archive), f"{step.project.wal_archive} removed")
    known = register.entry(step.slug)
    if known and known.names.get("archives"):
        register.settle(step.slug, {"archives": []})


def lacking(project: ProjectPaths) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What is asked for and not in force, after a run that failed or a change by hand, and what its repair does."""
    wanted = settings.read(project)
    if wanted is None or not wanted.days:
        return
    archive = Archive(project, wanted)
    # That PostgreSQL is down is told elsewhere.
    with contextlib.suppress(Failure):
        if not is_on(archive):
            restarts = _settings(archive.port)["archive_mode"] != "on"
            told = f"PostgreSQL restarts once (archive_mode on): {_disconnected(project.slug)}"
            yield f"{THING} at port {archive.port} is not on", (told,) if restarts else ()


def is_on(archive: Archive) -> bool:
    """Whether PostgreSQL archives to it."""
    found = _settings(archive.port)
    return found["archive_mode"] == "on" and found["archive_command"] == _command(archive)


def findings(project: ProjectPaths, made: float) -> Iterator[Finding]:
    """An archive that takes nothing: WAL waits on PostgreSQL's disk, up to a bound, and is then given up.

    `made` is when the last backup was: what was given up before it matters to no later moment.
    """
    wanted = settings.read(project)
    if wanted is None or not wanted.days:
        return
    archive = Archive(project, wanted)
    try:
        (found,) = postgresql.rows(archive.port, _ARCHIVER)
    except Failure:
        return
    if found["fails"]:
        cause = f"it takes nothing since {found['since']} UTC, so no later moment can be restored"
        queue = _QUEUE.search(project.wal_config.read_text()) if project.wal_config.exists() else None
        if queue:
            cause += f"; PostgreSQL keeps {size(int(queue[1]))} of WAL for it, and then gives up what is older"
        fix = f"look at {archive.place} and PostgreSQL's log; then on the server: {project.backup} now"
        yield Finding(thing=archive.thing, cause=cause, fix=fix)
        return
    try:
        gaps = [gap for gap in lost(archive, found) if gap.ends is None or gap.ends > made]
    except Failure as failure:
        cause = f"whether all moments can be restored is unknown: {failure.cause}"
        yield Finding(thing=archive.thing, cause=cause, fix=failure.fix)
        return
    if gaps:
        cause = f"it took nothing for so long that WAL was given up: {described(gaps[0])}, and none after that"
        fix = f"make a backup, from which moments can be restored again; on the server: {project.backup} now"
        yield Finding(thing=archive.thing, cause=cause, fix=fix)


def lost(archive: Archive, archiver: Mapping[str, Any] | None = None) -> list[Gap]:
    """What is missing in the archive; `archiver` is what PostgreSQL says of it. Failure where it cannot be read."""
    found = archiver or postgresql.rows(archive.port, _ARCHIVER)[0]
    return archive.gaps(found["last"], found["segment"]) if found["last"] else []


def described(gap: Gap) -> str:
    """Which moments are lost with it."""
    begins, ends = (
        time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(when)) if when else "now" for when in (gap.begins, gap.ends)
    )
    return f"no moment between {begins} and {ends} can be restored"


def _cluster(port: int) -> Cluster:
    found = next((cluster for cluster in postgresql.clusters() if cluster.port == port), None)
    if found is None:
        raise Failure("PostgreSQL", f"no cluster of this server has port {port}", CLUSTERS_TEXT)
    return found


def _settings(port: int) -> dict[str, str]:
    names = ", ".join(map(postgresql.literal, _ASKED))
    rows = postgresql.rows(port, f"SELECT name, setting FROM pg_settings WHERE name IN ({names})")
    return dict.fromkeys(_ASKED, "") | {row["name"]: row["setting"] for row in rows}


def _disconnected(slug: str) -> str:
    return disconnected(with_databases(Register(slugs=dict(register.entries())), slug))


def _refuse_other(step: Step[object], archive: Archive, found: dict[str, str]) -> None:
    if found["wal_level"] == "minimal":
        fix = "set wal_level to replica in postgresql.conf, and restart it"
        raise Failure("PostgreSQL", "its WAL says too little to restore from: wal_level is minimal", fix)
    # What an earlier drop-in of ours says counts, whatever its text was.
    is_ours = bool([*_drop_ins(step.slug)]) and str(step.project.wal_config) in found["archive_command"]
    is_other = found["archive_command"] not in ("", "(disabled)") or found["archive_library"]
    if found["archive_mode"] != "off" and is_other and not is_ours:
        cause = f"something else archives its WAL at port {archive.port} already"
        fix = "take archive_mode out of its configuration, or set codesensei:backups.database: dump"
        raise Failure("PostgreSQL", cause, fix)


def _restart(step: Step[object], cluster: Cluster, drop_in: Path) -> None:
    """Once: only a restart turns archive_mode on. Nobody's migration is cut off by it."""
    for other in sorted(register.entries()):
        if other != step.slug and (who := locks.deploying(other)):
            files.remove_path(drop_in)
            cause = f"it has to restart once, and {who} runs"
            raise Failure("PostgreSQL", cause, "wait for its end, and run pulumi up again")
    unit = f"postgresql@{cluster.version}-{cluster.name}.service"
    step.say(f"restarting PostgreSQL {cluster.version}/{cluster.name}: {_disconnected(step.slug)}")
    if not systemctl("restart", unit, check=False).ok:
        files.remove_path(drop_in)
        systemctl("start", unit, check=False)
        raise Failure("PostgreSQL", "it does not start with archive_mode on, and runs without it again", CLUSTERS_TEXT)
    if _settings(cluster.port)["archive_mode"] != "on":
        files.remove_path(drop_in)
        fix = f"let postgresql.conf have include_dir = 'conf.d', and no archive_mode after it ({drop_in.parent})"
        raise Failure("PostgreSQL", "it does not read its conf.d, or something else turns archive_mode off", fix)
    step.changed(f"PostgreSQL {cluster.version}/{cluster.name} restarted, archive_mode is on")


def _text(archive: Archive) -> str:
    return (
        f"# Written by codesensei for {archive.project.slug}: all that is written is archived, for its backups.\n"
        f"archive_mode = on\narchive_command = {conf.quote(_command(archive))}\n"
        f"archive_timeout = {SECONDS}\n"
    )


def _command(archive: Archive) -> str:
    return f"{conf.command(shlex.join(archive.line('archive-push')))} %p"


def _drop_in(slug: str, cluster: Cluster) -> Path:
    return paths.SERVER.postgresql / cluster.version / cluster.name / "conf.d" / f"codesensei-{slug}.conf"


def _drop_ins(slug: str) -> list[Path]:
    return sorted(paths.SERVER.postgresql.glob(f"*/*/conf.d/codesensei-{slug}.conf"))
