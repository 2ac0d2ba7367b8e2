"""A new database made of another one: of a project of this server, which is only read, or of a dump that was sent."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from pathlib import Path

from codesensei.scripts.backups import postgres
from codesensei.scripts.backups.postgres import Counts
from codesensei.scripts.base import files
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.postgres import ownership, postgresql
from codesensei.scripts.postgres.postgresql import FREE_SPACE, identifier
from codesensei.scripts.serving.live import Live
from codesensei.wire.names import EXTENSION_PACKAGES, TRUSTED_EXTENSIONS
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.steps import Fill

CHUNK = 1 << 20
# As pg_restore lists them.
_EXTENSION = re.compile(r"^\d+; \d+ \d+ EXTENSION - (\S+)", re.MULTILINE)


def make(step: Step[object], port: int, name: str, role: str, wanted: Fill, sent: Path) -> None:
    """Make the database `name`, which is not there, in one rename at the end; `sent` is where a dump has arrived.

    Cut off before that, the next run begins again. Failure where there is nothing to make it of.
    """
    folder, new = step.project.memory / "fill", postgres.scratch(step.project, "new")
    files.remove_path(folder)
    files.make_directory(folder, 0o700)
    try:
        file = folder / "dump"
        if wanted.project:
            counts, extensions = _dump(step, wanted.project, file)
        else:
            counts, extensions = {}, _take(wanted.dump, sent, file)
        postgres.drop(port, new)
        postgres.restore(step, port, file, new, role, extensions)
        there = postgres.count(port, new)
        if wanted.project:
            _compare(wanted.project, counts, there)
        renamed = f"ALTER DATABASE {identifier(new)} RENAME TO {identifier(name)};"
        postgresql.sql(port, renamed, thing=f"database {name}")
    except (Failure, OSError):
        postgres.drop(port, new)
        raise
    finally:
        files.remove_path(folder)
    source = f"that of {wanted.project}" if wanted.project else "the dump"
    step.changed(f"database {name} filled from {source} ({sum(there.values())} rows in {len(there)} tables)")


def _dump(step: Step[object], slug: str, into: Path) -> tuple[Counts, list[str]]:
    """Read another project's database, in one snapshot."""
    thing = f"database of {slug}"
    other = ProjectPaths(slug)
    manifest, found = Live.read(other).manifest, ownership.applied(other)
    if manifest is not None and manifest.production:
        fix = "take another stack; or give a dump that holds nothing of a customer's: codesensei review up --dump FILE"
        raise Failure(thing, f"{slug} is production, and its data are not for code under review", fix)
    if found is None or not postgres.exists(found.port, found.name):
        fix = "deploy that stack first, or give a dump: codesensei review up --dump FILE"
        raise Failure(thing, "this server's PostgreSQL has none", fix)
    # The dump, and the database that is made of it.
    if 2 * postgres.size(found.port, found.name) > shutil.disk_usage(into.parent).free:
        raise Failure(f"disk of {into.parent}", f"there is no room for a copy of the database of {slug}", FREE_SPACE)
    step.say(f"reading the database of {slug}")
    return postgres.dump(found.port, found.name, into)


def _take(sha256: str, sent: Path, into: Path) -> list[str]:
    """Root's own copy of a dump, and the extensions that it needs."""
    again = "send it again: codesensei review up --dump FILE"
    try:
        handle = os.open(sent, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        raise Failure("dump", "it is not on this server", again) from None
    found = hashlib.sha256()
    with os.fdopen(handle, "rb") as source, into.open("wb") as copy:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Failure(f"dump {sent}", "it is no file", again)
        while block := source.read(CHUNK):
            found.update(block)
            copy.write(block)
    if found.hexdigest() != sha256:
        raise Failure("dump", "it is not the one that was sent", again)
    named = _EXTENSION.findall(postgres.contents(into))
    # What no project may have is left out, and pg_restore then names what needs it.
    return [name for name in named if name in TRUSTED_EXTENSIONS or name in EXTENSION_PACKAGES]


def _compare(slug: str, counts: Counts, there: Counts) -> None:
    wrong = sorted(name for name in {**counts, **there} if counts.get(name) != there.get(name))
    if wrong:
        cause = f"{len(wrong)} tables of the copy differ: {wrong[0]} has {counts.get(wrong[0], 0)} rows there"
        raise Failure(f"database of {slug}", f"{cause} and {there.get(wrong[0], 0)} here", "run pulumi up again")
