"""The role and the database of a project in the server's own PostgreSQL.

The password is only ever sent as a SCRAM-SHA-256 verifier, computed here. A role that already serves keeps its password
in this step: the new verifier is staged, and the switch applies it with `passwords.apply`.
"""

from __future__ import annotations

from pathlib import Path

from codesensei.scripts.backups import fill
from codesensei.scripts.base import files
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.postgres import hba, ownership, passwords, postgresql, scram
from codesensei.scripts.postgres.ownership import Applied
from codesensei.scripts.postgres.passwords import Staged
from codesensei.scripts.postgres.postgresql import PORT, identifier, literal
from codesensei.scripts.release import record
from codesensei.scripts.steps import claim
from codesensei.wire.names import EXTENSION_ALIASES, EXTENSION_PACKAGES
from codesensei.wire.steps import Database


def run(step: Step[Database]) -> None:
    """Make or check role, database, privileges and extensions; set or stage the password."""
    data = step.data
    name, role, adopt = data.account.name, data.account.role, data.adopt
    port = postgresql.ensure_cluster(step, data.account.port or PORT)
    postgresql.start_at_boot(step)
    ownership.claim(step, port, name, role, adopt)
    was = ownership.applied(step.project)
    _role(step, port)
    # A deploy that failed may have meant to make it: then no release works with it.
    if was and (was.name, was.port) == (name, port) and name in record.databases_that_serve(step.project):
        _refuse_lost(port, name, role)
    _database(step, port, name, role)
    for path in claim.sent_dumps(step.slug):
        files.remove_path(path)
    if adopt:
        _contents(step, port, name, role)
    for extension in data.extensions:
        _extension(step, port, name, role, extension)
    hba.check_access(step, _way(data, port))
    live = passwords.live_account(step.project)
    passwords.prune(step.project, data.account.digest, *([live.digest] if live else []))


def _way(data: Database, port: int) -> hba.Way:
    return hba.Way(port, data.account.name, data.account.role, data.host, data.user, bool(data.password))


def _refuse_lost(port: int, name: str, role: str) -> None:
    """Failure where the database that serves is gone: an empty one would pass for it."""
    if not postgresql.rows(port, f"SELECT 1 FROM pg_database WHERE datname = {literal(name)}"):
        cause = "it is gone from this server, and this stack serves with it"
        fix = (
            "bring a backup back (codesensei restore); or begin with an empty one, on the server: sudo -u postgres"
            f" createdb -p {port} -O {role} {name}, and set codesensei:project.rebuild to a new text, so that"
            " migrations run"
        )
        raise Failure(f"database {name}", cause, fix)


def _role(step: Step[Database], port: int) -> None:
    name, role, digest = step.data.account.name, step.data.account.role, step.data.account.digest
    query = f"SELECT rolcanlogin, rolpassword, {ownership.LOCKED} AS locked FROM pg_authid"
    found = postgresql.rows(port, f"{query} WHERE rolname = {literal(role)}")
    project = step.project
    # A role that this stack's live release uses waits for the switch, unless its data was moved by hand.
    was, account = ownership.applied(project), passwords.live_account(project)
    moved = was is not None and (was.name, was.port) != (name, port)
    serves = bool(found) and found[0]["rolcanlogin"] and account is not None and account.role == role and not moved
    live = found[0]["rolpassword"] if found else None
    staged = passwords.staged(project, digest)
    text = _verifier(role, step.data.password, live, staged)
    passwords.stage(project, digest, Staged(role=role, verifier=text, port=port))
    way = _way(step.data, port)
    now = Applied(name=name, role=role, port=port, host=way.host, user=way.user, has_password=way.has_password)
    ownership.apply(project, now)
    if not found:
        create = f"CREATE ROLE {identifier(role)} LOGIN PASSWORD {passwords.in_sql(text)};"
        postgresql.sql(port, create, thing=f"role {role}")
        step.changed(f"role {role} made")
    elif not serves and (live != text or not found[0]["rolcanlogin"]):
        passwords.restore(role, text, port)
        step.changed(f"role {role} got its password")
    elif live != text and (staged is None or staged.verifier != text):
        step.changed(f"new password of the role {role} staged for the switch")
    if found and found[0]["locked"]:
        free = f"ALTER ROLE {identifier(role)} CONNECTION LIMIT -1 VALID UNTIL 'infinity';"
        postgresql.sql(port, free, thing=f"role {role}")
        step.changed(f"role {role} may log in again")


def _verifier(role: str, password: str, live: str | None, staged: Staged | None) -> str | None:
    """The live or the staged verifier if it is of this password, else a new one; None for no password."""
    if not password:
        return None
    if scram.matches(live, password):
        return live
    if staged is not None and staged.role == role and scram.matches(staged.verifier, password):
        return staged.verifier
    return scram.verifier(password)


def _database(step: Step[Database], port: int, name: str, role: str) -> None:
    query = (
        "SELECT pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding, datallowconn AS open"
        f" FROM pg_database WHERE datname = {literal(name)}"
    )
    found = postgresql.rows(port, query)
    if not found and step.data.fill:
        sent = Path(claim.login_user().pw_dir) / step.project.sent_dump(step.data.fill.dump)
        fill.make(step, port, name, role, step.data.fill, sent)
    elif not found:
        postgresql.create_database(step, port, name, role)
    elif found[0]["owner"] != role:
        alter = f"ALTER DATABASE {identifier(name)} OWNER TO {identifier(role)};"
        postgresql.sql(port, alter, thing=f"database {name}")
        step.changed(f"database {name} now belongs to {role}")
    elif not found[0]["open"]:
        postgresql.open_database(port, name)
        step.changed(f"database {name} opened")
    if found and found[0]["encoding"] != "UTF8":
        step.say(f"warning: the database {name} has the encoding {found[0]['encoding']}, not UTF8")
    allowed = postgresql.rows(port, f"SELECT has_schema_privilege({literal(role)}, 'public', 'CREATE') AS create", name)
    if not allowed[0]["create"]:
        postgresql.sql(port, f"GRANT ALL ON SCHEMA public TO {identifier(role)};", name)
        step.changed(f"role {role} may create tables in {name}")


# An ALTER statement for everything in a database that has an owner, except the system's own and parts of extensions.
_FOREIGN_CONTENTS = """
    WITH members AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
    things(class, oid, owner, words) AS (
        SELECT 'pg_namespace'::regclass::oid, oid, nspowner, format('SCHEMA %I', nspname)
            FROM pg_namespace WHERE nspname <> 'public'
        UNION ALL SELECT 'pg_class'::regclass::oid, oid, relowner, format('%s %s', CASE relkind
                WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END, oid::regclass)
            FROM pg_class AS c WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND NOT EXISTS (
                SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid
                AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i'))
        UNION ALL SELECT 'pg_proc'::regclass::oid, oid, proowner, format('ROUTINE %s', oid::regprocedure) FROM pg_proc
        UNION ALL SELECT 'pg_type'::regclass::oid, oid, typowner, format('TYPE %s', format_type(oid, NULL))
            FROM pg_type WHERE typtype IN ('e', 'd', 'r')
    )
    SELECT format('ALTER %s OWNER TO %I;', words, ROLE) AS statement FROM things
    WHERE oid >= 16384 AND pg_get_userbyid(owner) <> ROLE
    AND NOT EXISTS (SELECT FROM members WHERE classid = class AND objid = things.oid)
"""


def _contents(step: Step[object], port: int, name: str, role: str) -> None:
    """Give the contents of an adopted database to its new owner, who otherwise could not even read them."""
    foreign = postgresql.rows(port, _FOREIGN_CONTENTS.replace("ROLE", literal(role)), name)
    if foreign:
        postgresql.sql(port, "\n".join(row["statement"] for row in foreign), name, f"contents of the database {name}")
        step.changed(f"{len(foreign)} tables and other things in {name} now belong to {role}")


def _extension(step: Step[object], port: int, database: str, role: str, asked: str) -> None:
    extension = EXTENSION_ALIASES.get(asked, asked)
    if postgresql.rows(port, f"SELECT 1 FROM pg_extension WHERE extname = {literal(extension)}", database):
        return
    versions = f"pg_available_extension_versions WHERE name = {literal(extension)}"
    found = postgresql.rows(port, f"SELECT bool_or(trusted) AS trusted, count(*) AS count FROM {versions}", database)[0]
    thing = f"extension {asked}"
    if not found["count"]:
        fix = "correct codesensei:database.extensions, or name its package in codesensei:project.systemPackages"
        raise Failure(thing, "this server's PostgreSQL does not have it", fix)
    if not found["trusted"] and extension not in EXTENSION_PACKAGES:
        fix = f"create it on the server once: sudo -u postgres psql {database} -c 'CREATE EXTENSION …'"
        raise Failure(thing, "it is not a trusted extension: it would give the project more than its database", fix)
    as_owner = f"SET ROLE {identifier(role)};\n" if found["trusted"] else ""
    create = f"{postgresql.MAKING}{as_owner}CREATE EXTENSION {identifier(extension)} CASCADE;"
    postgresql.sql(port, create, database, thing)
    step.changed(f"{thing} made in {database}")
