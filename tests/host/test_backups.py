"""Backups: made, restored where they were made, and brought to another server when the first one is lost."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

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
    assert len(stack.outputs()["backupPassword"]) == 64
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
@pytest.mark.proves("backups.new-server", "backups.sftp")
def test_a_lost_server_comes_back_on_another_one(
    stack: Stack, sandbox: Sandbox, fresh: Callable[[int], Server]
) -> None:
    target = sandbox.up("backups", 13)
    target.console("useradd -m keeper && install -d -o keeper -m 700 /home/keeper/.ssh /home/keeper/shop")
    to = f"sftp://keeper@{target.host}/home/keeper/shop"
    stack.set("backups", {"to": to, "hostKey": target.host_key})
    admit(stack.up().said("warning"), target)
    kept = stack.site.write()
    stack.site.await_job(kept)
    upload(stack, "kept")
    stack.server.console(f"{COMMAND} now")
    lost, stack.server = stack.server, fresh(13)
    try:
        lost.console("systemctl stop nginx")
        key = stack.server.private_key_path.read_text()
        stack.set("server", {"host": stack.server.host, "user": "root", "hostKey": stack.server.host_key})
        stack.set_secret("codesensei:sshPrivateKey", key)
        admit(stack.up().said("warning"), target)
        stack.server.console(f"{COMMAND} restore latest")
        assert stack.site.shows(kept)
        assert of_picture(stack) == "deploy\nkept"
    finally:
        stack.server = lost


def admit(said: str, target: Server) -> None:
    """Do what the warning says."""
    (line,) = {found.partition(";")[0] for found in said.split("there: ")[1:]}
    keys = "/home/keeper/.ssh/authorized_keys"
    target.console(f"cat > {keys} && chown keeper {keys} && chmod 600 {keys}", input=f"{line}\n".encode())
