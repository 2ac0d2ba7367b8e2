"""End a project's access to PostgreSQL, or drop its role and database."""

from __future__ import annotations

from codesensei.scripts.base import register
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.postgres import hba, ownership, postgresql


def remove(step: Step[object], entry: register.Entry, drop: bool) -> tuple[str, str] | None:
    """End the role's login and connections, or drop role and database; return the role and database that are kept."""
    roles, databases = entry.names.get("roles", ()), entry.names.get("databases", ())
    if not roles or not postgresql.clusters():
        return None
    note = ownership.applied(step.project)
    if note is None:
        return _of_an_earlier_destroy(step)
    port = postgresql.ensure_cluster(step, note.port)
    hba.withdraw(step, port)
    for role in roles:
        _end_login(step, port, role)
    if drop:
        for name in databases:
            if postgresql.rows(port, f"SELECT 1 FROM pg_database WHERE datname = {postgresql.literal(name)}"):
                drop_database = f"DROP DATABASE {postgresql.identifier(name)} WITH (FORCE);"
                postgresql.sql(port, drop_database, thing=f"database {name}")
                step.changed(f"database {name} dropped")
        dropped = [_drop_role(step, port, role) for role in roles]
        return None if all(dropped) else (roles[-1], "")
    for name in databases:
        step.say(f"kept: database {name} (a deployed onDestroy.database: drop removes it; {roles[-1]} cannot log in)")
    return roles[-1], databases[-1] if databases else ""


def _of_an_earlier_destroy(step: Step[object]) -> tuple[str, str] | None:
    """What stays where this deploy has made no role: names that are claimed alone may be somebody else's there."""
    before = register.kept(step.slug)
    if before is None or not before.role:
        return None
    kept = f"database {before.database}" if before.database else f"role {before.role}"
    step.say(f"kept: {kept} in PostgreSQL, as an earlier destroy of this stack has left it")
    return before.role, before.database


def _end_login(step: Step[object], port: int, role: str) -> None:
    found = postgresql.rows(port, f"SELECT rolcanlogin FROM pg_roles WHERE rolname = {postgresql.literal(role)}")
    if not found:
        return
    if found[0]["rolcanlogin"]:
        postgresql.sql(port, f"ALTER ROLE {postgresql.identifier(role)} NOLOGIN;", thing=f"role {role}")
        step.changed(f"role {role} can no longer log in")
    ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = {postgresql.literal(role)};"
    postgresql.sql(port, ended, thing=f"role {role}")


def _drop_role(step: Step[object], port: int, role: str) -> bool:
    if not postgresql.rows(port, f"SELECT 1 FROM pg_roles WHERE rolname = {postgresql.literal(role)}"):
        return True
    try:
        postgresql.sql(port, f"DROP ROLE {postgresql.identifier(role)};", thing=f"role {role}")
    except Failure:
        step.say(f"kept: role {role}, without login: it owns something in another database")
        return False
    step.changed(f"role {role} dropped")
    return True
