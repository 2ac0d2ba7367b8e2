"""A copy of the project's own database beside it, for as long as something is tried on it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from codesensei.scripts.backups import postgres
from codesensei.scripts.base import files
from codesensei.scripts.base.step import Step
from codesensei.scripts.postgres import ownership, postgresql
from codesensei.wire.names import EXTENSION_PACKAGES, TRUSTED_EXTENSIONS
from codesensei.wire.quick import dataclass
from codesensei.wire.text import size

# A dump, what is made of it, and tables that a migration writes a second time; what the server itself needs.
PARTS, RESERVE = 2.5, 512 << 20
# Beyond those that any project may have: they stay within their database as well.
HARMLESS = TRUSTED_EXTENSIONS | {*EXTENSION_PACKAGES} | {"plpgsql", "pg_stat_statements", "bloom", "earthdistance"}


@dataclass(frozen=True)
class Original:
    """The database in this server's PostgreSQL that is the stack's own."""

    step: Step[object]
    name: str
    role: str
    port: int

    def size(self) -> int:
        """Its bytes on the disk."""
        return postgres.size(self.port, self.name)

    def has_migrations(self) -> bool:
        """Whether migrations were ever applied."""
        query = "SELECT EXISTS (SELECT FROM pg_tables WHERE tablename = 'django_migrations');"
        return postgresql.sql(self.port, query, self.name).strip() == "t"

    def why_not(self) -> str:
        """Why no copy can be made; empty where one can."""
        rows = postgresql.rows(self.port, "SELECT extname FROM pg_extension ORDER BY extname", self.name)
        if beyond := [row["extname"] for row in rows if row["extname"] not in HARMLESS]:
            return f"its extension {beyond[0]} may reach out of a copy"
        bytes_of_it = self.size()
        needed = int(PARTS * bytes_of_it) + RESERVE
        data = Path(postgresql.sql(self.port, "SHOW data_directory;").strip())
        for place in (data, self.step.project.memory):
            if (free := shutil.disk_usage(place).free) < needed:
                cause = f"{size(free)} are free on the disk of {place}, and a copy of {size(bytes_of_it)} needs"
                return f"{cause} {size(needed)}"
        return ""

    @contextlib.contextmanager
    def copied(self) -> Iterator[str]:
        """The name of a copy with the same owner, which is there for the block alone."""
        folder, name = self.step.project.rehearsal, _name(self.step.slug)
        sweep(self.step)
        # Until the end it tells that there may be a copy.
        files.make_directory(folder, 0o700)
        try:
            dump = folder / "dump"
            _, extensions = postgres.dump(self.port, self.name, dump)
            quiet = postgres.Quiet(self.step.slug, self.step.name, (), None)
            postgres.restore(quiet, self.port, dump, name, self.role, extensions)
            files.remove_path(dump)
            # Without it, PostgreSQL plans as for tables of which nothing is known.
            postgresql.sql(self.port, "ANALYZE;", name)
            yield name
        finally:
            sweep(self.step)


def original(step: Step[object]) -> Original | None:
    """None where the stack has no database in this server's PostgreSQL."""
    found = ownership.applied(step.project)
    return Original(step, found.name, found.role, found.port) if found else None


def sweep(step: Step[object]) -> None:
    """Drop a copy, also one that a killed step has left."""
    folder, found = step.project.rehearsal, ownership.applied(step.project)
    files.remove_path(step.project.rehearsal_socket)
    if folder.exists():
        if found and any(cluster.port == found.port for cluster in postgresql.clusters()):
            port = postgresql.ensure_cluster(step, found.port)
            # Sessions of the project's may be there still.
            postgres.drop(port, _name(step.slug))
        files.remove_path(folder)


def _name(slug: str) -> str:
    return f"codesensei_rehearsal_{slug}"
