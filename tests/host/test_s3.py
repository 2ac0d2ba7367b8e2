"""Backups in S3 storage, dumps and continuous ones: made, refused, and brought back to a server that had none of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.postgres import conf
from codesensei.wire import ini
from tests.host.debians import each_debian
from tests.host.rows import psql
from tests.host.storage import KEY, REGION, SECRET, STRANGER, STRANGERS_SECRET, Storage, storage
from tests.host.test_backups import COMMAND, of_picture, upload
from tests.host.test_commands import codesensei
from tests.host.test_moment import CONTENTS, NOW
from tests.scripts.test_conf import QUOTED
from tests.wire.test_ini import HELD
from tools.demo.checks import Entry
from tools.sandbox import Server
from tools.trials.stack import Stack

pytestmark = [pytest.mark.host, pytest.mark.full]

SERVICE = "codesensei-backup-guestbook.service"
# What a deploy waits for a storage that is not there, and all that it does beside, in seconds.
SOON = 150.0


@pytest.fixture
def bucket(stack: Stack, tmp_path: Path) -> Iterator[Storage]:
    """A storage that the stack's server finds by its name."""
    with storage(str(stack.server.address.subnet[1]), tmp_path / "storage") as running:
        running.known_to(stack.server)
        yield running


def use(stack: Stack, bucket: Storage, **more: Any) -> None:
    """Ask for backups there."""
    given = {"to": bucket.to, "accessKey": KEY, "region": REGION, "rootCertificate": bucket.root}
    stack.set("backups", {**given, **more})
    stack.set_secret("codesensei:backups.secretKey", SECRET)


def told(stack: Stack) -> str:
    """What a deploy warns of; it serves all the same."""
    return stack.up(seconds=SOON).said("warning")


def wrote(stack: Stack) -> Entry:
    """An order that the site has taken."""
    order = stack.site.write()
    stack.site.await_job(order)
    return order


def nowhere(stack: Stack, secret: str, *places: str) -> None:
    """The secret is in no unit, journal or log, and in no file that others than root may read but these."""
    server = stack.server
    assert secret not in server.console("journalctl --no-pager").stdout
    assert secret not in stack.run("preview", "--diff").output
    found = server.console(f"grep -rlsI -e {secret} /etc /run /srv /tmp /usr/local /var", check=False).stdout.split()
    # Of what root keeps there is a copy beside it.
    assert {place.removesuffix(".copy") for place in found} == {*places}
    for place in found:
        assert server.console(f"stat -c %a {place}").stdout.strip() in ("600", "640")


@each_debian(13)
@pytest.mark.proves("backups.s3", "backups.target-refuses", "backups.restore")
def test_backups_are_kept_in_a_bucket(stack: Stack, bucket: Storage) -> None:
    use(stack, bucket)
    assert told(stack) == ""
    kept = wrote(stack)
    upload(stack, "kept")
    # As the timer does, confined.
    stack.server.console(f"systemctl start {SERVICE}")
    status = json.loads(stack.server.console("cat /var/lib/codesensei/guestbook/backup/status.json").stdout)
    assert status["checkedSnapshot"] == status["snapshot"]
    (made,) = json.loads(codesensei(stack, "backups", "--json").stdout)["backups"]
    assert made["id"] == status["snapshot"]
    nowhere(stack, SECRET, "/var/lib/codesensei/guestbook/backup/settings.json")
    lost = wrote(stack)
    upload(stack, "changed")
    there = bucket.objects()
    refused(stack, bucket)
    vanished(stack, bucket)
    assert there <= bucket.objects()
    use(stack, bucket)
    assert told(stack) == ""
    assert "kept: the database of before" in codesensei(stack, "restore", made["id"], "--yes").stdout
    assert stack.site.shows(kept)
    assert not stack.site.shows(lost)
    assert of_picture(stack) == "deploy\nkept"
    stack.up_without_changes()


def refused(stack: Stack, bucket: Storage) -> None:
    """A wrong secret, somebody else's key, another region, a certificate that nobody knows: each is told as such."""
    stack.set_secret("codesensei:backups.secretKey", "canary-of-another-secret")
    said = told(stack)
    assert f"backups in {bucket.to}: it refuses the access key" in said
    assert "correct codesensei:backups.accessKey and codesensei:backups.secretKey" in said
    assert "canary" not in said
    assert "it refuses the access key" in stack.server.console(f"{COMMAND} now 2>&1", check=False).stdout
    stack.set("backups.accessKey", STRANGER)
    stack.set_secret("codesensei:backups.secretKey", STRANGERS_SECRET)
    assert "or the key may not use this bucket" in told(stack)
    use(stack, bucket, region="us-east-1")
    assert "set the region that the storage tells: codesensei:backups.region" in told(stack)
    with stack.editing() as config:
        del config["codesensei:backups"]["rootCertificate"]
        config["codesensei:backups"]["region"] = REGION
    assert "set its root certificate: codesensei:backups.rootCertificate" in told(stack)


def vanished(stack: Stack, bucket: Storage) -> None:
    """Nobody waits for long for a storage that is not there."""
    bucket.stop()
    use(stack, bucket, schedule="hourly")
    said = told(stack)
    assert f"backups in {bucket.to}: it cannot be reached from this server" in said
    began = time.monotonic()
    assert "it cannot be reached from this server" in codesensei(stack, "backups", code=1).stderr
    assert "it cannot be reached from this server" in codesensei(stack, "backup", code=1).stderr
    assert time.monotonic() - began < SOON
    bucket.start()
    codesensei(stack, "backup")


@each_debian(13)
@pytest.mark.proves("continuous.s3", "continuous.secret", "continuous.moment", "backups.new-server")
def test_a_lost_server_s_database_comes_back_as_it_was_at_a_moment(
    stack: Stack, bucket: Storage, fresh: Callable[[int], Server]
) -> None:
    lost, new = stack.server, fresh(stack.server.debian)
    use(stack, bucket, database="continuous")
    assert told(stack) == ""
    assert psql(lost, "SHOW archive_mode") == "on"
    wrote(stack)
    upload(stack, "kept")
    lost.console(f"systemctl start {SERVICE}")
    status = json.loads(lost.console("cat /var/lib/codesensei/guestbook/backup/status.json").stdout)
    assert status["checkedSnapshot"] == status["snapshot"]
    own = "/var/lib/codesensei-archive/guestbook/pgbackrest.conf"
    nowhere(stack, SECRET, "/var/lib/codesensei/guestbook/backup/settings.json", own)
    kept = wrote(stack)
    rows, moment = psql(lost, CONTENTS, "guestbook"), psql(lost, NOW)
    gone = wrote(stack)
    psql(lost, "TRUNCATE entries_entry CASCADE", "guestbook")
    # What was written last is in the bucket; of the server nothing more is needed.
    psql(lost, "SELECT pg_switch_wal()")
    archived(lost)
    lost.console("systemctl stop nginx guestbook.socket guestbook.service guestbook-worker.service postgresql@*")
    try:
        bucket.known_to(new)
        stack.set("server.host", new.host)
        stack.set("server.hostKey", new.host_key)
        stack.server = new
        assert bucket.to not in stack.up().said("warning")
        assert (
            "restored: the database of guestbook as it was on"
            in codesensei(stack, "restore", "--at", moment, "--yes").stdout
        )
        assert psql(new, CONTENTS, "guestbook") == rows
        assert stack.site.shows(kept)
        assert not stack.site.shows(gone)
        assert of_picture(stack) == "deploy\nkept"
        wrote(stack)
        new.console(f"systemctl start {SERVICE}")
        stack.up_without_changes()
    finally:
        stack.server = lost


def archived(server: Server) -> None:
    """Wait until the archive has all that PostgreSQL has written."""
    server.console(
        "runuser -u postgres -- pgbackrest --config=/var/lib/codesensei-archive/guestbook/pgbackrest.conf "
        "--stanza=guestbook check"
    )


@each_debian(13)
@pytest.mark.proves("continuous.written")
def test_what_the_configuration_files_hold_is_read_back(stack: Stack) -> None:
    """The tables of both doors, in front of pgBackRest and PostgreSQL themselves."""
    server = stack.server
    server.console("DEBIAN_FRONTEND=noninteractive apt-get -qq install pgbackrest")
    for value in HELD:
        text = ini.render(
            {"global": {"repo1-type": "s3", "repo1-s3-bucket": value, "repo1-path": "/x"}, "shop": {"pg1-path": "/y"}}
        )
        asked = "pgbackrest --config=/run/held.conf --stanza=shop help backup repo-s3-bucket"
        said = server.console(f"cat > /run/held.conf && {asked}", input=text.encode()).stdout
        assert said.partition("current: ")[2].partition("\n\n")[0].rstrip("\n") == value
    lines = [f"held.number{number} = {conf.quote(value)}\n" for number, value in enumerate(QUOTED)]
    place = "$(echo /etc/postgresql/*/main/conf.d)/held.conf"
    server.console(f"cat > {place}", input="".join(lines).encode())
    asked = "SELECT json_object_agg(name, encode(convert_to(setting, 'UTF8'), 'hex')) FROM pg_file_settings"
    found = json.loads(psql(server, f"{asked} WHERE name LIKE 'held.number%'"))
    assert found == {f"held.number{number}": value.encode().hex() for number, value in enumerate(QUOTED)}
    assert psql(server, "SELECT count(*) FROM pg_file_settings WHERE error IS NOT NULL") == "0"
    server.console(f"rm {place}")
