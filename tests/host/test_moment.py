"""Continuous backups: a database as it was at a moment, taken out of a PostgreSQL that other projects use too."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.docs.reader import Reader
from tests.docs.table import MOMENT
from tests.host.debians import each_debian
from tests.host.rows import psql
from tools.sandbox import Server
from tools.trials.stack import CHECKOUT, Stack

pytestmark = [pytest.mark.host, pytest.mark.full]

PRINTED = "2026-11-30T12:00:00Z"
# Every row of every table.
CONTENTS = (
    "SELECT string_agg(tablename || ' ' || md5(query_to_xml(format('SELECT * FROM %I ORDER BY 1', tablename), false,"
    " true, '')::text), ', ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'"
)
NOW = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


def started(server: Server) -> str:
    """When PostgreSQL has started."""
    return psql(server, "SELECT pg_postmaster_start_time()")


def a_reader(stack: Stack, home: Path, moment: str) -> Reader:
    """Somebody in front of the stack's own program, who means this moment."""
    launcher = stack.program / "bin/codesensei"
    launcher.parent.mkdir()
    launcher.write_bytes((CHECKOUT / "bin/codesensei").read_bytes())
    launcher.chmod(0o755)
    (stack.program / ".venv").symlink_to(sys.prefix)
    variables = {name: value for name, value in stack.environment.items() if name.startswith("PULUMI_")}
    variables |= {"PULUMI_STACK": stack.name, "CODESENSEI_STANDINS": "accept"}
    variables |= {"PATH": f"{home}/bin:{launcher.parent}:{stack.environment['PATH']}"}
    replaced = {f"codesensei restore --at {PRINTED}": f"codesensei restore --yes --at {moment}", PRINTED: moment}
    replaced |= {"203.0.113.7": stack.server.host, "codesensei/shop": f"codesensei/{stack.slug}"}
    reader = Reader(MOMENT, home, replaced, variables)
    reader.may_log_in(stack.server)
    reader.shell(f"cd {stack.program}")
    return reader


def goes_back(stack: Stack) -> None:
    """The key says `dump` again: PostgreSQL restarts without the archive, which stays."""
    server = stack.server
    before = started(server)
    stack.set("backups.database", "dump")
    assert "PostgreSQL restarts once (archive_mode as before)" in stack.preview().output
    stack.up()
    assert started(server) != before
    assert psql(server, "SHOW archive_mode") == "off"
    assert server.console("ls /etc/postgresql/*/main/conf.d; ls /var/lib/codesensei-archive").stdout == ""
    assert server.console("ls /backups/guestbook/postgresql").stdout.split() == ["archive", "backup"]
    server.console("systemctl start codesensei-backup-guestbook.service")
    stack.up_without_changes()


@each_debian(13)
@pytest.mark.proves(
    "continuous.on",
    "continuous.secret",
    "continuous.kept",
    "continuous.moment",
    "continuous.checked",
    "continuous.ended",
    "docs.commands",
)
def test_a_database_comes_back_as_it_was_at_a_moment(stack: Stack, tmp_path: Path) -> None:
    server = stack.server
    server.console("runuser -u postgres -- createdb neighbour")
    psql(
        server, "CREATE TABLE notes AS SELECT number, 'before' AS text FROM generate_series(1, 500) number", "neighbour"
    )
    first = started(server)
    stack.set("backups", {"to": "/backups/guestbook", "database": "continuous"})
    assert "PostgreSQL restarts once (archive_mode on)" in stack.preview().output
    stack.up()
    second = started(server)
    assert second != first
    stack.up_without_changes()
    assert started(server) == second
    modes = "stat -c '%a %U %G' /var/lib/codesensei-archive/guestbook/pgbackrest.conf /backups/guestbook"
    assert server.console(modes).stdout.splitlines() == ["640 root postgres", "710 root postgres"]
    stack.site.await_job(stack.site.write())
    # As the timer does, confined; the first one is checked as well.
    server.console("systemctl start codesensei-backup-guestbook.service")
    status = json.loads(server.console("cat /var/lib/codesensei/guestbook/backup/status.json").stdout)
    assert status["checkedSnapshot"] == status["snapshot"]
    kept = stack.site.write()
    stack.site.await_job(kept)
    rows, moment = psql(server, CONTENTS, "guestbook"), psql(server, NOW)
    lost = stack.site.write()
    stack.site.await_job(lost)
    psql(server, "TRUNCATE entries_entry CASCADE", "guestbook")
    psql(server, "UPDATE notes SET text = 'after' WHERE number > 100", "neighbour")
    notes = psql(server, CONTENTS, "neighbour")
    assert psql(server, CONTENTS, "guestbook") != rows
    reader = a_reader(stack, tmp_path / "home", moment)
    said = reader.types("docs/backups.md#to-a-moment.2")
    assert "kept: the database of before, as guestbook-before-" in said
    assert psql(server, CONTENTS, "guestbook") == rows
    assert psql(server, CONTENTS, "neighbour") == notes
    assert stack.site.shows(kept)
    assert not stack.site.shows(lost)
    stack.site.await_job(stack.site.write())
    # The database has another one's place now, and the archive goes on.
    server.console("systemctl start codesensei-backup-guestbook.service")
    reader.types("docs/backups.md#to-a-moment.3")
    reader.ends()
    assert psql(server, CONTENTS, "guestbook") == rows
    assert psql(server, CONTENTS, "neighbour") == notes
    assert psql(server, "SELECT count(*) FROM pg_database WHERE datname LIKE 'codesensei%'") == "0"
    assert server.console("ls /var/lib/codesensei-archive/guestbook/work").stdout.split() == ["lock"]
    assert started(server) == second
    stack.up_without_changes()
    goes_back(stack)
