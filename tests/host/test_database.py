"""The database of a project on its own server: every form of its URL, every cluster, every way to read it."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.host.debians import RELEASES, each_debian
from tests.host.rows import WORDS, Row, outcome, provision, psql, run_step
from tools.sandbox.server import Server
from tools.trials.stack import Json, Stack

pytestmark = pytest.mark.host

HARD = "p@ss:w/o?rd#%25&=+ '\"\\$`é~!{}[]|^<>;,☃"
SECRET = quote(HARD, safe="")
ODD_ROLE, ODD_NAME = "Shop-User.1 x", 'Ünï "db"/1'
ROWS = {
    Row("one", f"postgres://one:{SECRET}@127.0.0.1:5432/one"): ("one", "one", "127.0.0.1"),
    Row("two", f"postgresql://two:{SECRET}@localhost/two"): ("two", "two", "::1"),
    Row("three", f"postgres://three:{SECRET}@[::1]:5432/three"): ("three", "three", "::1"),
    Row("four", f"postgres://four@{quote('/var/run/postgresql', safe='')}/four"): ("four", "four", "socket"),
    Row("five", "postgres:///five?host=/var/run/postgresql"): ("five", "five", "socket"),
    Row("six", "postgres:///six"): ("six", "six", "socket"),
    Row("seven", f"postgres://role7:{SECRET}@/seven?host=/var/run/postgresql&port=5432"): ("role7", "seven", "socket"),
    Row("eight", f"pgsql://eight:{SECRET}@127.0.0.1/eight?sslmode=require&application_name=a%20b"): (
        "eight",
        "eight",
        "127.0.0.1",
    ),
    Row("nine", f"postgres://{quote(ODD_ROLE)}:{SECRET}@127.0.0.1/{quote(ODD_NAME, safe='')}"): (
        ODD_ROLE,
        ODD_NAME,
        "127.0.0.1",
    ),
    Row("ten", f"postgres://127.0.0.1/ten?user=role10&password={SECRET}"): ("role10", "ten", "127.0.0.1"),
}


def expected(role: str, name: str, place: str, port: int = 5432) -> dict[str, object]:
    return {"step": ["changed", "unchanged"], "login": [role, name, "UTF8", WORDS, place, port]}


@pytest.mark.full
@pytest.mark.proves("database.auto.local", "database.kinds")
def test_django_logs_in_by_each_form_of_url_to_what_was_made_for_it(stack: Stack) -> None:
    found = provision(stack, ROWS)
    assert found == {row.slug: expected(*facts) for row, facts in ROWS.items()}
    # The one that needs a password over the socket has one line of its own, and only that one.
    hba = stack.server.console("cat /etc/postgresql/*/main/pg_hba.conf").stdout.splitlines()
    assert [line for line in hba if "codesensei" in line] == ['local "seven" "role7" scram-sha-256 # codesensei: seven']


def version(server: Server) -> str:
    return server.console("pg_lsclusters -h | cut -d' ' -f1 | head -1").stdout.strip()


@pytest.mark.full
@pytest.mark.proves("database.encoding")
def test_the_database_is_utf8_whatever_the_cluster_is(stack: Stack) -> None:
    server, major = stack.server, version(stack.server)
    server.console(f"pg_createcluster --locale C -e LATIN1 -p 5433 {major} latin --start")
    rows = {
        Row("latin", f"postgres://latin:{SECRET}@127.0.0.1:5433/latin"): ("latin", "latin", "127.0.0.1", 5433),
        Row("odd", f"postgres://{quote(ODD_ROLE)}é:{SECRET}@localhost:5433/{quote(ODD_NAME, safe='')}"): (
            f"{ODD_ROLE}é",
            ODD_NAME,
            "::1",
            5433,
        ),
    }
    assert provision(stack, rows) == {row.slug: expected(*facts) for row, facts in rows.items()}
    # The cluster that a careless image comes with; the step of the deployed stack makes everything in it again.
    server.console(f"pg_dropcluster --stop {major} main && pg_createcluster --locale C {major} main --start")
    encoding = "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = "
    assert psql(server, f"{encoding}'template1'") == "SQL_ASCII"
    line, stdin = stack.step("guestbook-database")
    assert outcome(server.run(line, input=stdin)) == "changed"
    assert psql(server, f"{encoding}'guestbook'") == "UTF8"
    server.console("/srv/codesensei/guestbook/manage migrate --noinput && systemctl restart guestbook.service")
    stack.site.write()


SETTINGS = """
from config.settings.production import *

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ.get("DB_NAME", "somewhere"),
        "USER": os.environ.get("DB_USER", "somebody"),
        "PASSWORD": os.environ.get("DB_PASSWORD", ""),
        "HOST": os.environ.get("DB_HOST", "127.0.0.1"),
        "PORT": os.environ.get("DB_PORT", ""),
    }
}
"""
MAPPED = {
    "DB_HOST": "host",
    "DB_PORT": "port",
    "DB_NAME": "name",
    "DB_USER": "user",
    "DB_PASSWORD": "password",
    "DSN": "url",
    "DATABASE_URL": "url",
}


@pytest.mark.full
@each_debian(12)
@pytest.mark.proves("database.auto.generated", "database.env", "django.database-unused")
def test_a_project_reads_the_generated_database_by_its_own_names(stack: Stack) -> None:
    entry, first = stack.site.write(), stack.serving()
    password = stack.resources()["guestbook-database-password"]["outputs"]["result"]
    url = f"postgres://guestbook:{password}@127.0.0.1:5432/guestbook"
    assert password.isalnum()
    assert len(password) >= 32
    assert stack.environ()["DATABASE_URL"] == url
    stack.set("project.source.revision", stack.commit({"config/settings/mapped.py": SETTINGS}))
    stack.set("project.settingsModule", "config.settings.mapped")
    error = stack.up(succeed=False).said("error")
    assert "error: DATABASES on " in error
    assert "the settings do not use the generated database guestbook (default: postgresql somewhere)" in error
    assert 'write in config.settings.mapped: DATABASES = {"default": dj_database_url.config()}' in error
    assert "codesensei:database.env" in error
    assert stack.serving() == first
    assert stack.site.shows(entry)
    stack.set("database", {"env": MAPPED})
    stack.up()
    parts = {"host": "127.0.0.1", "port": "5432", "name": "guestbook", "user": "guestbook"}
    wanted = {name: {**parts, "password": password, "url": url}[part] for name, part in MAPPED.items()}
    assert {name: value for name, value in stack.environ().items() if name in MAPPED} == wanted
    assert stack.site.shows(entry)
    stack.site.await_job(stack.site.write())
    stack.up_without_changes()


TRUSTED = (
    "btree_gin btree_gist citext cube dict_int fuzzystrmatch hstore intarray isn lo ltree pgcrypto pg_trgm seg "
    "tablefunc tcn tsm_system_rows tsm_system_time unaccent uuid-ossp"
)

# Debian 12 has no package of pgvector.
PACKAGED: dict[int, tuple[str, ...]] = {12: (), 13: ("vector",)}


def with_packages(extensions: list[str]) -> Json:
    """What the step `packages` gets for a project with these extensions."""
    rest = {"packages": [], "postgresql": True, "port": 5432, "python": "", "certbot": False, "hardening": "off"}
    return {**rest, "extensions": extensions}


def with_extensions(stack: Stack, *names: str) -> str:
    """Run both steps for a project that asks for them; returns what the last one said."""
    row = Row("extended", f"postgres://extended:{SECRET}@127.0.0.1/extended", database={"extensions": list(names)})
    data = row.data(stack)
    found = provision(stack, [Row("extended", row.url)])
    assert isinstance(found["extended"]["login"], list), found
    packages = with_packages(data["extensions"])
    run_step(stack.server, "extended", "packages", packages)
    first, second = (run_step(stack.server, "extended", "database", data) for _ in range(2))
    assert outcome(second) == "unchanged"
    return outcome(first)


@pytest.mark.full
@each_debian(13)
@pytest.mark.proves("database.extensions")
def test_trusted_extensions_and_those_of_known_packages_are_made_for_the_project(stack: Stack) -> None:
    wanted = [*TRUSTED.split(), *PACKAGED[stack.server.debian]]
    assert with_extensions(stack, *wanted) == "changed"
    there = psql(stack.server, "SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'", "extended").split()
    assert set(there) == set(wanted)
    assert psql(stack.server, "SET ROLE extended; SELECT similarity('abc', 'abd') > 0", "extended") == "t"
    packages = with_packages(["vector"])
    done = run_step(stack.server, "extended", "packages", packages, check=False)
    if "vector" in wanted:
        assert outcome(done) == "unchanged"
        assert psql(stack.server, "SET ROLE extended; SELECT '[1,2,3]'::vector <-> '[1,2,5]'", "extended") == "2"
    else:
        assert f"error: package postgresql-15-pgvector on {stack.server.name}: Debian GNU/Linux 12" in done.stderr
        assert "apt.postgresql.org" in done.stderr
    data = Row("extended", f"postgres://extended:{SECRET}@127.0.0.1/extended").data(stack)
    for name, words, fix in (
        ("postgres_fdw", "it is not a trusted extension: it would give the project more than its database", "psql"),
        ("plperl", "this server's PostgreSQL does not have it", "codesensei:project.systemPackages"),
    ):
        refused = run_step(stack.server, "extended", "database", {**data, "extensions": [name]}, check=False)
        assert refused.returncode == 1
        assert f"error: extension {name} on {stack.server.name}: {words}" in refused.stderr
        assert fix in refused.stderr


@pytest.mark.full
@pytest.mark.parametrize("deployed", RELEASES, indirect=True)
@pytest.mark.proves("database.extensions")
def test_postgis_is_installed_and_made(stack: Stack) -> None:
    assert with_extensions(stack, "postgis", "postgis_raster") == "changed"
    query = "SET ROLE extended; SELECT ST_Distance('POINT(0 0)'::geometry, 'POINT(3 4)'::geometry)"
    assert psql(stack.server, query, "extended") == "5"


@pytest.mark.full
@each_debian(13)
@pytest.mark.proves("database.auto.local")
def test_a_whole_project_deploys_over_the_socket_without_a_password(stack: Stack) -> None:
    directory = stack.directory.with_name(f"{stack.directory.name}-socket")
    other = Stack(stack.server, directory, slug="two", hostname="two.example", name="second").create()
    other.set("env.DATABASE_URL", "postgres://two@%2Fvar%2Frun%2Fpostgresql/guests")
    other.up()
    other.site.await_job(other.site.write())
    assert psql(stack.server, "SELECT rolpassword IS NULL FROM pg_authid WHERE rolname = 'two'") == "t"
    other.up_without_changes()
    other.use("main~1")
    other.up()
    other.site.await_job(other.site.write())
