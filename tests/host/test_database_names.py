"""Whose a database is: what exists and is somebody else's is refused by name, and taken over only when that is said."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from codesensei.wire.broker import number_at
from tests.host.debians import each_debian
from tests.host.rows import Row, claim, provision, psql, run_step
from tools.trials.stack import Json, Stack

pytestmark = pytest.mark.host

URL = "postgres://theirs:secret@127.0.0.1:5432/theirs"
THEIR_DATABASE = """
CREATE ROLE anna LOGIN;
CREATE DATABASE theirs OWNER anna;
\\connect theirs
SET ROLE anna;
CREATE SCHEMA archive;
CREATE TABLE posts (id serial PRIMARY KEY, text varchar(40));
CREATE TABLE archive.posts (id int GENERATED ALWAYS AS IDENTITY, text text);
CREATE VIEW all_posts AS SELECT text FROM posts;
CREATE MATERIALIZED VIEW some_posts AS SELECT text FROM posts;
CREATE SEQUENCE numbers;
CREATE TYPE colour AS ENUM ('red');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE FUNCTION answer() RETURNS int LANGUAGE sql AS 'SELECT 42';
RESET ROLE;
CREATE EXTENSION pg_trgm;
CREATE TABLE restored (text text);
"""


def preflight(stack: Stack, slug: str, **over: object) -> Json:
    """What the step `preflight` of another stack on this server gets."""
    data: Json = stack.data_of("server-preflight")
    claim(stack.server, slug)
    data |= {"slug": slug, "stack": f"org/codesensei/{slug}", "identity": f"id-{slug}", "user": slug}
    data |= {"units": [f"{slug}.service"], "hostnames": [f"{slug}.example"], "brokerNumbers": [], "ports": []}
    return data | over


def refusal(stack: Stack, step: str, data: Json) -> str:
    done = run_step(stack.server, data.get("slug", "theirs"), step, data, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


@each_debian(13)
@pytest.mark.proves("register.refused", "register.adopt", "register.reserved-databases", "broker.number-refused")
def test_names_of_others_are_refused_and_taken_over_with_adopt_only(stack: Stack) -> None:
    server = stack.server
    psql(server, THEIR_DATABASE)
    plan = {"kind": "local", "name": "theirs", "role": "theirs", "host": "127.0.0.1", "port": 5432}
    data = preflight(stack, "theirs", database=plan)
    before = psql(server, "SELECT rolname, rolpassword FROM pg_authid ORDER BY 1")
    said = refusal(stack, "preflight", data)
    assert f"error: database theirs on {server.name}: it exists in this server's PostgreSQL, and no stack here" in said
    assert "codesensei:adopt: true" in said
    assert "role anna" in refusal(stack, "preflight", {**data, "database": {**plan, "name": "x", "role": "anna"}})
    for kind in ("name", "role"):
        for name in ("postgres", "template0", "template1", "pg_monitor"):
            said = refusal(stack, "preflight", {**data, "adopt": True, "database": {**plan, kind: name}})
            assert f"{'database' if kind == 'name' else kind} {name}" in said
            assert "this name is never a project's" in said
        said = refusal(stack, "preflight", {**data, "database": {**plan, "name": "x", "role": "x", kind: "guestbook"}})
        assert f"{'database' if kind == 'name' else 'database role'} guestbook" in said
        assert "it belongs to the stack organization/codesensei/test (slug guestbook)" in said
    number = int(number_at(urlsplit(stack.environ()["CELERY_BROKER_URL"]).hostname or "") or 0)
    said = refusal(stack, "preflight", {**data, "database": None, "brokerNumbers": [number]})
    assert f"error: broker database {number} on {server.name}: it belongs to the stack organization/" in said
    assert "pulumi up --replace '**theirs-broker-number'" in said
    psql(server, "CREATE ROLE theirs SUPERUSER")
    assert "it is a superuser of the cluster" in refusal(
        stack, "preflight", {**data, "adopt": True, "database": {**plan, "name": "free"}}
    )
    psql(server, "DROP ROLE theirs")
    assert psql(server, "SELECT rolname, rolpassword FROM pg_authid ORDER BY 1") == before
    # A cluster that is down hides its databases from preflight; the step that starts it refuses them then.
    server.console("systemctl stop postgresql.service")
    run_step(server, "theirs", "preflight", data)
    row = Row("theirs", URL)
    assert "database theirs on " in refusal(stack, "database", row.data(stack))
    assert psql(server, "SELECT rolname FROM pg_roles WHERE rolname = 'theirs'") == ""
    adopted = provision(stack, [Row("theirs", URL, adopt=True)])
    assert adopted["theirs"]["step"] == ["changed", "unchanged"]
    assert adopted["theirs"]["login"][:2] == ["theirs", "theirs"], adopted
    owners = """
        SELECT DISTINCT pg_get_userbyid(owner) FROM (
            SELECT relowner FROM pg_class UNION ALL SELECT proowner FROM pg_proc UNION ALL SELECT typowner FROM pg_type
            UNION ALL SELECT nspowner FROM pg_namespace WHERE nspname = 'archive'
        ) AS things(owner)
    """
    assert set(psql(server, owners, "theirs").split()) == {"postgres", "theirs"}
    query = "SET ROLE theirs; ALTER TABLE restored ADD more int; INSERT INTO archive.posts (text) VALUES ('x');"
    psql(server, query + " DROP SCHEMA archive CASCADE; DROP TYPE colour; DROP FUNCTION answer()", "theirs")
    # Parts of an extension stay the superuser's.
    assert psql(server, "SELECT pg_get_userbyid(proowner) FROM pg_proc WHERE proname = 'similarity'", "theirs") == (
        "postgres"
    )


@pytest.mark.full
@each_debian(12)
@pytest.mark.proves("register.database-fixed")
def test_name_role_and_port_of_a_deployed_database_do_not_change(stack: Stack) -> None:
    first = stack.serving()
    moved = {
        "postgres://guestbook:x@127.0.0.1/other": (
            "error: database other on ",
            "this project's database is guestbook",
            'ALTER DATABASE "guestbook" RENAME TO "other"',
        ),
        "postgres://other:x@127.0.0.1/guestbook": (
            "error: role other on ",
            "this project's role is guestbook",
            'ALTER ROLE "guestbook" RENAME TO "other"',
        ),
        "postgres://guestbook:x@127.0.0.1:5433/guestbook": (
            "error: database guestbook on ",
            "it is in the cluster at port 5432",
            "put the port 5432 back",
        ),
    }
    data = stack.data_of("server-preflight")
    for url, words in moved.items():
        wanted = Row("guestbook", url, user="deploy").data(stack)
        place = {"kind": "local", "host": wanted["host"], **wanted["account"]}
        del place["digest"]
        said = refusal(stack, "preflight", {**data, "database": place})
        assert all(word in said for word in words), said
    # One of them through the whole program: nothing runs after the refusal.
    stack.set_secret("codesensei:secretEnv.DATABASE_URL", next(iter(moved)))
    done = stack.up(succeed=False)
    assert "this project's database is guestbook" in done.said("error")
    assert stack.serving() == first
    # Renamed as the message says, its data is there under the new name.
    entry = stack.site.write()
    stack.server.console("systemctl stop guestbook.service guestbook-worker.service")
    psql(stack.server, 'ALTER DATABASE "guestbook" RENAME TO "other"')
    stack.set("adopt", True)
    stack.up()
    assert stack.site.shows(entry)


@each_debian(12)
@pytest.mark.proves("destroy.own-only", "destroy.goes", "destroy.stays")
def test_destroy_takes_what_the_register_says_and_nothing_more(stack: Stack) -> None:
    server = stack.server
    rows = [
        Row("kept", "postgres://kept:x@/kept?host=/var/run/postgresql", user="kept-app"),
        Row("gone", "postgres://gone:x@/gone?host=/var/run/postgresql", user="gone-app"),
    ]
    assert [found["step"][0] for found in provision(stack, rows).values()] == ["changed", "changed"]
    psql(server, "CREATE ROLE stranger LOGIN; CREATE DATABASE stranger OWNER stranger")
    for slug, drop in (("kept", "keep"), ("gone", "drop")):
        data = {"stack": "x", "slug": slug, "identity": f"id-{slug}", "onDestroy": {"database": drop, "media": drop}}
        said = run_step(server, slug, "destroy", data).stdout
        assert ("kept: database kept" if slug == "kept" else "database gone dropped") in said
    assert psql(server, "SELECT datname FROM pg_database WHERE datname NOT LIKE 'template%' ORDER BY 1").split() == [
        "guestbook",
        "kept",
        "postgres",
        "stranger",
    ]
    logins = "SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname !~ '^(pg_|postgres)' ORDER BY 1"
    assert psql(server, logins).split() == ["guestbook|t", "kept|f", "stranger|t"]
    assert "codesensei" not in server.console("cat /etc/postgresql/*/main/pg_hba.conf").stdout
    stack.site.write()
