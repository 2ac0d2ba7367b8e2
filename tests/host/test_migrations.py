"""Migrations as real databases see them: a pooler, several databases, locks, and models that are ahead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.host.debians import each_debian
from tests.host.rows import psql
from tests.host.test_interruptions import again_and_again, always_served, kill
from tools.demo.history import git
from tools.sandbox import Server
from tools.trials.stack import Stack, eventually

pytestmark = pytest.mark.host

# With its default startup parameters, as managed databases put one in front.
POOLER = r"""
apt-get install -y -q pgbouncer >/dev/null
runuser -u postgres -- psql -qc "CREATE ROLE pool LOGIN PASSWORD 'secret'" -c 'CREATE DATABASE pool OWNER pool' \
    -c 'CREATE DATABASE logs OWNER pool' -c 'CREATE DATABASE legacy OWNER pool'
runuser -u postgres -- psql -q legacy -c 'CREATE TABLE invoice (number int)'
cat >/etc/pgbouncer/pgbouncer.ini <<'INI'
[databases]
* = host=127.0.0.1 port=5432 user=pool password=secret
[pgbouncer]
listen_addr = *
listen_port = 6432
auth_type = plain
auth_file = /etc/pgbouncer/userlist.txt
pool_mode = transaction
INI
echo '"pool" "secret"' >/etc/pgbouncer/userlist.txt
chown postgres: /etc/pgbouncer/*
systemctl restart pgbouncer
echo '127.0.0.1 db.example.org server.example.org' >>/etc/hosts
"""
SETTINGS = """
from config.settings.production import *

OTHER = DATABASES["default"]
DATABASES["logs"] = {**OTHER, "NAME": "logs"}
DATABASES["again"] = {**OTHER, "USER": "reader"}
DATABASES["replica"] = {**OTHER, "NAME": "replica", "TEST": {"MIRROR": "default"}}
DATABASES["legacy"] = {**OTHER, "NAME": "legacy"}
DATABASE_ROUTERS = ["config.routers.Logs"]
INSTALLED_APPS += ["notes"]
"""
ROUTERS = """
class Logs:
    def allow_migrate(self, db, app_label, **hints):
        if db == "logs":
            return app_label == "entries"
"""
NOTES = """
from django.db import models


class Note(models.Model):
    text = models.CharField(max_length=50)
"""
INDEX = """
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("entries", "0002_entry_place")]
    operations = [AddIndexConcurrently("entry", models.Index(fields=["name"], name="entry_name_idx"))]
"""
SHORTER = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("entries", "0003_index")]
    operations = [migrations.AlterField("entry", "name", models.CharField(max_length=60))]
"""
# A report that stays open, of the project's own role.
REPORT = (
    "systemd-run -q --unit=report psql postgres://pool:secret@127.0.0.1/pool -c"
    " 'BEGIN; SELECT count(*) FROM entries_entry; SELECT pg_sleep(600); COMMIT'"
)
HELD = r"held by process (\d+) \(role pool, psql, from 127.0.0.1, active for \d+ s, last command BEGIN\)"
# Its session does not notice that the client has gone.
END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'pool' AND query ~ 'pg_sleep'"
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'entry_name_idx'::regclass"
LENGTH = (
    "SELECT character_maximum_length FROM information_schema.columns"
    " WHERE table_name = 'entries_entry' AND column_name = 'name'"
)


@pytest.mark.full
@each_debian(13)
@pytest.mark.proves(
    "migrate.all-databases",
    "migrate.models-ahead",
    "migrate.lock-timeout.poolers",
    "migrate.invalid-index",
    "migrate.lock-holder",
    "migrations.asked",
    "migrations.acknowledged",
    "migrations.rollback",
)
def test_migrations_behind_a_pooler(stack: Stack) -> None:
    server = stack.server
    server.console(POOLER)
    stack.set_secret("codesensei:secretEnv.DATABASE_URL", "postgres://pool:secret@db.example.org:6432/pool")
    stack.set("database.kind", "external")
    stack.set("project.settingsModule", "config.settings.several")
    commit = {
        "config/settings/several.py": SETTINGS,
        "config/routers.py": ROUTERS,
        "notes/__init__.py": "",
        "notes/models.py": NOTES,
        "notes/migrations/__init__.py": "",
    }
    several = stack.commit(commit)
    stack.set("project.source.revision", several)
    done = stack.up()
    for said in (
        "migrations have run in default",
        "migrations have run in logs",
        "DATABASES['again'] is not migrated: it is the same database as default",
        "DATABASES['replica'] is not migrated: it is a mirror of default",
    ):
        assert said in done.output
    warning = done.said("warning")
    assert "the models of notes are ahead of its migrations (Create model Note)" in warning
    assert "DATABASES['legacy'] is not migrated: it has tables, and none of Django's" in warning
    assert psql(server, "SELECT count(*) FROM entries_entry", "logs") == "0"
    assert psql(server, "SELECT to_regclass('django_migrations')", "legacy") == ""
    stack.site.write()
    # No session of the pool keeps the limit.
    asked = server.console("psql postgres://pool:secret@127.0.0.1:6432/pool -Atc 'SHOW lock_timeout'")
    assert asked.stdout.strip() == "0"
    # Without the pooler: an index that is not made to its end.
    stack.set_secret("codesensei:secretEnv.DATABASE_URL", "postgres://pool:secret@server.example.org/pool")
    stack.set("database.lockTimeout", 1)
    server.console(REPORT)
    served = stack.serving()
    indexed = stack.commit({"entries/migrations/0003_index.py": INDEX}, several)
    stack.set("project.source.revision", indexed)
    with always_served(stack):
        failed = stack.up(succeed=False)
    error = failed.said("error")
    held = re.search(HELD, error)
    assert held is not None
    assert f"SELECT pg_terminate_backend({held[1]})" in error
    assert re.search(f"migrate in default: entries.0003_index, after \\d s, waits for .*{HELD}", failed.output)
    # Nothing of what it asks for is told.
    assert "pg_sleep" not in failed.output
    psql(server, END)
    error = stack.up(succeed=False).said("error")
    assert "the index entry_name_idx exists already and is invalid" in error
    assert (
        "in the database pool at server.example.org: DROP INDEX CONCURRENTLY entry_name_idx; then deploy again" in error
    )
    assert "--fake" not in error
    assert stack.serving() == served
    psql(server, "DROP INDEX CONCURRENTLY entry_name_idx", "pool")
    stack.up()
    assert psql(server, VALID, "pool") == "t"
    refused_acknowledged_and_not_gone_back_over(stack, indexed)


def refused_acknowledged_and_not_gone_back_over(stack: Stack, indexed: str) -> None:
    """A migration after which what the serving release may write no longer fits."""
    served = stack.serving()
    stack.set("project.source.revision", stack.commit({"entries/migrations/0004_shorter.py": SHORTER}, indexed))
    with always_served(stack):
        error = stack.up(succeed=False).said("error")
        assert "migration entries.0004_shorter" in error
        assert "AlterField entry.name is DESTRUCTIVE: the column's type changes (a narrower CharField)" in error
        assert "project.acknowledgeMigrations: [entries.0004_shorter]" in error
        assert stack.serving() == served
        assert psql(stack.server, LENGTH, "pool") == "80"
        stack.set("project.acknowledgeMigrations", ["entries.0004_shorter"])
        stack.up()
        assert psql(stack.server, LENGTH, "pool") == "60"
        # And back, to a release that may write more.
        served = stack.serving()
        stack.set("project.source.revision", indexed)
        stack.set("project.acknowledgeMigrations", [])
        error = stack.up(succeed=False).said("error")
        assert "it is older than migrations that are applied, and cannot live with them" in error
        assert stack.serving() == served


CHANGE = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("entries", "{after}")]
    operations = [migrations.{operation}]
"""
COUNT = "SELECT count(*) FROM entries_entry"
KEPT = (
    "SELECT coalesce(column_default, 'none') FROM information_schema.columns"
    " WHERE table_name = 'entries_entry' AND column_name = 'mood'"
)


def changed(name: str, after: str, operation: str) -> dict[str, str]:
    return {f"entries/migrations/{name}.py": CHANGE.format(after=after, operation=operation)}


@contextmanager
def always_written(stack: Stack) -> Iterator[None]:
    """Somebody writes into the book again and again during the block, and every entry is there in the end."""
    written, before = list[object](), int(psql(stack.server, COUNT, "guestbook"))
    with again_and_again(lambda: written.append(stack.site.write())):
        yield
    assert len(written) > 5
    assert int(psql(stack.server, COUNT, "guestbook")) == before + len(written)


@pytest.mark.full
@each_debian(13)
@pytest.mark.proves("migrations.defaults", "migrations.rollback", "migrations.before-switch")
def test_a_default_stays_for_code_that_does_not_know_its_column(stack: Stack) -> None:
    """From the migration on, through a rollback, until both sides of a deploy know it."""
    server, first = stack.server, stack.config["codesensei:project"]["source"]["revision"]
    model = git(stack.repository, "show", f"{first}:entries/models.py")
    field = 'models.CharField(max_length={length}, default="calm")'
    moods = model.replace("    message = ", f"    mood = {field.format(length=9)}\n    message = ", 1)
    names = git(stack.repository, "ls-tree", "--name-only", f"{first}:entries/migrations").split()
    latest = max(name for name in names if name.startswith("0")).removesuffix(".py")
    add = changed("0003_mood", latest, f'AddField("entry", "mood", {field.format(length=9)})')
    known = stack.commit({"entries/models.py": moods, **add}, first)
    longer = moods.replace("max_length=9", "max_length=12")
    alter = changed("0004_longer", "0003_mood", f'AlterField("entry", "mood", {field.format(length=12)})')
    changes = stack.commit({"entries/models.py": longer, **alter}, known)
    note = changed("0005_note", "0004_longer", 'AddField("entry", "note", models.TextField(null=True))')
    last = stack.commit(note, changes)

    # What a rehearsal does is another test's; each takes a while.
    stack.set("database.rehearse", "never")
    stack.set("project.source.revision", known)
    safe = (
        "entries.0003_mood: AddField entry.mood is safe for the serving code, which gets the default from the database"
    )
    assert safe in stack.preview().output
    with always_written(stack):
        stack.up()
        assert psql(server, KEPT, "guestbook") == "'calm'::character varying"
        stack.set("project.source.revision", first)
        assert "entries.0003_mood stays applied, which " in stack.preview().output
        stack.up()
        # The code that serves does not know the column, and its type changes.
        stack.set("project.source.revision", changes)
        stack.up()
        assert psql(server, KEPT, "guestbook") == "'calm'::character varying"
        stack.set("project.source.revision", last)
        stack.up()
        assert psql(server, KEPT, "guestbook") == "none"
    assert psql(server, f"{COUNT} WHERE mood <> 'calm'", "guestbook") == "0"
    served = stack.serving()
    stack.set("project.source.revision", first)
    assert "entries.0003_mood: AddField entry.mood is DESTRUCTIVE" in stack.preview().output
    error = stack.up(succeed=False).said("error")
    assert "entries.0003_mood: AddField entry.mood is DESTRUCTIVE: each row that the serving code writes fails" in error
    assert stack.serving() == served


FILL = """
import time

from django.db import migrations, models


def fill(apps, schema_editor):
    for entry in apps.get_model("entries", "Entry").objects.order_by("pk").iterator():
        type(entry).objects.filter(pk=entry.pk).update(mood="calm")


class Migration(migrations.Migration):
    atomic = {atomic}
    dependencies = [("entries", "{after}")]
    operations = [
        migrations.AddField("entry", "mood", models.CharField(max_length=9, null=True)),
        migrations.RunPython(fill),
    ]
"""
ROWS = 400_000
MANY = (
    "INSERT INTO entries_entry (name, message, created_at)"
    f" SELECT 'n', 'm', now() FROM generate_series(1, {ROWS}); ANALYZE entries_entry"
)
MOODS = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'entries_entry' AND column_name = 'mood'"
INDEXED = "SELECT count(*) FROM pg_indexes WHERE indexname = 'entry_name_idx'"


@pytest.mark.full
@each_debian(13)
@pytest.mark.proves(
    "migrations.locks",
    "migrations.locks.preview",
    "migrations.timeout",
    "config.migration-timeout",
    "migrations.rehearsal",
    "config.rehearse",
)
def test_a_large_table(stack: Stack) -> None:
    """What waits for it is told with its size, and who holds it for too long gives it back."""
    server, first = stack.server, stack.config["codesensei:project"]["source"]["revision"]
    names = git(stack.repository, "ls-tree", "--name-only", f"{first}:entries/migrations").split()
    latest = max(name for name in names if name.startswith("0")).removesuffix(".py")
    operation = 'AddIndex("entry", models.Index(fields=["name"], name="entry_name_idx"))'
    indexed = stack.commit(changed("0003_index", latest, operation), first)
    filled = stack.commit({"entries/migrations/0004_fill.py": FILL.format(atomic=True, after="0003_index")}, indexed)
    stack.set("project.source.revision", indexed)
    # Of a small table nothing is said.
    assert "writes wait" not in stack.preview().output
    psql(server, MANY, "guestbook")
    waits = "entries.0003_index: AddIndex on entries_entry (400,0"
    previewed = stack.preview().output
    assert waits in previewed
    assert " MB): writes wait while the index is built" in previewed
    assert "instead: use AddIndexConcurrently in a migration with atomic = False" in previewed
    stack.set("project.source.revision", filled)
    stack.set("database.migrationTimeout", 5)
    served = stack.serving()
    error = stack.up(succeed=False).said("error")
    assert "rehearsal of migration entries.0004_fill (release " in error
    assert "entries.0004_fill took longer than database.migrationTimeout (5 s) and was cancelled" in error
    assert "nothing was migrated" in error
    assert psql(server, INDEXED, "guestbook") == "0"
    stack.set("database.rehearse", "never")
    failed = stack.up(succeed=False)
    error = failed.said("error")
    assert f"warning: {waits}" in failed.output
    assert "entries.0004_fill: AddField entry.mood locks its table (400,0" in failed.output
    cancelled = "the migration entries.0004_fill took longer than database.migrationTimeout (5 s) and was cancelled"
    assert f"{cancelled}: all of it is rolled back" in error
    assert "applied before it, and staying so: entries.0003_index" in error
    assert stack.serving() == served
    assert (psql(server, MOODS, "guestbook"), psql(server, INDEXED, "guestbook")) == ("0", "1")
    # Nothing holds the table any more.
    with always_written(stack):
        stack.set("project.source.revision", indexed)
        assert f"warning: {waits}" not in stack.up().output


# Somebody reads the table, and does not end.
HOLD = (
    "systemd-run -q --unit=holder runuser -u postgres -- psql guestbook -c"
    " 'BEGIN; SELECT count(*) FROM entries_entry; SELECT pg_sleep(600)'"
)
SLEEPS = "FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
IS_HELD = f'runuser -u postgres -- psql -XAtc "SELECT 1 {SLEEPS}" | grep -q 1'
LET_GO = f"SELECT pg_terminate_backend(pid) {SLEEPS}"
TIMED_OUT = "grep -q 'due to lock timeout' /var/lib/codesensei/guestbook/logs/*-build.log"


@pytest.mark.full
@each_debian(13)
@pytest.mark.proves("migrate.lock-tries", "migrate.lock-holder")
def test_a_migration_that_gets_its_lock_at_a_later_try(stack: Stack) -> None:
    server, first = stack.server, stack.config["codesensei:project"]["source"]["revision"]
    names = git(stack.repository, "ls-tree", "--name-only", f"{first}:entries/migrations").split()
    latest = max(name for name in names if name.startswith("0")).removesuffix(".py")
    longer = changed("0003_longer", latest, 'AlterField("entry", "name", models.CharField(max_length=90))')
    note = changed("0004_note", "0003_longer", 'AddField("entry", "note", models.TextField(null=True))')
    stack.set("project.source.revision", stack.commit({**longer, **note}, first))
    stack.set("database.lockTimeout", 2)
    server.console(HOLD)
    eventually(server, IS_HELD)
    with always_written(stack):
        process, events = stack.start("up", "--yes", "--skip-preview")
        eventually(server, TIMED_OUT, 240)
        psql(server, LET_GO)
        done = stack.finish(process, events)
    assert done.code == 0, done.output
    held = r"a lock on entries_entry, held by process \d+ \(role postgres, psql\),"
    told = (
        rf"migrate: entries\.0003_longer did not get {held} within 2 s, and is rolled back: try 1 of 4, the next in 5 s"
    )
    assert re.search(told, done.output)
    assert "migrations have run (2 applied)" in done.output


# What a migration does to the world beside its database, where it can.
EFFECTS = """
import contextlib
import os
import socket
import time

import psycopg
from django.db import connection, migrations, models


def work(apps, schema_editor):
    real = {{**connection.get_connection_params(), "dbname": "guestbook"}}
    real = {{name: real[name] for name in ("dbname", "user", "password", "host", "port")}}
    effects = []
    for host, port in (("127.0.0.1", 5432), ("127.0.0.1", 80)):
        with contextlib.suppress(OSError), socket.create_connection((host, port), 5):
            effects.append(port)
    for host in (real["host"], "/run/postgresql", "127.0.0.1"):
        with contextlib.suppress(psycopg.Error), psycopg.connect(**{{**real, "host": host}}) as other:
            other.execute("INSERT INTO auth_group (name) VALUES ('outside')")
            effects.append("real database")
            break
    for place in ("{media}", os.path.expanduser("~"), "/tmp"):
        with contextlib.suppress(OSError), open(f"{{place}}/effect", "a") as file:
            file.write("x")
            effects.append(place)
    time.sleep(1)
    apps.get_model("entries", "Entry").objects.create(name="inside", message=str(effects))


class Migration(migrations.Migration):
    dependencies = [("entries", "{after}")]
    operations = [
        migrations.AddField("entry", "mood", models.CharField(max_length=9, null=True)),
        migrations.RunPython(work),
    ]
"""
CODE = """
import time

from django.db import migrations


def work(apps, schema_editor):
    {code}


class Migration(migrations.Migration):
    dependencies = [("entries", "{after}")]
    operations = [migrations.RunPython(work)]
"""
COPIES = (
    "SELECT (SELECT count(*) FROM pg_database WHERE datname ~ 'rehearsal')"
    " + (SELECT count(*) FROM pg_roles WHERE rolname ~ 'codesensei')"
)
LEFT = "ls -d /var/lib/codesensei/guestbook/rehearsal /run/codesensei/rehearsal-guestbook 2>/dev/null | wc -l"
MEDIA = "/srv/codesensei/guestbook/shared/media"


def left(server: Server) -> tuple[str, str]:
    """Copies with their roles, and folders, of a rehearsal."""
    return psql(server, COPIES), server.console(LEFT).stdout.strip()


@pytest.mark.full
@each_debian(13)
@pytest.mark.proves(
    "migrations.rehearsal",
    "migrations.rehearsal.copy",
    "migrations.rehearsal.kept-away",
    "migrations.rehearsal.undecided",
    "migrations.rehearsal.preview",
)
def test_a_rehearsal(stack: Stack) -> None:
    """A plan runs on a copy first, which it does not get out of, and which is gone afterwards."""
    server, first = stack.server, stack.config["codesensei:project"]["source"]["revision"]
    names = git(stack.repository, "ls-tree", "--name-only", f"{first}:entries/migrations").split()
    latest = max(name for name in names if name.startswith("0")).removesuffix(".py")
    server.console(f"install -d -o deploy -g deploy {MEDIA}")

    effects = {"entries/migrations/0003_effects.py": EFFECTS.format(after=latest, media=MEDIA)}
    told = stack.commit(effects, first)
    stack.set("project.source.revision", told)
    assert "`pulumi up` runs them on a copy of the database first, if it has at most 1.0 GB" in stack.preview().output
    done = stack.up().output
    [line] = [line for line in done.splitlines() if "rehearsed on a copy" in line]
    took = re.search(
        r"entries\.0003_effects (\d\.\d) s, requests to entries_entry would wait up to about (\d\.\d) s", line
    )
    assert took is not None, line
    assert all(0.8 < float(seconds) < 9 for seconds in took.groups())
    assert "without 127.0.0.1:5432, 127.0.0.1:80, which they asked for" in line
    # Of all effects there is what the real run alone has left.
    assert psql(server, f"{COUNT} WHERE name = 'inside'", "guestbook") == "1"
    assert psql(server, "SELECT count(*) FROM auth_group", "guestbook") == "1"
    [effects_of_it] = psql(server, "SELECT message FROM entries_entry WHERE name = 'inside'", "guestbook").splitlines()
    assert "5432, 80, 'real database'" in effects_of_it
    assert server.console(f"cat {MEDIA}/effect").stdout == "x"
    assert left(server) == ("0", "0")

    # What a rehearsal lacks is no fault of the plan's.
    write = CODE.format(after="0003_effects", code=f'open("{MEDIA}/file", "a").write("x")')
    written = stack.commit({"entries/migrations/0004_write.py": write}, told)
    stack.set("project.source.revision", written)
    done = stack.up().output
    why = f"entries.0004_write needs more than a copy: [Errno 30] Read-only file system: '{MEDIA}/file'"
    assert f"warning: the migrations are not rehearsed: {why}" in done
    assert server.console(f"cat {MEDIA}/file").stdout == "x"

    # What fails is refused before the first of its migrations runs.
    served = stack.serving()
    note = changed("0005_note", "0004_write", 'AddField("entry", "note", models.TextField(null=True))')
    bad = CODE.format(after="0005_note", code='apps.get_model("entries", "Entry").objects.update(mood="x" * 10)')
    failing = stack.commit({**note, "entries/migrations/0006_bad.py": bad}, written)
    stack.set("project.source.revision", failing)
    with always_written(stack):
        error = stack.up(succeed=False).said("error")
    assert "rehearsal of migration entries.0006_bad (release " in error
    assert "value too long for type character varying(9)" in error
    assert "that was on a copy of the database: nothing was migrated" in error
    assert psql(server, MOODS.replace("'mood'", "'note'"), "guestbook") == "0"
    assert (stack.serving(), left(server)) == (served, ("0", "0"))

    # A killed one leaves its copy to the next deploy.
    slow = stack.commit(
        {**note, "entries/migrations/0006_bad.py": CODE.format(after="0005_note", code="time.sleep(2)")}, written
    )
    stack.set("project.source.revision", slow)
    runs = "systemctl show -P ExecStart codesensei-job-guestbook.service | grep -q rehearsal_guestbook"
    kill(stack, runs)
    assert left(server) == ("1", "2")
    stack.up()
    assert left(server) == ("0", "0")
    assert psql(server, MOODS.replace("'mood'", "'note'"), "guestbook") == "1"
