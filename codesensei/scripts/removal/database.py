"""End a project's access to PostgreSQL, or drop its role and database."""

from __future__ import annotations

from collections.abc import Iterable

from codesensei.scripts.base import before, register
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
    restored = _kept_by_restores(port, roles, databases)
    if drop:
        for name in (*databases, *restored):
            if postgresql.rows(port, f"SELECT 1 FROM pg_database WHERE datname = {postgresql.literal(name)}"):
                drop_database = f"DROP DATABASE {postgresql.identifier(name)} WITH (FORCE);"
                postgresql.sql(port, drop_database, thing=f"database {name}")
                step.changed(f"database {name} dropped")
        dropped = [_drop_role(step, port, role) for role in roles]
        return None if all(dropped) else (roles[-1], "")
    for name in (*databases, *restored):
        step.say(f"kept: database {name} (a deployed onDestroy.database: drop removes it; {roles[-1]} cannot log in)")
    return roles[-1], databases[-1] if databases else ""


def _of_an_earlier_destroy(step: Step[object]) -> tuple[str, str] | None:
    """What stays where this deploy has made no role: names that are claimed alone may be somebody else's there."""
    kept = register.kept(step.slug)
    if kept is None or not kept.role:
        return None
    name = f"database {kept.database}" if kept.database else f"role {kept.role}"
    step.say(f"kept: {name} in PostgreSQL, as an earlier destroy of this stack has left it")
    return kept.role, kept.database


def _kept_by_restores(port: int, roles: Iterable[str], databases: Iterable[str]) -> list[str]:
    """The stack's databases of before that its restores have kept, oldest first."""
    owners = ", ".join(map(postgresql.literal, roles))
    query = f"SELECT datname FROM pg_database WHERE pg_get_userbyid(datdba) IN ({owners}) ORDER BY datname"
    found = [row["datname"] for row in postgresql.rows(port, query)]
    return [name for name in found if any(before.is_of(name, known) for known in databases)]


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
        held = ", ".join(_holding(port, role)) or "no database of this server"
        step.say(f"kept: role {role}, without login: it owns or may do something in {held}")
        return False
    step.changed(f"role {role} dropped")
    return True


def _holding(port: int, role: str) -> list[str]:
    """The databases that are the role's, or in which something is, or it has a right."""
    query = f"""
        SELECT DISTINCT datname FROM pg_shdepend AS held JOIN pg_database AS there
        ON there.oid = CASE WHEN classid = 'pg_database'::regclass THEN objid ELSE dbid END
        WHERE refclassid = 'pg_authid'::regclass
        AND refobjid = (SELECT oid FROM pg_roles WHERE rolname = {postgresql.literal(role)}) ORDER BY datname
    """
    return [row["datname"] for row in postgresql.rows(port, query)]
