"""Backups: made, restored where they were made, and brought to another server when the first one is lost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.reader import Reader
from tests.docs.table import RESTORED
from tests.host.debians import each_debian
from tests.host.rows import psql
from tools.sandbox import Sandbox, Server
from tools.trials.stack import Stack

pytestmark = pytest.mark.host

ROOT = "/srv/codesensei/guestbook"
COMMAND = f"{ROOT}/backup"
PICTURE = f"{ROOT}/shared/media/picture.txt"


def upload(stack: Stack, text: str) -> None:
    """As the project itself stores a file."""
    stack.server.console(f"runuser -u deploy -- tee {PICTURE}", input=text.encode())


def of_picture(stack: Stack) -> str:
    return stack.server.console(f"stat -c %U {PICTURE} && cat {PICTURE}").stdout


@each_debian(13)
@pytest.mark.proves("backups.restore", "backups.made", "backups.checked", "backups.ended")
def test_what_was_lost_is_restored(stack: Stack) -> None:
    stack.set("backups", {"to": "/backups/guestbook"})
    stack.up()
    server = stack.server
    assert stack.outputs()["backupPassword"] == "[secret]"
    kept = stack.site.write()
    stack.site.await_job(kept)
    upload(stack, "kept")
    # As the timer does, confined.
    server.console("systemctl start codesensei-backup-guestbook.service")
    status = json.loads(server.console("cat /var/lib/codesensei/guestbook/backup/status.json").stdout)
    assert status["checkedSnapshot"] == status["snapshot"]
    lost = stack.site.write()
    stack.site.await_job(lost)
    upload(stack, "changed")
    said = server.console(f"{COMMAND} restore latest").stdout
    assert "kept: the database of before, as guestbook-before-" in said
    assert stack.site.shows(kept)
    assert not stack.site.shows(lost)
    assert of_picture(stack) == "deploy\nkept"
    stack.site.await_job(stack.site.write())
    before = psql(server, "SELECT datname FROM pg_database WHERE datname LIKE 'guestbook-before-%'")
    assert psql(server, "SELECT count(*) FROM entries_entry", before) != "0"
    assert psql(server, "SELECT count(*) FROM pg_database WHERE datname LIKE 'codesensei%'") == "0"
    stack.up_without_changes()
    with stack.editing() as config:
        del config["codesensei:backups"]
    stack.up()
    assert (
        server.console("ls /backups/guestbook/config && ls /etc/systemd/system").stdout.count("backup-guestbook") == 0
    )
    assert server.console(f"ls {COMMAND} /var/lib/codesensei/guestbook/backup", check=False).stdout == ""


@pytest.mark.full
@each_debian(13)
@pytest.mark.proves("backups.new-server", "backups.sftp", "docs.commands")
def test_a_lost_server_comes_back_on_another_one(
    stack: Stack, sandbox: Sandbox, fresh: Callable[[int], Server], tmp_path: Path
) -> None:
    lost, new, target = stack.server, fresh(13), sandbox.up("backups", 13)
    target.console("useradd -m keeper && install -d -o keeper -m 700 /home/keeper/.ssh /home/keeper/shop")
    stack.set("backups", {"to": f"sftp://keeper@{target.host}/home/keeper/shop", "hostKey": target.host_key})
    try:
        admit(told_key(stack.up().said("warning")), target)
        reader = a_reader(stack, tmp_path / "home", {"203.0.113.7": lost.host, "203.0.113.8": new.host})
        reader.may_log_in(lost, new)
        password = reader.types("docs/backups.md#the-password").split()[-1]
        assert len(password) == 64
        kept = stack.site.write()
        stack.site.await_job(kept)
        upload(stack, "kept")
        assert "rows in" in reader.types("docs/backups.md#everyday.2")
        upload(stack, "changed")
        reader.types("docs/backups.md#restore.2")
        assert of_picture(stack) == "deploy\nkept"
        lost.console("systemctl stop nginx guestbook.socket guestbook.service guestbook-worker.service")
        stack.set("server.host", new.host)
        stack.set("server.hostKey", new.host_key)
        stack.server = new
        reader.types("docs/backups.md#the-server-is-lost")
        admit(new.console("cat /var/lib/codesensei/guestbook/backup/id_ed25519.pub").stdout.strip(), target)
        reader.types("docs/backups.md#the-server-is-lost.2")
        reader.ends()
        assert stack.site.shows(kept)
        assert of_picture(stack) == "deploy\nkept"
        stack.site.await_job(stack.site.write())
        stack.up_without_changes()
    finally:
        stack.server = lost
        target.down()


def a_reader(stack: Stack, home: Path, replaced: dict[str, str]) -> Reader:
    """Somebody in front of the stack's own program."""
    variables = {name: value for name, value in stack.environment.items() if name.startswith("PULUMI_")}
    variables |= {"CODESENSEI_STANDINS": "accept", "PATH": f"{home}/bin:{stack.environment['PATH']}"}
    reader = Reader(RESTORED, home, {**replaced, "codesensei/shop": f"codesensei/{stack.slug}"}, variables)
    reader.shell(f"cd {stack.program} && pulumi stack select {stack.name}")
    return reader


def told_key(said: str) -> str:
    """The key that a warning asks to authorize."""
    (key,) = set(re.findall(r"authorized_keys there: (ssh-ed25519 [^;\n]+)", said))
    return str(key)


def admit(key: str, target: Server) -> None:
    """Authorize it, as the warning says."""
    keys = "/home/keeper/.ssh/authorized_keys"
    target.console(f"cat > {keys} && chown keeper {keys} && chmod 600 {keys}", input=f"{key}\n".encode())


# Each would run for a statement of ours, and note as whom.
TRAPS = """
SET SESSION AUTHORIZATION guestbook;
CREATE TABLE proof (who text);
CREATE FUNCTION note() RETURNS text LANGUAGE plpgsql AS
    $$BEGIN INSERT INTO public.proof VALUES (current_user); RETURN 'SELECT 1 AS c'; END$$;
CREATE FUNCTION public.format(text, name, name) RETURNS text LANGUAGE sql AS 'SELECT public.note()';
CREATE FUNCTION public.format(text, name) RETURNS text LANGUAGE sql AS 'SELECT public.note()';
"""


@pytest.mark.full
@each_debian(13)
@pytest.mark.proves("database.guarded")
def test_nothing_of_a_project_s_runs_as_the_superuser(stack: Stack) -> None:
    server = stack.server
    psql(server, TRAPS, "guestbook")
    # They are traps indeed.
    psql(server, "SELECT format('%I.%I', nspname, relname) FROM pg_class, pg_namespace LIMIT 1", "guestbook")
    assert psql(server, "SELECT DISTINCT who FROM proof", "guestbook") == "postgres"
    psql(server, "TRUNCATE proof", "guestbook")
    stack.set("backups", {"to": "/backups/guestbook"})
    stack.set("database.extensions", ["citext"])
    stack.up()
    server.console(f"{COMMAND} now")
    server.console(f"{COMMAND} verify")
    stack.use("main~1")
    stack.preview()
    stack.up()
    server.console(f"{COMMAND} restore latest")
    assert psql(server, "SELECT count(*) FROM proof", "guestbook") == "0"
    place = "SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'citext'"
    assert psql(server, place, "guestbook") == "public"
