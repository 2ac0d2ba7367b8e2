"""A dump on the server itself, made before migrations that destroy something."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

from codesensei.scripts.backups import postgres, settings, status
from codesensei.scripts.base import files
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.postgres import ownership
from codesensei.scripts.postgres.postgresql import FREE_SPACE


def make(step: Step[object], keep: int) -> None:
    """Dump the project's database; Failure where that is not possible. Of these dumps the newest `keep` stay."""
    if not keep:
        return
    wanted = settings.read(step.project)
    if wanted and wanted.days and status.read(step.project).made:
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


def check(dump: Path, tables: set[str]) -> None:
    """Failure where pg_restore cannot read it, or a table is not in it."""
    listed = postgres.contents(dump)
    there = re.findall(r"^\d+; \d+ \d+ TABLE (?!DATA |ATTACH )(\S+ \S+) ", listed, re.MULTILINE)
    # The list has no quotes, and in it a name with a space cannot be told from what comes after it.
    plain = {name.replace('"', "").replace(".", " ", 1) for name in tables if " " not in name}
    if lacking := sorted(plain - set(there)):
        raise Failure(f"dump {dump}", f"the table {lacking[0]} is not in it", "run pulumi up again")
