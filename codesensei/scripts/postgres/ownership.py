"""Whose a role and a database are: somebody else's are refused by name before anything is changed."""

from __future__ import annotations

from pathlib import Path

from codesensei.scripts.base import register
from codesensei.scripts.base.before import NAME_BYTES
from codesensei.scripts.base.step import Failure, Step, read_json, write_json
from codesensei.scripts.postgres import postgresql
from codesensei.scripts.postgres.postgresql import literal
from codesensei.wire import codec
from codesensei.wire.names import is_system_database
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass

APPLIED = "applied"
# Whether a role has been kept from logging in, other than by NOLOGIN.
LOCKED = "(rolconnlimit = 0 OR coalesce(rolvaliduntil < now(), false))"
MOVE = "or move it: stop the project's units, then on the server {command}, and run pulumi up once with "
MOVE += "codesensei:adopt: true"


def forbidden(name: str) -> bool:
    """Whether a role or database of this name is never ours."""
    return is_system_database(name) or not name or len(name.encode()) > NAME_BYTES


@dataclass(frozen=True, kw_only=True)
class Applied:
    """The names and the port that the project's data has, and how it logs in: as hba.Way has it.

    `host` is None in a note of a version that did not keep it.
    """

    name: str
    role: str
    port: int
    host: str | None = None
    user: str = ""
    has_password: bool = True


def applied(project: ProjectPaths) -> Applied | None:
    """Root's note of them; None before the first deploy."""
    found = read_json(_applied_place(project), None)
    return found and codec.decode(Applied, found, str(_applied_place(project)), kept=True)


def apply(project: ProjectPaths, now: Applied) -> None:
    """Write the note."""
    write_json(_applied_place(project), codec.encode(now))


def _applied_place(project: ProjectPaths) -> Path:
    return project.memory / "database" / f"{APPLIED}.json"


def claim(step: Step[object], port: int, name: str, role: str, adopt: bool) -> None:
    """Claim database and role in the register; Failure for what exists and is not this project's."""
    refuse_foreign(step, port, name, role, adopt)
    names = {"databases": [name], "roles": [role]}
    claimed = register.claim(step.slug, names, adopt=adopt)
    # A name that was moved away from by hand is free again.
    claimed = register.settle(step.slug, names) or claimed
    step.converge(claimed, f"database {name} and role {role} claimed")


def refuse_reserved(name: str, role: str) -> None:
    """Raise Failure for a name that is never a project's."""
    for text, kind in ((name, "database"), (role, "role")):
        if forbidden(text):
            raise Failure(f"{kind} {text or '(empty)'}", "this name is never a project's", "choose another name for it")


def refuse_moved(step: Step[object], port: int, name: str, role: str) -> None:
    """Raise Failure where the project's data has another name, role or cluster than the stack says now."""
    was = applied(step.project)
    if was is None or not _exists(was.port, "database", was.name):
        return
    if was.name != name:
        command = f'sudo -u postgres psql -c \'ALTER DATABASE "{was.name}" RENAME TO "{name}"\''
        cause = f"this project's database is {was.name}, and its name does not change by itself"
        raise Failure(f"database {name}", cause, f"put the name {was.name} back; {MOVE.format(command=command)}")
    if was.role != role and _exists(was.port, "role", was.role):
        command = f'sudo -u postgres psql -c \'ALTER ROLE "{was.role}" RENAME TO "{role}"\''
        cause = f"this project's role is {was.role}, which owns its tables, and its name does not change by itself"
        raise Failure(f"role {role}", cause, f"put the name {was.role} back; {MOVE.format(command=command)}")
    if was.port != port:
        command = f"pg_dump it from port {was.port} into one of this name at port {port}"
        cause = f"it is in the cluster at port {was.port}, and does not move to port {port} by itself"
        raise Failure(f"database {name}", cause, f"put the port {was.port} back; {MOVE.format(command=command)}")


def refuse_foreign(step: Step[object], port: int, name: str, role: str, adopt: bool) -> None:
    """Raise Failure for what the cluster has and no stack here; the cluster must be online."""
    refuse_reserved(name, role)
    # Nobody has the slug yet where a preview asks.
    entry, kept = register.entry(step.slug), register.kept(step.slug)
    own = (kept.database, kept.role) if kept and (entry is None or kept.stack == entry.stack) else ()
    for what, text, kind in (("database", name, "databases"), ("role", role, "roles")):
        if (entry and entry.has(kind, text)) or register.owner(kind, text) or not _exists(port, what, text):
            continue
        superuser = f"SELECT 1 FROM pg_roles WHERE rolname = {literal(text)} AND rolsuper"
        if what == "role" and postgresql.rows(port, superuser):
            raise Failure(f"role {text}", "it is a superuser of the cluster", "choose another role for the project")
        if text in own:
            step.say(f"{what} {text}, which an earlier destroy of this stack kept, is used again")
        elif not adopt:
            cause = "it exists in this server's PostgreSQL, and no stack here has it"
            fix = "choose another (codesensei:database.name, DATABASE_URL), or take it over with codesensei:adopt: true"
            raise Failure(f"{what} {text}", cause, fix)


def _exists(port: int, what: str, name: str) -> bool:
    """Whether the cluster of this port, where it is online, has such a database or role."""
    if not any(cluster.online and cluster.port == port for cluster in postgresql.clusters()):
        return False
    where = "pg_database WHERE datname" if what == "database" else "pg_roles WHERE rolname"
    return bool(postgresql.rows(port, f"SELECT 1 FROM {where} = {literal(name)}"))
