"""The role and the database of a project in the server's own PostgreSQL.

The password is only ever sent as a SCRAM-SHA-256 verifier, computed here. A role that serves already gets nothing new
in this step: the verifier is staged, and the switch applies it with `apply_password`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from codesensei.scripts import files, hba, postgresql, register, scram
from codesensei.scripts.packages import EXTENSIONS
from codesensei.scripts.paths import Project
from codesensei.scripts.postgresql import PORT, identifier, literal
from codesensei.scripts.step import Failure, Step, read_json, write_json

NAME_BYTES = 63
FORBIDDEN = ("postgres", "template0", "template1", "public", "none", "current_user", "session_user", "current_role")
# Names that people use for an extension, by the name that PostgreSQL uses.
EXTENSION_NAMES = {"pgvector": "vector"}


def run(step: Step) -> None:
    """Make or check role, database, privileges and extensions; set or stage the password."""
    data = step.data
    name, role = str(data["name"]), str(data["role"])
    port = postgresql.ensure_cluster(step, int(data.get("port") or PORT))
    claim(step, name, role, bool(data.get("adopt")))
    _role(step, port, role, str(data["password"]), str(data["digest"]))
    _database(step, port, name, role)
    for extension in data.get("extensions", []):
        _extension(step, port, name, role, str(extension))
    hba.check_access(port, name, role)


def forbidden(name: str) -> bool:
    """Whether a role or database of this name is never ours."""
    return name in FORBIDDEN or name.startswith("pg_") or not name or len(name.encode()) > NAME_BYTES


# The password


@dataclass(frozen=True)
class Password:
    """A role's password as verifiers: the one that is staged, the one in force, and the port of its cluster."""

    port: int
    staged: str
    live: str | None


def password(slug: str, role: str, digest: str) -> Password:
    """The staged password of this digest beside the one in force. Failure when none was staged."""
    staged = read_json(_staged(Project(slug), digest), None)
    if staged is None or staged["role"] != role:
        raise Failure(f"password of the role {role}", "it has not been staged", "run pulumi up again")
    port = int(staged["port"])
    return Password(port, staged["verifier"], stored_verifier(port, role))


def apply_password(slug: str, role: str, digest: str) -> str | None:
    """Make the staged password the role's own (for the switch); returns the verifier it had, None for none."""
    found = password(slug, role, digest)
    if found.live != found.staged:
        restore_password(role, found.staged, found.port)
    return found.live


def restore_password(role: str, verifier_text: str | None, port: int = PORT) -> None:
    """Give the role a verifier it had before; None takes its password away."""
    value = literal(verifier_text) if verifier_text is not None else "NULL"
    postgresql.sql(port, f"ALTER ROLE {identifier(role)} LOGIN PASSWORD {value};")


def stored_verifier(port: int, role: str) -> str | None:
    """What PostgreSQL keeps for the role's password; None for no role or no password."""
    found = postgresql.rows(port, f"SELECT rolpassword FROM pg_authid WHERE rolname = {literal(role)}")
    return found[0]["rolpassword"] if found else None


def _staged(project: Project, digest: str) -> Path:
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,80}", digest):
        raise Failure("database", "the password's digest is not one", "this is a fault of codesensei: please report it")
    return project.memory / "database" / f"{digest}.json"


# Who owns what


def claim(step: Step, name: str, role: str, adopt: bool) -> None:
    """Claim database and role in the register; Failure for what exists and is not this project's."""
    refuse_foreign(step, name, role, adopt)
    names = {"databases": [name], "roles": [role]}
    claimed = register.claim(step.slug, names, adopt=adopt)
    # A name that was moved away from by hand is free again.
    claimed = register.settle(step.slug, names) or claimed
    step.converge(claimed, f"database {name} and role {role} claimed")


def refuse_foreign(step: Step, name: str, role: str, adopt: bool) -> None:
    """Raise Failure for a name that is never a project's, and for what the cluster has and no stack here."""
    for text, kind in ((name, "database"), (role, "role")):
        if forbidden(text):
            raise Failure(f"{kind} {text or '(empty)'}", "this name is never a project's", "choose another name for it")
    entry = register.entry(step.slug)
    if entry is None or not (entry.has("databases", name) and entry.has("roles", role)):
        _refuse_existing(step, name, role, adopt)


def _refuse_existing(step: Step, name: str, role: str, adopt: bool) -> None:
    """Raise Failure for a database or role that is in the cluster and nobody's in the register."""
    port = next((cluster.port for cluster in postgresql.clusters() if cluster.online and cluster.port == PORT), None)
    entry = register.entry(step.slug)
    if port is None or entry is None:
        return
    kept = register.kept(step.slug)
    own = (kept.database, kept.role) if kept is not None and kept.stack == entry.stack else ()
    checks = (
        ("database", name, "databases", "pg_database WHERE datname"),
        ("role", role, "roles", "pg_roles WHERE rolname"),
    )
    for what, text, kind, where in checks:
        query = f"SELECT 1 FROM {where} = {literal(text)}"
        if entry.has(kind, text) or register.owner(kind, text) or not postgresql.rows(port, query):
            continue
        if what == "role" and postgresql.rows(port, f"{query} AND rolsuper"):
            raise Failure(f"role {text}", "it is a superuser of the cluster", "choose another role for the project")
        if text in own:
            step.say(f"{what} {text}, which an earlier destroy of this stack kept, is used again")
        elif not adopt:
            raise Failure(
                f"{what} {text}",
                "it exists in this server's PostgreSQL, and no stack here has it",
                "choose another name (codesensei:database.name, or DATABASE_URL), "
                "or take it over with codesensei:adopt: true",
            )


# Convergence


def _role(step: Step, port: int, role: str, password: str, digest: str) -> None:
    found = postgresql.rows(port, f"SELECT rolcanlogin, rolpassword FROM pg_authid WHERE rolname = {literal(role)}")
    project = step.project
    applied = project.memory / "database" / "applied.json"
    files.make_directory(applied.parent, 0o700)
    # A role that this stack's live release uses already waits for the switch.
    serves = bool(found) and found[0]["rolcanlogin"] and files.link_target(project.current) is not None
    live = found[0]["rolpassword"] if found else None
    staged = read_json(_staged(project, digest), {})
    if scram.matches(live, password):
        text = str(live)
    elif staged.get("role") == role and scram.matches(staged.get("verifier"), password):
        text = str(staged["verifier"])
    else:
        text = scram.verifier(password)
    write_json(_staged(project, digest), {"role": role, "verifier": text, "port": port})
    if not found:
        postgresql.sql(port, f"CREATE ROLE {identifier(role)} LOGIN PASSWORD {literal(text)};", thing=f"role {role}")
        step.changed(f"role {role} made")
    elif not serves and (live != text or not found[0]["rolcanlogin"]):
        restore_password(role, text, port)
        step.changed(f"role {role} got its password")
    elif live != text and staged.get("verifier") != text:
        step.changed(f"new password of the role {role} staged for the switch")
    write_json(applied, {"role": role, "port": port})


def _database(step: Step, port: int, name: str, role: str) -> None:
    query = (
        "SELECT pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding, datallowconn AS open"
        f" FROM pg_database WHERE datname = {literal(name)}"
    )
    found = postgresql.rows(port, query)
    if not found:
        _create_database(step, port, name, role)
    elif found[0]["owner"] != role:
        postgresql.sql(
            port, f"ALTER DATABASE {identifier(name)} OWNER TO {identifier(role)};", thing=f"database {name}"
        )
        step.changed(f"database {name} belongs to {role} now")
    elif not found[0]["open"]:
        _open_database(port, name)
        step.changed(f"database {name} opened")
    if found and found[0]["encoding"] != "UTF8":
        step.say(f"warning: the database {name} has the encoding {found[0]['encoding']}, not UTF8")
    allowed = postgresql.rows(port, f"SELECT has_schema_privilege({literal(role)}, 'public', 'CREATE') AS create", name)
    if not allowed[0]["create"]:
        postgresql.sql(port, f"GRANT ALL ON SCHEMA public TO {identifier(role)};", name)
        step.changed(f"role {role} may create tables in {name}")


def _create_database(step: Step, port: int, name: str, role: str) -> None:
    query = "SELECT pg_encoding_to_char(encoding) AS encoding FROM pg_database WHERE datname = 'template0'"
    template = postgresql.rows(port, query)
    # The cluster's own locale where it can hold UTF-8; C.UTF-8 is on every supported system.
    locale = "" if template[0]["encoding"] == "UTF8" else " LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'"
    postgresql.sql(
        port,
        f"CREATE DATABASE {identifier(name)} OWNER {identifier(role)} TEMPLATE template0 ENCODING 'UTF8'{locale}"
        " ALLOW_CONNECTIONS false;",
        thing=f"database {name}",
    )
    _open_database(port, name)
    step.changed(f"database {name} made")


def _open_database(port: int, name: str) -> None:
    """Let its owner in, and no other role. Closed until then, so a run that was cut off between is completed."""
    quoted = identifier(name)
    postgresql.sql(
        port,
        f"REVOKE CONNECT, TEMPORARY ON DATABASE {quoted} FROM PUBLIC;\nALTER DATABASE {quoted} ALLOW_CONNECTIONS true;",
        thing=f"database {name}",
    )


def _extension(step: Step, port: int, database: str, role: str, asked: str) -> None:
    extension = EXTENSION_NAMES.get(asked, asked)
    if postgresql.rows(port, f"SELECT 1 FROM pg_extension WHERE extname = {literal(extension)}", database):
        return
    versions = f"pg_available_extension_versions WHERE name = {literal(extension)}"
    found = postgresql.rows(port, f"SELECT bool_or(trusted) AS trusted, count(*) AS count FROM {versions}", database)[0]
    thing = f"extension {asked}"
    if not found["count"]:
        raise Failure(
            thing,
            "this server's PostgreSQL does not have it",
            "correct codesensei:database.extensions, or name its package in codesensei:project.systemPackages",
        )
    if not found["trusted"] and asked not in EXTENSIONS:
        raise Failure(
            thing,
            "it is not a trusted extension: it would give the project more than its database",
            f"create it on the server once: sudo -u postgres psql {database} -c 'CREATE EXTENSION …'",
        )
    as_owner = f"SET ROLE {identifier(role)};\n" if found["trusted"] else ""
    postgresql.sql(port, f"{as_owner}CREATE EXTENSION {identifier(extension)} CASCADE;", database, thing)
    step.changed(f"{thing} made in {database}")
