"""The role and the database of a project in the server's own PostgreSQL.

The password is only ever sent as a SCRAM-SHA-256 verifier, computed here. A role that serves already gets nothing new
in this step: the verifier is staged, and the switch applies it with `apply_password`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import re
import secrets
import socket
import stringprep
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesensei.scripts import files, register
from codesensei.scripts.commands import run as command
from codesensei.scripts.commands import systemctl
from codesensei.scripts.packages import EXTENSIONS
from codesensei.scripts.paths import Project
from codesensei.scripts.step import Failure, Step, read_json, write_json

PORT = 5432
ITERATIONS = 4096
SALT_BYTES = 16
NAME_BYTES = 63
FORBIDDEN = ("postgres", "template0", "template1", "public", "none", "current_user", "session_user", "current_role")
# Names that people use for an extension, by the name that PostgreSQL uses.
EXTENSION_NAMES = {"pgvector": "vector"}
# Whatever the cluster logs, no statement of ours enters its log: they carry verifiers.
QUIET = (
    "SET log_statement = 'none'; SET log_min_duration_statement = -1; SET log_min_error_statement = 'panic';"
    " SET log_duration = off; SET client_min_messages = 'warning';\n\\set VERBOSITY terse\n"
)
CLUSTERS_TEXT = "look at the cluster on the server: pg_lsclusters"


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL cluster as pg_lsclusters has it."""

    version: str
    name: str
    port: int
    online: bool


def run(step: Step) -> None:
    """Make or check role, database, privileges and extensions; set or stage the password."""
    data = step.data
    name, role = str(data["name"]), str(data["role"])
    port = ensure_cluster(step, int(data.get("port") or PORT))
    claim(step, name, role, bool(data.get("adopt")))
    _role(step, port, role, str(data["password"]), str(data["digest"]))
    _database(step, port, name, role)
    for extension in data.get("extensions", []):
        _extension(step, port, name, role, str(extension))
    _check_access(port, name, role)


# Names and values in SQL


def identifier(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + _held(name).replace('"', '""') + '"'


def literal(value: str) -> str:
    """`value` as an SQL string, read the same whatever standard_conforming_strings says."""
    text = "'" + _held(value).replace("'", "''") + "'"
    return " E" + text.replace("\\", "\\\\") if "\\" in text else text


def _held(text: str) -> str:
    if "\0" in text:
        raise Failure("database", "a name or value has a NUL character", "take it out")
    return text


def forbidden(name: str) -> bool:
    """Whether a role or database of this name is never ours."""
    return name in FORBIDDEN or name.startswith("pg_") or not name or len(name.encode()) > NAME_BYTES


# The password


def verifier(password: str, salt: bytes | None = None, iterations: int = ITERATIONS) -> str:
    """What PostgreSQL stores for `password` (RFC 5802, RFC 7677); a random salt unless one is given."""
    salt = secrets.token_bytes(SALT_BYTES) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", saslprep(password).encode(), salt, iterations)
    client_key = hmac.new(salted, b"Client Key", "sha256").digest()
    server_key = hmac.new(salted, b"Server Key", "sha256").digest()
    stored_key = hashlib.sha256(client_key).digest()
    text = [base64.b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${iterations}:{text[0]}${text[1]}:{text[2]}"


def matches(stored: str | None, password: str) -> bool:
    """Whether the stored verifier is one of `password`."""
    found = re.fullmatch(r"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$[^:]+:.+", stored or "")
    if not found or stored is None:
        return False
    return hmac.compare_digest(verifier(password, base64.b64decode(found[2]), int(found[1])), stored)


def saslprep(text: str) -> str:
    """`text` as RFC 4013 prepares it; unchanged where that refuses it, as PostgreSQL and libpq do."""
    if text.isascii():
        return text
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in text if not stringprep.in_table_b1(char)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    return prepared if prepared and not _prohibited(prepared) else text


def _prohibited(text: str) -> bool:
    tables = (
        stringprep.in_table_a1,
        stringprep.in_table_c12,
        stringprep.in_table_c21_c22,
        stringprep.in_table_c3,
        stringprep.in_table_c4,
        stringprep.in_table_c5,
        stringprep.in_table_c6,
        stringprep.in_table_c7,
        stringprep.in_table_c8,
        stringprep.in_table_c9,
    )
    if any(table(char) for char in text for table in tables):
        return True
    if any(stringprep.in_table_d1(char) for char in text):
        both = any(stringprep.in_table_d2(char) for char in text)
        return both or not (stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1]))
    return False


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
    sql(port, f"ALTER ROLE {identifier(role)} LOGIN PASSWORD {value};")


def stored_verifier(port: int, role: str) -> str | None:
    """What PostgreSQL keeps for the role's password; None for no role or no password."""
    found = rows(port, f"SELECT rolpassword FROM pg_authid WHERE rolname = {literal(role)}")
    return found[0]["rolpassword"] if found else None


def _staged(project: Project, digest: str) -> Path:
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,80}", digest):
        raise Failure("database", "the password's digest is not one", "this is a fault of codesensei: please report it")
    return project.memory / "database" / f"{digest}.json"


# The cluster


def ensure_cluster(step: Step | None, port: int = PORT) -> int:
    """Start the cluster of this port when it is down; returns the port. Failure when there is none."""
    found = clusters()
    chosen = next((cluster for cluster in found if cluster.port == port), None)
    if chosen is None:
        there = ", ".join(f"{item.version}/{item.name} at {item.port}" for item in found) or "none"
        raise Failure(
            "PostgreSQL",
            f"no cluster of this server has port {port} (there is: {there})",
            "name the cluster's port in DATABASE_URL, or give the cluster this port in its postgresql.conf",
        )
    if not chosen.online:
        unit = f"postgresql@{chosen.version}-{chosen.name}.service"
        if not systemctl("start", unit, check=False).ok:
            log = command(["journalctl", "-u", unit, "-n", "20", "--no-pager", "-o", "cat"], check=False)
            cause = f"the cluster {chosen.version}/{chosen.name} does not start"
            raise Failure("PostgreSQL", cause, CLUSTERS_TEXT, log.stdout)
        if step:
            step.changed(f"PostgreSQL cluster {chosen.version}/{chosen.name} started")
    return port


def clusters() -> list[Cluster]:
    """All clusters of this server; empty where there is no PostgreSQL."""
    try:
        listed = command(["pg_lsclusters", "-h"], check=False).stdout
    except Failure:
        return []
    return [
        Cluster(words[0], words[1], int(words[2]), words[3].startswith("online"))
        for line in listed.splitlines()
        if len(words := line.split()) >= 4
    ]


def sql(port: int, text: str, database: str = "postgres", thing: str = "PostgreSQL") -> str:
    """Run statements as the cluster's superuser, from standard input; returns what psql prints, unaligned."""
    argv = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "psql", "-X", "-q", "-A", "-t"]
    argv += ["-v", "ON_ERROR_STOP=1", "-h", "/var/run/postgresql", "-p", str(port), "-d", database, "-f", "-"]
    return command(argv, input=QUIET + text + "\n", timeout=600, thing=thing, cure=CLUSTERS_TEXT).stdout


def rows(port: int, query: str, database: str = "postgres") -> list[dict[str, Any]]:
    """The rows of a query, by column."""
    text = sql(port, f"SELECT coalesce(json_agg(found), '[]'::json) FROM ({query}) AS found;", database)
    found: list[dict[str, Any]] = json.loads(text)
    return found


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
    port = next((cluster.port for cluster in clusters() if cluster.online and cluster.port == PORT), None)
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
        if entry.has(kind, text) or register.owner(kind, text) or not rows(port, query):
            continue
        if what == "role" and rows(port, f"{query} AND rolsuper"):
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
    found = rows(port, f"SELECT rolcanlogin, rolpassword FROM pg_authid WHERE rolname = {literal(role)}")
    project = step.project
    applied = project.memory / "database" / "applied.json"
    files.make_directory(applied.parent, 0o700)
    # A role that this stack's live release uses already waits for the switch.
    serves = bool(found) and found[0]["rolcanlogin"] and files.link_target(project.current) is not None
    live = found[0]["rolpassword"] if found else None
    staged = read_json(_staged(project, digest), {})
    if matches(live, password):
        text = str(live)
    elif staged.get("role") == role and matches(staged.get("verifier"), password):
        text = str(staged["verifier"])
    else:
        text = verifier(password)
    write_json(_staged(project, digest), {"role": role, "verifier": text, "port": port})
    if not found:
        sql(port, f"CREATE ROLE {identifier(role)} LOGIN PASSWORD {literal(text)};", thing=f"role {role}")
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
    found = rows(port, query)
    if not found:
        _create_database(step, port, name, role)
    elif found[0]["owner"] != role:
        sql(port, f"ALTER DATABASE {identifier(name)} OWNER TO {identifier(role)};", thing=f"database {name}")
        step.changed(f"database {name} belongs to {role} now")
    elif not found[0]["open"]:
        _open_database(port, name)
        step.changed(f"database {name} opened")
    if found and found[0]["encoding"] != "UTF8":
        step.say(f"warning: the database {name} has the encoding {found[0]['encoding']}, not UTF8")
    allowed = rows(port, f"SELECT has_schema_privilege({literal(role)}, 'public', 'CREATE') AS create", name)
    if not allowed[0]["create"]:
        sql(port, f"GRANT ALL ON SCHEMA public TO {identifier(role)};", name)
        step.changed(f"role {role} may create tables in {name}")


def _create_database(step: Step, port: int, name: str, role: str) -> None:
    query = "SELECT pg_encoding_to_char(encoding) AS encoding FROM pg_database WHERE datname = 'template0'"
    template = rows(port, query)
    # The cluster's own locale where it can hold UTF-8; C.UTF-8 is on every supported system.
    locale = "" if template[0]["encoding"] == "UTF8" else " LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'"
    sql(
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
    sql(
        port,
        f"REVOKE CONNECT, TEMPORARY ON DATABASE {quoted} FROM PUBLIC;\nALTER DATABASE {quoted} ALLOW_CONNECTIONS true;",
        thing=f"database {name}",
    )


def _extension(step: Step, port: int, database: str, role: str, asked: str) -> None:
    extension = EXTENSION_NAMES.get(asked, asked)
    if rows(port, f"SELECT 1 FROM pg_extension WHERE extname = {literal(extension)}", database):
        return
    versions = f"pg_available_extension_versions WHERE name = {literal(extension)}"
    found = rows(port, f"SELECT bool_or(trusted) AS trusted, count(*) AS count FROM {versions}", database)[0]
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
    sql(port, f"{as_owner}CREATE EXTENSION {identifier(extension)} CASCADE;", database, thing)
    step.changed(f"{thing} made in {database}")


def _check_access(port: int, name: str, role: str) -> None:
    """Refuse a cluster in which the project's password cannot work over 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=10).close()
    except OSError as error:
        raise Failure(
            "PostgreSQL",
            f"it does not listen on 127.0.0.1:{port} ({error})",
            "set listen_addresses = 'localhost' in postgresql.conf and restart it",
        ) from None
    rule = access_rule(rows(port, "SELECT * FROM pg_hba_file_rules ORDER BY line_number"), name, role)
    if rule is None or rule["auth_method"] not in ("scram-sha-256", "md5", "password", "trust"):
        cause = f"line {rule['line_number']} says {rule['auth_method']}" if rule else "no line allows it"
        raise Failure(
            "PostgreSQL's pg_hba.conf",
            f"a password over 127.0.0.1 does not work for {role}: {cause}",
            f"add above it: host {name} {role} 127.0.0.1/32 scram-sha-256; then: systemctl reload postgresql",
        )


def access_rule(rules: Iterable[dict[str, Any]], database: str, role: str) -> dict[str, Any] | None:
    """The first pg_hba rule for `role` from 127.0.0.1; None when there is none."""
    for rule in rules:
        databases, users = rule["database"] or [], rule["user_name"] or []
        if (
            rule.get("error") is None
            and rule["type"] in ("host", "hostssl", "hostnossl")
            and ({"all", database} & set(databases) or ("sameuser" in databases and database == role))
            and {"all", role} & set(users)
            and _covers_loopback(rule["address"], rule["netmask"])
        ):
            return rule
    return None


def _covers_loopback(address: str | None, netmask: str | None) -> bool:
    if address in ("all", "samehost", "samenet", "localhost"):
        return True
    try:
        network = ipaddress.ip_network(f"{address}/{netmask}" if netmask else f"{address}", strict=False)
    except ValueError:
        return False
    return ipaddress.ip_address("127.0.0.1") in network
