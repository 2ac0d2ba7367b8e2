"""A dump on the server itself, made before migrations that destroy something."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

from codesensei.scripts.backups import archiving, postgres, settings, status
from codesensei.scripts.backups.pgbackrest import Archive
from codesensei.scripts.base import files
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.postgres import ownership
from codesensei.scripts.postgres.postgresql import FREE_SPACE
from codesensei.wire.steps import Finding


def make(step: Step[object], keep: int) -> None:
    """Dump the project's database; Failure where that is not possible. Of these dumps the newest `keep` stay."""
    if not keep:
        return
    if _is_archived(step):
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        step.say(f"not dumped before destructive migrations: codesensei restore --at {now} brings back what was before")
        return
    found = ownership.applied(step.project)
    if found is None:
        step.say("the database is not this server's PostgreSQL: it is not dumped before destructive migrations")
        return
    folder = step.project.memory / "dumps"
    files.make_directory(folder, 0o700)
    if postgres.size(found.port, found.name) > shutil.disk_usage(folder).free:
        fix = f"{FREE_SPACE}; or set codesensei:database.dumpKeep: 0, where a backup is enough"
        raise Failure(f"disk of {folder}", "there is no room for a dump before destructive migrations", fix)
    path, partial = folder / f"{time.strftime('%Y%m%d-%H%M%S')}.dump", folder / "partial"
    counts, _ = postgres.dump(found.port, found.name, partial)
    check(partial, set(counts))
    partial.rename(path)
    for old in sorted(folder.glob("*.dump"))[:-keep]:
        files.remove_path(old)
    step.say(f"dumped before destructive migrations: {path} ({sum(counts.values())} rows in {len(counts)} tables)")


def _is_archived(step: Step[object]) -> bool:
    """Whether this moment can be restored by continuous backups: asked of the archive now, not of what was set up."""
    wanted, made = settings.read(step.project), status.read(step.project).made
    if wanted is None or not wanted.days or not made:
        return False
    archive = Archive(step.project, wanted)
    try:
        if archiving.is_on(archive):
            archive.check()
            lost = next(archiving.findings(step.project, made), None)
        else:
            lost = Finding(thing=archiving.THING, cause="it is not on", fix="")
    except Failure as failure:
        lost = Finding(thing=failure.thing, cause=failure.cause, fix="")
    if lost:
        step.say(f"dumping, as this moment could not be restored: {lost.thing}: {lost.cause}")
    return lost is None


def check(dump: Path, tables: set[str]) -> None:
    """Failure where pg_restore cannot read it, or a table is not in it."""
    listed = postgres.contents(dump)
    there = re.findall(r"^\d+; \d+ \d+ TABLE (?!DATA |ATTACH )(\S+ \S+) ", listed, re.MULTILINE)
    # The list has no quotes, and in it a name with a space cannot be told from what comes after it.
    plain = {name.replace('"', "").replace(".", " ", 1) for name in tables if " " not in name}
    if lacking := sorted(plain - set(there)):
        raise Failure(f"dump {dump}", f"the table {lacking[0]} is not in it", "run pulumi up again")
