"""Databases that cannot be used, and migrations that cannot run."""

from tests.host.broken.case import Broken
from tests.host.broken.settings import setting

MIGRATION = """
from django.db import migrations, models


def fail(apps, schema_editor):
    raise RuntimeError("no row may be empty")


class Migration(migrations.Migration):
    dependencies = [("entries", "{after}")]
    operations = [{operation}]
"""
LOCK = (
    "systemd-run --quiet --unit=somebody runuser -u postgres -- psql guestbook"
    " -c 'BEGIN; LOCK TABLE entries_entry IN ACCESS SHARE MODE; SELECT pg_sleep(600)';"
    " until runuser -u postgres -- psql -XAtc \"SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'\" | grep -q 1;"
    " do sleep 0.1; done"
)

# The session goes on after its client has ended.
UNLOCK = (
    "systemctl stop somebody.service; runuser -u postgres -- psql -XAtc"
    " \"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'\""
)


def migration(operation: str, name: str = "0002_change", after: str = "0001_initial") -> dict[str, str]:
    """One more migration with one operation."""
    return {f"entries/migrations/{name}.py": MIGRATION.format(operation=operation, after=after)}


def elsewhere(**values: str) -> dict[str, tuple[str, str]]:
    """The production settings with other values of the database."""
    return setting(f'DATABASES["default"].update({values!r})')


MOOD = "models.CharField(max_length=80)"

CASES = (
    Broken(
        "the database cannot be reached",
        replace=elsewhere(HOST="127.0.0.1", PORT="5433"),
        error="DATABASES['default'], database 127.0.0.1:5433 on SERVER: it cannot be reached from this server (127.0.0.1: [Errno 111] Connection refused)",
        fix="let this server's address through the database's firewall, and check HOST and PORT of DATABASES['default']",
    ),
    Broken(
        "the database's host has no address",
        replace=elsewhere(HOST="db"),
        error="DATABASES['default'], database host db on SERVER: its name cannot be resolved on this server ([Errno -2] Name or service not known)",
        fix="name its real host, and check HOST and PORT of DATABASES['default']; the service names of docker compose do not exist on a server",
    ),
    Broken(
        "the database's password is wrong",
        replace=elsewhere(PASSWORD="another"),
        error="manage.py migrate (release RELEASE) on SERVER: the database refuses the password of guestbook",
        fix="check the password in DATABASE_URL; special characters must be percent-encoded there",
    ),
    Broken(
        "the database does not exist",
        replace=setting('DATABASES["counts"] = {**DATABASES["default"], "NAME": "counts"}'),
        error="manage.py migrate --database counts (release RELEASE) on SERVER: there is no database counts on the database server",
        fix="check the name in DATABASE_URL, or create it there",
    ),
    Broken(
        "an external database cannot be reached",
        secrets={"DATABASE_URL": "postgres://shop:word@127.0.0.2:5433/shop"},
        error="database 127.0.0.2:5433 on SERVER: it cannot be reached from this server (127.0.0.2: [Errno 111] Connection refused)",
        fix="let this server's address through the database's firewall, and check host and port in DATABASE_URL",
    ),
    Broken(
        "a migration fails in the middle",
        write=migration("migrations.RunPython(fail)"),
        error="rehearsal of migration entries.0002_change (release RELEASE) on SERVER: RuntimeError: no row may be empty (entries/migrations/0002_change.py, line 6) that was on a copy of the database: nothing was migrated",
        fix="fix the migration and deploy again; or, to leave the rehearsal out, set codesensei:database.rehearse: never",
    ),
    Broken(
        "two migrations follow the same one",
        write=migration("migrations.RunSQL('SELECT 1')", "0002_left")
        | migration("migrations.RunSQL('SELECT 1')", "0002_right"),
        error="manage.py migrate (release RELEASE) on SERVER: two migrations follow the same one: 0002_left, 0002_right in entries",
        fix="run manage.py makemigrations --merge in the project and commit the new migration",
    ),
    Broken(
        "a migration is not committed",
        write=migration("migrations.RunSQL('SELECT 1')", "0003_change", "0002_entry_place"),
        error="manage.py migrate (release RELEASE) on SERVER: the migration entries.0003_change needs ('entries', '0002_entry_place'), which is not in the commit",
        fix="commit that migration, or fix the dependencies",
    ),
    Broken(
        "a new column has no value for old rows",
        write=migration(f"migrations.AddField('entry', 'mood', {MOOD})"),
        config={"project.acknowledgeMigrations": ["entries.0002_change"]},
        error="rehearsal of migration entries.0002_change (release RELEASE) on SERVER: existing rows of the table entries_entry have no value for mood, which may not be null that was on a copy of the database: nothing was migrated",
        fix="generate the migration again against a freshly migrated database, with a default, and commit it; or, to leave the rehearsal out, set codesensei:database.rehearse: never",
    ),
    Broken(
        "a hook makes migrations, and a field has no default",
        replace={"entries/models.py": ("    message = ", "    mood = models.CharField(max_length=80)\n    message = ")},
        config={"project.hooks": {"beforeMigrate": ["python manage.py makemigrations --noinput"]}},
        error="hook beforeMigrate: python manage.py makemigrations --noinput (release RELEASE) on SERVER: the field mood may not be null and has no default",
        fix="generate the migration again against a freshly migrated database, with a default, and commit it",
    ),
    Broken(
        "a table already exists",
        write=migration(
            "migrations.CreateModel('Person', [('id', models.BigAutoField(primary_key=True))], {'db_table': 'auth_user'})"
        ),
        error="manage.py migrate (release RELEASE) on SERVER: the migration entries.0002_change makes auth_user, which the database has already",
        fix="compare both; if they are the same, record the migration by a hook for one deploy: hooks.beforeMigrate: [python manage.py migrate --fake entries 0002_change]",
    ),
    Broken(
        "a table is locked",
        write=migration("migrations.AddField('entry', 'mood', models.CharField(max_length=9, db_default=''))"),
        config={"database.lockTimeout": 1},
        before=LOCK,
        after=UNLOCK,
        error="manage.py migrate (release RELEASE) on SERVER: a table stayed locked for longer than database.lockTimeout, in each of 4 tries; it waited for a lock on entries_entry, held by process PID (role postgres, psql)",
        fix="end what holds it, on the server: sudo -u postgres psql guestbook -c 'SELECT pg_terminate_backend(PID)'; or run pulumi up again at a quieter time, or raise database.lockTimeout",
    ),
    Broken(
        "models have a column that no migration makes",
        replace={
            "entries/models.py": (
                "    message = ",
                '    mood = models.CharField(max_length=80, default="")\n    message = ',
            )
        },
        error="release RELEASE, asked for http://guestbook.example/ on SERVER: HTTP status 500: the database has no column entries_entry.mood, which the models have: a migration is missing",
        fix="run manage.py makemigrations in the project and commit the migration; if a module asks the database while it is imported (forms, urls, apps), move that into a function",
    ),
)
