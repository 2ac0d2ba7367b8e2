"""The password of a project's role: staged as a verifier, applied by the switch, put back where that fails."""

from __future__ import annotations

import re
from pathlib import Path

from codesensei.scripts.base import files
from codesensei.scripts.base.step import Failure, read_json, remove_json, write_json
from codesensei.scripts.postgres import ownership, postgresql
from codesensei.scripts.postgres.postgresql import PORT, identifier, literal
from codesensei.wire import codec
from codesensei.wire.manifest import Manifest, RolePassword
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass


@dataclass(frozen=True, kw_only=True)
class Staged:
    """A password that waits for the switch, as a verifier; None for a role without one."""

    role: str
    verifier: str | None
    port: int


@dataclass(frozen=True)
class Password:
    """A role's password as verifiers: the one that is staged, the one in force, and the port of its cluster."""

    port: int
    staged: str | None
    live: str | None


def find(slug: str, role: str, digest: str) -> Password:
    """The staged password of this digest beside the one in force. Failure when none was staged."""
    waits = staged(ProjectPaths(slug), digest)
    if waits is None or waits.role != role:
        raise Failure(f"password of the role {role}", "it has not been staged", "run pulumi up again")
    return Password(waits.port, waits.verifier, stored_verifier(waits.port, role))


def apply(slug: str, role: str, digest: str) -> str | None:
    """Make the staged password the role's own (for the switch); returns the verifier it had, None for none."""
    found = find(slug, role, digest)
    if found.live != found.staged:
        restore(role, found.staged, found.port)
    return found.live


def restore(role: str, verifier_text: str | None, port: int = PORT) -> None:
    """Give the role a verifier it had before; None takes its password away."""
    value = in_sql(verifier_text)
    postgresql.sql(port, f"ALTER ROLE {identifier(role)} LOGIN PASSWORD {value};", thing=f"role {role}")


def stored_verifier(port: int, role: str) -> str | None:
    """What PostgreSQL keeps for the role's password; None for no role or no password."""
    found = postgresql.rows(port, f"SELECT rolpassword FROM pg_authid WHERE rolname = {literal(role)}")
    return found[0]["rolpassword"] if found else None


def live_account(project: ProjectPaths) -> RolePassword | None:
    """Role and digest of the password that the live manifest has; None where nothing of ours is live."""
    live = read_json(project.live, {})
    return codec.decode(Manifest, live, str(project.live), kept=True).database if live else None


def prune(project: ProjectPaths, *digests: str) -> None:
    """Remove the staged verifiers of all other digests."""
    for path in (project.memory / "database").glob("*.json"):
        if path.stem not in (ownership.APPLIED, *digests):
            remove_json(path)


def staged(project: ProjectPaths, digest: str) -> Staged | None:
    """The password with this digest, where it is staged."""
    found = read_json(_staged_place(project, digest), None)
    return found and codec.decode(Staged, found, str(_staged_place(project, digest)), kept=True)


def stage(project: ProjectPaths, digest: str, waits: Staged) -> None:
    """Keep a password for the switch."""
    files.make_directory(_staged_place(project, digest).parent, 0o700)
    write_json(_staged_place(project, digest), codec.encode(waits))


def _staged_place(project: ProjectPaths, digest: str) -> Path:
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,80}", digest) or digest == ownership.APPLIED:
        raise Failure("database", "the password's digest is not one", "this is a bug in codesensei: please report it")
    return project.memory / "database" / f"{digest}.json"


def in_sql(verifier: str | None) -> str:
    """A verifier, or none, as it stands after PASSWORD in a statement."""
    return literal(verifier) if verifier is not None else "NULL"
