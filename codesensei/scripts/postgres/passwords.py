"""The password of a project's role: staged as a verifier, applied by the switch, put back where that fails."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from codesensei.scripts.base.step import Failure, read_json
from codesensei.scripts.postgres import ownership, postgresql
from codesensei.scripts.postgres.postgresql import PORT, identifier, literal
from codesensei.wire.paths import ProjectPaths


@dataclass(frozen=True)
class Password:
    """A role's password as verifiers: the one that is staged, the one in force, and the port of its cluster."""

    port: int
    staged: str | None
    live: str | None


def find(slug: str, role: str, digest: str) -> Password:
    """The staged password of this digest beside the one in force. Failure when none was staged."""
    staged = read_json(staged_place(ProjectPaths(slug), digest), None)
    if staged is None or staged["role"] != role:
        raise Failure(f"password of the role {role}", "it has not been staged", "run pulumi up again")
    port = int(staged["port"])
    return Password(port, staged["verifier"], stored_verifier(port, role))


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


def live_account(project: ProjectPaths) -> dict[str, str]:
    """Role and digest of the password that the live manifest has; empty where nothing of ours is live."""
    return dict(read_json(project.live, {}).get("database") or {})


def prune(project: ProjectPaths, *digests: str) -> None:
    """Remove the staged verifiers of all other digests."""
    for path in (project.memory / "database").glob("*.json"):
        if path.stem not in (ownership.APPLIED, *digests):
            path.unlink()


def staged_place(project: ProjectPaths, digest: str) -> Path:
    """Where the verifier of the password with this digest is staged."""
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,80}", digest) or digest == ownership.APPLIED:
        raise Failure("database", "the password's digest is not one", "this is a fault of codesensei: please report it")
    return project.memory / "database" / f"{digest}.json"


def in_sql(verifier: str | None) -> str:
    """A verifier, or none, as it stands after PASSWORD in a statement."""
    return literal(verifier) if verifier is not None else "NULL"
