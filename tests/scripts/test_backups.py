"""Backups as the server makes, checks and restores them; restic and PostgreSQL are played."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.backups import back, dumps, make, postgres, settings, sqlite, status
from codesensei.scripts.backups.make import Contents
from codesensei.scripts.backups.repository import Repository, Snapshot
from codesensei.scripts.base import commands, files, units
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import BELOW, Failure
from codesensei.scripts.postgres import ownership, postgresql
from codesensei.scripts.release import record
from codesensei.scripts.steps import backup, backups, build
from codesensei.scripts.steps import status as server_status
from codesensei.wire import codec, paths
from codesensei.wire.names import backup_units
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.steps import Backup, DatabasePlace, KeepBackups
from tests.scripts.examples import BUILD, FACTS, NAME, REVISION

SHOP = ProjectPaths("shop")
PASSWORD = "canary-of-the-backups"
NO_REPOSITORY = "Fatal: unable to open config file\nIs there a repository at the following location?\n"
UNREAD = "Warning: at least one source file could not be read\n"
DATA = Backup(
    to="sftp://keeper@nas.example.com/shop",
    user="deploy",
    directory=".",
    period=86400,
    keep=KeepBackups(daily=7, weekly=4, monthly=0),
    folders=("media",),
    database=None,
    service="[Service]\n",
    timer="[Timer]\n",
    host_key="ssh-ed25519 AAAA",
    password=PASSWORD,
)


class Restic:
    """restic and ssh-keygen; `made` counts the repositories, 0 while there is none; `refuses` is said instead."""

    def __init__(self) -> None:
        self.made, self.refuses, self.told = 0, "", list[list[str]]()
        self.unread: list[Path] = []
        self.environment: dict[str, str] = {}
        self.added: dict[str, Any] = {}

    def run(self, argv: Sequence[str], **options: Any) -> Result:
        if argv[0] == "ssh-keygen":
            Path(argv[-1]).write_text("private")
            Path(f"{argv[-1]}.pub").write_text("ssh-ed25519 OURS shop\n")
            return Result("", "", 0)
        self.told.append(list(argv))
        self.environment = dict(options.get("env") or {})
        if self.refuses:
            return Result("", self.refuses, 1)
        if "cat" in argv and not self.made:
            return Result("", NO_REPOSITORY, 1)
        if "cat" in argv:
            return Result(json.dumps({"version": 2, "id": f"cafe{self.made}"}, indent=2), "", 0)
        self.made += "init" in argv
        if "backup" in argv:
            staged = Path(argv[list(argv).index("--") + 1])
            self.added = {path.name: path.read_bytes() for path in staged.iterdir()}
            summary = json.dumps({"message_type": "summary", "snapshot_id": "0123456789"}) + "\n"
            # What it first counts is not what it then reads.
            errors = [("scan", SHOP.media), *(("archival", path) for path in self.unread)]
            told = [
                json.dumps({"message_type": "error", "error": {"Op": "lstat"}, "during": during, "item": str(path)})
                for during, path in errors
            ]
            return Result(summary, "\n".join([*told, UNREAD]), 3) if self.unread else Result(summary, "", 0)
        return Result("[]", "", 0)


@pytest.fixture
def restic(server: Path, monkeypatch: pytest.MonkeyPatch) -> Restic:
    played = Restic()
    monkeypatch.setattr(commands, "run", played.run)
    for module in (backups, settings, units):
        monkeypatch.setattr(module, "systemctl", lambda *words, check=True: Result("", "", 0))
    SHOP.root.mkdir()
    SHOP.memory.mkdir()
    (SHOP.shared / "media").mkdir(parents=True)
    return played


def deployed(make_step: Any, **changes: Any) -> Any:
    step = make_step("backups", data=replace(DATA, **changes))
    backups.run(step)
    return step


@pytest.mark.proves("backups.password", "backups.sftp")
def test_the_step_writes_everything_once(restic: Restic, make_step: Any) -> None:
    assert deployed(make_step).changes
    assert deployed(make_step).changes == 0
    password = settings.password_file(SHOP)
    assert (password.read_text(), password.stat().st_mode & 0o777) == (PASSWORD, 0o600)
    assert PASSWORD not in settings.place(SHOP).read_text()
    assert not any(PASSWORD in word for line in restic.told for word in line)
    assert restic.environment["RESTIC_PASSWORD_FILE"] == str(password)
    assert SHOP.backups.stat().st_mode & 0o777 == 0o700
    assert (SHOP.backups / "known_hosts").read_text() == "nas.example.com ssh-ed25519 AAAA\n"
    assert "StrictHostKeyChecking=yes" in " ".join(restic.told[0])
    assert [words[-1] for words in restic.told] == ["config", "init", "config", "config"]


@pytest.mark.proves("backups.target-refuses")
@pytest.mark.parametrize(
    ("said", "cause", "fix"),
    [
        ("Permission denied (publickey).", "does not take this server's key", "there: ssh-ed25519 OURS shop"),
        ("Fatal: wrong password or no key found", "with another password", "codesensei:backups.password"),
        ("No space left on device", "it is full", "free some space there"),
        ("Fatal: write /backups/shop/data/1-tmp-2: no space left on device", "it is full", "free some space there"),
        (
            "Fatal: write /tmp/restic-temp-pack-1: no space left on device",
            "it is full",
            "free some space on it (df -h)",
        ),
        ("Host key verification failed.", "is not the one in codesensei:backups.hostKey", "ssh-keyscan"),
        ("anything else", "restic ended with status 1", "see what it says below"),
        (" ", "restic ended with status 1", "try again"),
    ],
)
def test_a_target_that_refuses_is_a_warning(restic: Restic, make_step: Any, said: str, cause: str, fix: str) -> None:
    restic.refuses = said
    (warning,) = deployed(make_step).result.warnings
    assert cause in warning
    assert fix in warning


S3 = {"to": "s3:https://storage.example:9000/shop", "host_key": "", "access_key": "key", "secret_key": "canary"}


@pytest.mark.proves("backups.s3")
def test_a_bucket_is_asked_with_its_key_and_its_certificate(restic: Restic, make_step: Any) -> None:
    deployed(make_step, **S3, region="here-1", root_certificate="PEM")
    root = settings.root_of_storage(SHOP)
    assert root.read_text() == "PEM\n"
    assert all(f"--cacert {root}" in " ".join(words) for words in restic.told)
    assert not any("canary" in word for words in restic.told for word in words)
    known = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "canary", "AWS_DEFAULT_REGION": "here-1"}
    assert {name: restic.environment[name] for name in known} == known
    deployed(make_step, **S3)
    assert not root.exists()
    assert "--cacert" not in restic.told[-1]
    assert "AWS_DEFAULT_REGION" not in restic.environment


@pytest.mark.proves("backups.s3")
@pytest.mark.parametrize(
    ("said", "code", "cause"),
    [
        ("Stat: Access Denied.", 1, "it refuses the access key, or the key may not use this bucket"),
        ("Stat: The request signature we calculated does not match", 1, "it refuses the access key"),
        ("Stat: 400 Bad Request", 1, "its region is another one"),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", 1, "its certificate"),
        ("dial tcp 192.0.2.1:443: connect: connection refused", 124, "it cannot be reached from this server"),
        ("dial tcp: lookup s3.example.com on 192.0.2.53:53: no such host", 124, "it cannot be reached"),
        ("", 124, "it does not answer within 30 seconds"),
    ],
)
def test_no_repository_is_made_where_a_bucket_refuses(
    restic: Restic, make_step: Any, monkeypatch: pytest.MonkeyPatch, said: str, code: int, cause: str
) -> None:
    """Of all of these, restic asks whether there is a repository."""

    def refuses(argv: Sequence[str], **options: Any) -> Result:
        restic.told.append(list(argv))
        return Result("", f"Fatal: unable to open config file: {said}\n{NO_REPOSITORY}", code)

    monkeypatch.setattr(commands, "run", refuses)
    (warning,) = deployed(make_step, **S3).result.warnings
    assert cause in warning
    with pytest.raises(Failure, match=cause):
        Repository(SHOP, settings.require(SHOP)).snapshots()
    limited = ["setpriv", "--pdeathsig=KILL", "timeout", "--kill-after=5", "30", "setpriv", "--pdeathsig=KILL"]
    assert [words[:7] for words in restic.told] == [limited, limited]
    assert all(words[-2:] == ["cat", "config"] for words in restic.told)


@pytest.mark.proves("backups.s3")
def test_who_reads_a_full_storage_writes_no_lock(restic: Restic, make_step: Any) -> None:
    deployed(make_step, **S3)
    repository = Repository(SHOP, settings.require(SHOP))
    repository.snapshots()
    repository.restore("latest", Path("/a"), Path("/b"))
    assert all("--no-lock" in words for words in restic.told if not {"init"} & {*words})
    repository.forget(DATA.keep)
    assert "--no-lock" not in restic.told[-1]


@pytest.mark.proves("backups.made", "backups.told", "backups.kept")
def test_a_backup_says_what_is_in_it_and_old_ones_go(restic: Restic, make_step: Any) -> None:
    deployed(make_step)
    status.note(SHOP, checked=time.time(), error="the last one failed")
    step = make_step("backup")
    assert make.now(step) == "01234567"
    assert codec.decode(Contents, json.loads(restic.added["manifest.json"]), "contents").made > 0
    added = next(words for words in restic.told if "backup" in words)
    assert added[added.index("--") + 1 :] == [str(make.staging(SHOP)), str(SHOP.shared / "media")]
    assert not make.staging(SHOP).exists()
    forgotten = next(words for words in restic.told if "forget" in words)
    assert forgotten[-3:] == ["--keep-daily=7", "--keep-weekly=4", "--keep-within=1d"]
    assert [*status.findings(SHOP)] == []


@pytest.mark.proves("backups.gone")
@pytest.mark.parametrize(
    ("there", "cause"),
    [(0, "the repository that they were made in is gone"), (7, "another repository is there than the one that")],
)
def test_no_backup_begins_again_where_the_ones_of_before_are_gone(
    restic: Restic, make_step: Any, there: int, cause: str
) -> None:
    """As where a disk is not mounted, and where the directory below it had a repository before it ever was."""
    deployed(make_step)
    status.note(SHOP, checked=time.time())
    restic.made = 2
    # Nothing is lost where none was ever made.
    make.now(make_step("backup"))
    make.now(make_step("backup"))
    restic.made, told = there, len(restic.told)
    assert backup.run("shop", ["now"]) == 1
    (found,) = status.findings(SHOP)
    assert cause in found.cause
    assert found.fix.startswith("look whether its disk is mounted; to begin again there")
    (warning,) = deployed(make_step).result.warnings
    assert cause in warning
    assert {words[-1] for words in restic.told[told:]} == {"config"}
    other = deployed(make_step, to="sftp://keeper@nas.example.com/other")
    assert other.result.warnings == ()
    status.note(SHOP, to=DATA.to, repository="cafe2")
    deployed(make_step)
    assert backup.run("shop", ["begin"]) == 0
    assert [*status.findings(SHOP)] == []
    assert backup.run("shop", ["now"]) == 0


@pytest.mark.proves("backups.gone")
def test_what_is_asked_of_backups_that_are_gone_says_so(
    restic: Restic, make_step: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed(make_step)
    restic.made = 0
    assert backup.run("shop", ["restore", "latest"]) == 1
    assert "there is no repository\nfix: look whether its disk is mounted" in capsys.readouterr().err


def raising(error: Exception) -> Any:
    def fail(*_: Any) -> None:
        raise error

    return fail


@pytest.mark.proves("policy.backup")
def test_a_backup_older_than_a_day_is_a_finding_of_the_policy(restic: Restic, make_step: Any) -> None:
    """A day, and two hours for a late timer and a long backup; on the first day there need not be one."""
    deployed(make_step)
    now, hours = time.time(), 3600.0
    status.note(SHOP, since=now - 25 * hours)
    assert status.too_old(SHOP) is None
    status.note(SHOP, since=now - 99 * hours)
    missing = status.too_old(SHOP)
    assert missing
    assert (missing.thing, missing.cause) == ("backup", "none was made for 4 days")
    status.note(SHOP, made=now - 27 * hours)
    old = status.too_old(SHOP)
    assert old
    assert (old.cause, old.fix) == ("the newest is 27 hours old", "make one: codesensei backup")
    status.note(SHOP, made=now - 25 * hours)
    assert status.too_old(SHOP) is None


@pytest.mark.proves("backups.told")
def test_what_is_wrong_with_backups_is_told(restic: Restic, make_step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [*status.findings(SHOP)] == []
    deployed(make_step)
    assert [*status.findings(SHOP)] == []
    hours = 3600.0
    status.note(SHOP, since=time.time() - 49 * hours)
    assert [found.cause for found in status.findings(SHOP)] == [
        "none was made for 2 days, more than twice the schedule"
    ]
    status.note(SHOP, made=time.time() - 47 * hours)
    assert [*status.findings(SHOP)] == []
    restic.refuses = "No space left on device"
    with pytest.raises(Failure, match="it is full"):
        make.now(make_step("backup"))
    monkeypatch.setattr(make, "_make", raising(OSError(28, "No space left on device", "/staging")))
    restic.refuses = ""
    assert backup.run("shop", ["now"]) == 1
    assert status.read(SHOP).error == "/staging: No space left on device"
    status.note(SHOP, error=f"backups in {DATA.to}: it is full", fix="free some space there, or keep fewer backups")
    status.note(SHOP, check_error="2 tables differ")
    assert [(found.cause, found.fix) for found in status.findings(SHOP)] == [
        (
            f"the last one failed, the newest is 47 hours old: backups in {DATA.to}: it is full",
            "free some space there, or keep fewer backups",
        ),
        ("the last check could not restore one: 2 tables differ", f"on the server: {SHOP.backup} verify"),
    ]


@pytest.mark.proves("backups.checked")
def test_a_table_with_other_rows_fails_the_check() -> None:
    contents = Contents(counts={"public.entry": 3, "public.other": 1})
    make.compare(contents, {"public.entry": 3, "public.other": 1})
    for counts in ({"public.entry": 2, "public.other": 1}, {"public.entry": 3}):
        with pytest.raises(Failure, match="1 tables differ"):
            make.compare(contents, counts)


@pytest.mark.proves("backups.app-user", "backups.checked", "backups.restore")
@pytest.mark.slow
def test_a_sqlite_file_is_copied_and_put_back_by_its_user(
    restic: Restic, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = []

    def as_user(user: str, *argv: str) -> list[str]:
        users.append(user)
        return list(argv)

    monkeypatch.setattr(sqlite, "as_user", as_user)
    place = SHOP.shared / "db.sqlite3"
    database = DatabasePlace(kind="sqlite", name=str(place), role="", host="", port=None)
    deployed(make_step, database=database)
    live = sqlite3.connect(place)
    live.execute("PRAGMA journal_mode=WAL")
    live.execute('CREATE TABLE "a b" (text)')
    live.execute('INSERT INTO "a b" VALUES (1), (2)')
    live.commit()
    status.note(SHOP, checked=time.time())
    make.now(make_step("backup"))
    assert users == ["deploy"]
    contents = codec.decode(Contents, json.loads(restic.added["manifest.json"]), "contents")
    assert contents.counts == {"a b": 2}
    copy = SHOP.backups / "copy"
    copy.write_bytes(restic.added["database.dump"])
    assert sqlite.count("deploy", copy) == {"a b": 2}
    live.execute('DELETE FROM "a b"')
    live.commit()
    wanted = settings.require(SHOP)
    back._swap_sqlite(make_step("backup"), wanted, copy, back._Names("now"))
    assert sqlite3.connect(place).execute('SELECT count(*) FROM "a b"').fetchone() == (2,)
    live.close()
    old = SHOP.shared / "db.sqlite3-before-now"
    assert sqlite3.connect(old).execute('SELECT count(*) FROM "a b"').fetchone() == (0,)
    copy.write_bytes(b"nothing")
    with pytest.raises(Failure, match="cannot be copied whole"):
        sqlite.count("deploy", copy)


@pytest.mark.proves("backups.restore", "backups.app-user")
def test_restored_files_take_the_place_of_the_old_ones(restic: Restic, make_step: Any) -> None:
    media, new = SHOP.shared / "media", SHOP.root / ".restore"
    (media / "old").touch()
    (new / "folder").mkdir(parents=True)
    (new / "folder/file").write_text("restored")
    assert back._give(new, os.getuid(), os.getuid(), os.getgid()) == []
    step = make_step("backup")
    back._swap_folder(step, media, new, back._Names("now"))
    assert (media / "folder/file").read_text() == "restored"
    assert (SHOP.shared / "media-before-now/old").exists()
    # Somebody else's, which a link of the app user's would have led to.
    (media / "link").symlink_to("folder")
    assert sorted(back._give(media, os.getuid() + 1, os.getuid(), os.getgid())) == ["folder/file", "link"]
    assert [*media.rglob("*")] == [media / "folder"]


@pytest.mark.proves("backups.app-user")
def test_the_project_s_files_come_back_below_a_directory_of_somebody_else_s(
    server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As below one that an administrator has made, and let the project's group write in."""
    media, foreign = server / "media", os.getuid() + 1
    (media / "products/2026").mkdir(parents=True)
    (media / "products").chmod(0o2577)
    for name in ("products/2026/mine", "products/2026/theirs"):
        (media / name).touch()
    lstat, given = Path.lstat, list[Path]()
    owned = {media / "products": foreign, media / "products/2026/theirs": foreign}

    def seen(path: Path) -> os.stat_result:
        found = lstat(path)
        return os.stat_result([*found[:4], owned.get(path, found.st_uid), *found[5:]])

    monkeypatch.setattr(Path, "lstat", seen)
    monkeypatch.setattr(os, "chown", lambda path, *_, **__: given.append(path))
    assert back._give(media, os.getuid(), os.getuid(), os.getgid()) == ["products/2026/theirs"]
    assert given == [media / "products", media / "products/2026", media / "products/2026/mine", media]
    assert (media / "products").stat().st_mode & 0o7777 == 0o2775


@pytest.mark.proves("backups.unread")
def test_a_file_that_goes_while_it_is_read_makes_no_backup_fail(restic: Restic, make_step: Any) -> None:
    deployed(make_step)
    status.note(SHOP, checked=time.time())
    restic.unread = [SHOP.media / "gone"]
    step = make_step("backup")
    assert make.now(step) == "01234567"
    assert "forget" in " ".join(restic.told[-1])
    assert [*status.findings(SHOP)] == []
    assert not any("warning" in line for line in step.said)


@pytest.mark.proves("backups.unread", "backups.told")
def test_files_that_cannot_be_read_are_told(restic: Restic, make_step: Any) -> None:
    """As on a disk that fails, or where a server of files gives root nothing."""
    deployed(make_step)
    status.note(SHOP, checked=time.time())
    restic.unread = [SHOP.media / name for name in ("first", "gone", "second")]
    for name in ("first", "second"):
        (SHOP.media / name).touch()
    step = make_step("backup")
    make.now(step)
    told = f"2 files could not be read, as {SHOP.media}/first"
    assert f"warning: {told}" in step.said
    (found,) = status.findings(SHOP)
    assert found.cause == f"the newest does not have all: {told}"
    backed = server_status._backups(SHOP)
    assert backed
    assert (backed.snapshot, backed.error) == ("01234567", told)
    restic.unread = []
    make.now(make_step("backup"))
    assert [*status.findings(SHOP)] == []


@pytest.mark.proves("backups.unread")
def test_a_backup_without_its_database_is_none(restic: Restic, make_step: Any) -> None:
    deployed(make_step)
    restic.unread = [make.staging(SHOP) / "database.dump"]
    with pytest.raises(Failure, match=r"database\.dump is not in it"):
        make.now(make_step("backup"))
    assert not status.read(SHOP).made


@pytest.mark.proves("backups.target-refuses")
def test_a_server_without_room_for_a_restore_is_not_taken_for_its_target(
    restic: Restic, make_step: Any, server: Path
) -> None:
    deployed(make_step)
    restic.refuses = "ignoring error for /a: write /b/a: no space left on device\nFatal: There were 2 errors\n"
    with pytest.raises(Failure, match="disk of this server: it is full"):
        Repository(SHOP, settings.require(SHOP)).restore("01234567", Path("/a"), Path("/b"))


@pytest.mark.proves("backups.told")
@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("warning: slow\nFatal: unable to save: no route\n", "Fatal: unable to save: no route"),
        (
            "pg_restore: error: could not execute query: ERROR:  no\nCommand was: CREATE TABLE (\n);\n",
            "pg_restore: err",
        ),
        ("psql:<stdin>:7: ERROR:  no such table\nLINE 1: x\n", "psql:<stdin>:7: ERROR:  no such table"),
        ("a\nsomething else\n", "something else"),
    ],
)
def test_what_a_program_said_is_kept_for_the_preview(restic: Restic, make_step: Any, log: str, said: str) -> None:
    deployed(make_step)
    status.failed(SHOP, Failure("backups", "restic ended with status 1", BELOW, log))
    (found,) = status.findings(SHOP)
    assert f": backups: restic ended with status 1: {said}" in found.cause
    assert found.fix == f"on the server: {SHOP.backup} now"


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Where disks are mounted."""
    found = {"/"}
    monkeypatch.setattr(files, "mount_points", lambda: found)
    return found


@pytest.mark.proves("backups.mounts")
def test_folders_are_fetched_to_the_disk_that_they_are_on(restic: Restic, make_step: Any, mounted: set[str]) -> None:
    """No rename leads from one disk to another, which would show only when the database is in its place already."""
    deployed(make_step, folders=("media", "var/private"))
    assert make.beside(SHOP, "media") == SHOP.fetched_folders
    mounted.add(str(SHOP.shared))
    assert make.beside(SHOP, "media") == SHOP.shared / ".restore"
    assert make.beside(SHOP, "var/private") == SHOP.shared / "var/.restore"
    left, others = SHOP.shared / ".restore", SHOP.shared / "var/.restore"
    for path in (left, others):
        path.mkdir(parents=True)
    make.sweep(make_step("backup"))
    assert not left.exists()
    assert not others.exists()
    # These stay, and what is fetched is put beside the project's other things.
    mounted |= {str(SHOP.media), f"{SHOP.shared}/var/private/films"}
    assert {make.beside(SHOP, folder) for folder in ("media", "var/private")} == {SHOP.fetched_folders}


@pytest.mark.proves("backups.mounts")
@pytest.mark.parametrize("point", ["media", "media/films"])
def test_a_folder_with_a_disk_of_its_own_stays(restic: Restic, make_step: Any, mounted: set[str], point: str) -> None:
    mounted.add(str(SHOP.shared / point))
    (SHOP.media / "old").touch()
    new = SHOP.root / ".restore/media"
    new.mkdir(parents=True)
    (new / "file").touch()
    step = make_step("backup")
    back._swap_folder(step, SHOP.media, new, back._Names("now"))
    assert [path.name for path in SHOP.media.iterdir()] == ["old"]
    assert [path.name for path in (SHOP.root / "media-before-now").iterdir()] == ["file"]
    assert "has a disk of its own: copy the files into it" in step.said[-1]


@pytest.mark.proves("backups.mounts")
def test_files_whose_successors_cannot_come_stay_in_their_place(
    restic: Restic, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (SHOP.media / "old").touch()
    new, rename = SHOP.root / ".restore/media", os.rename
    new.mkdir(parents=True)

    def refuses(source: Path, target: Path) -> None:
        if source == new:
            raise OSError(18, "Invalid cross-device link", str(source))
        rename(source, target)

    monkeypatch.setattr(os, "rename", refuses)
    step = make_step("backup")
    with pytest.raises(OSError, match="cross-device"):
        back._swap_folder(step, SHOP.media, new, back._Names("now"))
    assert [path.name for path in SHOP.media.iterdir()] == ["old"]
    assert not hasattr(step, "said")


@pytest.mark.proves("backups.cut-off")
def test_the_timer_leaves_what_it_may_not_remove(
    restic: Restic, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its service has the project's own directory to read alone."""
    deployed(make_step)
    SHOP.fetched_folders.mkdir()
    remove = files.remove_path

    def refuses(path: Path) -> bool:
        if path == SHOP.fetched_folders:
            raise OSError(30, "Read-only file system", str(path))
        return remove(path)

    monkeypatch.setattr(files, "remove_path", refuses)
    step = make_step("backup")
    make.sweep(step)
    assert not hasattr(step, "said")
    monkeypatch.setattr(files, "remove_path", raising(OSError(5, "Input/output error", "/disk")))
    with pytest.raises(OSError, match="Input/output"):
        make.sweep(step)


@pytest.mark.proves("backups.mounts")
def test_mounts_are_read_as_the_kernel_writes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
        "31 27 8:1 /some\\040where /srv/my\\040disk rw - ext4 /dev/sda1 rw\n"
    )
    monkeypatch.setattr("builtins.open", lambda *_, **__: io.StringIO(text))
    assert files.mount_points() == {"/", "/srv/my disk"}
    assert files.mount_of(Path("/srv/my disk/a/b")) == "/srv/my disk"
    assert files.mount_of(Path("/srv/my disks")) == "/"
    assert [files.holds_mount(Path(path)) for path in ("/srv/my disk", "/srv", "/srv/my disk/a")] == [True, True, False]


@pytest.mark.proves("release.on-disk")
def test_what_was_fetched_is_on_the_disk_before_it_takes_a_place(
    restic: Restic, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, place, did = deployed(make_step), SHOP.fetched_folders / "media", list[str]()

    def fetch(*_: object) -> dict[str, Path]:
        did.append("fetched")
        place.mkdir()
        return {"media": place}

    monkeypatch.setattr(make, "sweep", lambda _: None)
    monkeypatch.setattr(make, "choose", lambda *_: Snapshot(id="1", time="", paths=()))
    monkeypatch.setattr(make, "fetch", lambda *_: (Path("there"), Contents()))
    monkeypatch.setattr(back, "_no_deploy", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(back, "_fetch_folders", fetch)
    monkeypatch.setattr(back, "sync", lambda folder: did.append(f"on the disk: {folder.name}"))
    monkeypatch.setattr(back, "_swap_folder", lambda *_: did.append("in its place"))
    back.restore(step, "latest")
    assert did == ["fetched", f"on the disk: {SHOP.fetched_folders.name}", "in its place"]


@pytest.mark.proves("backups.restore")
def test_a_restored_database_has_the_settings_of_the_old_one(make_step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the names change: they are the database's number's."""
    said = list[str]()
    monkeypatch.setattr(postgres, "exists", lambda port, name: True)
    monkeypatch.setattr(postgresql, "sql", lambda port, text, **_: said.append(text))
    database = DatabasePlace(kind="local", name="shop", role="shop", host="localhost", port=5433)
    wanted = replace(DATA, database=database)
    back._swap_databases(make_step("backup"), wanted, "codesensei_new_shop", back._Names("now"))
    begun = said[-1].partition("BEGIN; ")[2].split("; ")
    assert begun[0].startswith("INSERT INTO pg_db_role_setting SELECT new.oid, setrole, setconfig ")
    assert begun[0].endswith("ON old.datname = 'shop' AND new.datname = 'codesensei_new_shop'")
    assert begun[1:] == [
        'ALTER DATABASE "shop" RENAME TO "shop-before-now"',
        'ALTER DATABASE "shop-before-now" ALLOW_CONNECTIONS true',
        'ALTER DATABASE "codesensei_new_shop" RENAME TO "shop"',
        "COMMIT;",
    ]


@pytest.mark.proves("backups.ended")
def test_an_end_leaves_the_backups_and_says_where(restic: Restic, make_step: Any) -> None:
    deployed(make_step)
    step = make_step("switch")
    settings.remove(step)
    assert not SHOP.backup.exists()
    assert not SHOP.backups.exists()
    assert not any(paths.unit(name).exists() for name in backup_units("shop"))
    assert f"kept: the backups in {DATA.to}" in step.said[-1]
    silent = make_step("switch")
    settings.remove(silent)
    assert (silent.changes, getattr(silent, "said", [])) == (0, [])


def test_a_directory_that_others_can_replace_is_refused(
    restic: Restic, make_step: Any, server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = server / "backups"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    (warning,) = deployed(make_step, to=str(folder / "shop")).result.warnings
    assert "others than root can replace" in warning


def test_the_command(restic: Restic, make_step: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert backup.run("shop", ["list"]) == 1
    assert "set codesensei:backups in the stack file" in capsys.readouterr().err
    deployed(make_step)
    assert backup.run("shop", ["list"]) == 0
    assert f"0 backups in {DATA.to}" in capsys.readouterr().out
    for words in ([], ["restore"], ["now", "then"], ["else"]):
        assert backup.run("shop", words) == 2
    with make.alone(make_step("backup")):
        assert backup.run("shop", ["now"]) == 1
    assert "another backup, check or restore runs" in capsys.readouterr().err
    assert files.remove_path(SHOP.backups)


@pytest.mark.proves("backups.cut-off")
@pytest.mark.parametrize("error", [Failure("copy", "pg_restore ended"), OSError(errno.ENOSPC, "No space left")])
def test_a_restore_that_fails_leaves_no_half_database(
    restic: Restic, make_step: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    there: set[str] = set()

    def restore(*words: Any) -> None:
        there.add(words[3])
        raise error

    monkeypatch.setattr(postgres, "restore", restore)
    monkeypatch.setattr(postgres, "drop", lambda port, name: there.discard(name))
    database = DatabasePlace(kind="local", name="shop", role="shop", host="localhost", port=5433)
    with pytest.raises(type(error)):
        back._new_database(make_step("backup"), replace(DATA, database=database), SHOP.root, Contents())
    assert there == set()


@pytest.mark.proves("backups.cut-off")
@pytest.mark.parametrize(("words", "code"), [(["now"], 0), (["verify"], 1), (["restore", "latest"], 1)])
def test_what_a_run_that_was_killed_has_left_goes_first(
    restic: Restic,
    make_step: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
) -> None:
    database = DatabasePlace(kind="local", name="shop", role="shop", host="localhost", port=5433)
    there, closed, opened = {"codesensei_check_shop", "codesensei_new_shop", "shop"}, {"shop"}, []
    monkeypatch.setattr(postgres, "exists", lambda port, name: port == 5433 and name in there)
    monkeypatch.setattr(postgres, "drop", lambda port, name: there.discard(name))
    monkeypatch.setattr(postgresql, "is_closed", lambda port, name: name in closed)
    monkeypatch.setattr(postgresql, "open_database", lambda port, name: opened.append(name))
    deployed(make_step, database=database)
    status.note(SHOP, checked=time.time())
    monkeypatch.setattr(postgres, "size", lambda port, name: 1)
    monkeypatch.setattr(postgres, "dump", lambda port, name, into: (into.write_text(""), ({}, []))[1])
    places = [make.staging(SHOP), SHOP.backups / "check", SHOP.backups / "restore", SHOP.fetched_folders]
    for place in places:
        place.mkdir(parents=True)
        (place / "copy").touch()
    assert backup.run("shop", words) == code
    said = capsys.readouterr()
    assert ("there is none" in said.err) is bool(code)
    assert "database shop opened, which an interrupted run has left closed" in said.out
    assert f"removed what an interrupted run has left: {places[0]}, " in said.out
    assert (there, opened) == ({"shop"}, ["shop"])
    assert not any(place.exists() for place in places)
    closed.clear()
    assert backup.run("shop", words) == code
    assert "interrupted" not in capsys.readouterr().out


@pytest.mark.proves("backups.told", "backups.cut-off")
def test_a_backup_that_cannot_even_begin_is_told(
    restic: Restic, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed(make_step)
    monkeypatch.setattr(make, "sweep", raising(Failure("PostgreSQL", "it does not run")))
    assert [backup.run("shop", words) for words in (["now"], ["verify"])] == [1, 1]
    found = [finding.cause for finding in status.findings(SHOP)]
    assert [cause.partition(": ")[2] for cause in found] == ["PostgreSQL: it does not run"] * 2


@pytest.mark.proves("backups.cut-off")
def test_the_lock_of_a_process_that_is_gone_is_removed(
    restic: Restic, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed(make_step)
    run = restic.run
    locked = "Fatal: unable to create lock in backend: repository is already locked by PID 7 on shop"

    def locks(argv: Sequence[str], **options: Any) -> Result:
        restic.refuses = "" if "unlock" in argv else restic.refuses
        return run(argv, **options)

    repository = Repository(SHOP, settings.require(SHOP))
    restic.refuses = locked
    monkeypatch.setattr(commands, "run", locks)
    repository.forget(DATA.keep)
    assert ["unlock" in words for words in restic.told[-3:]] == [False, True, False]
    restic.refuses = "Fatal: wrong password or no key found"
    with pytest.raises(Failure, match="with another password"):
        repository.snapshots()


@pytest.mark.proves("backups.cut-off")
def test_programs_of_a_backup_end_with_it(restic: Restic, make_step: Any) -> None:
    deployed(make_step)
    assert all(words[:2] == ["setpriv", "--pdeathsig=KILL"] for words in restic.told)
    assert postgres._as_postgres(["pg_dump"])[:2] == ["setpriv", "--pdeathsig=KILL"]


def serve(media_root: str, *, on_disk: bool = True) -> None:
    """A release serves whose settings have this MEDIA_ROOT."""
    SHOP.record(NAME).parent.mkdir(exist_ok=True)
    record.begin(SHOP, NAME, revision=REVISION, settings_module="s", user="deploy")
    record.built(SHOP, NAME, replace(FACTS, media_root=media_root, uploads_on_disk=on_disk), {})
    files.make_link(SHOP.current, f"releases/{NAME}")


@pytest.mark.proves("backups.uploads")
@pytest.mark.parametrize(
    ("media_root", "name"),
    [
        ("{shared}/uploads", "uploads"),
        ("{shared}/uploads/deep/", "uploads"),
        ("../../shared/uploads", "uploads"),
        ("{resolved}/uploads", "uploads"),
        ("{shared}/media", ""),
        ("{shared}/media/photos", ""),
        ("{shared}/state/web", ""),
        ("{shared}", ""),
        ("/elsewhere", ""),
        ("", ""),
    ],
)
def test_uploads_of_what_serves_are_in_it(
    restic: Restic, make_step: Any, server: Path, monkeypatch: pytest.MonkeyPatch, media_root: str, name: str
) -> None:
    """Under whatever name the settings keep them in shared; also in one whose real place is another one."""
    SHOP.shared.rename(server / "disk")
    SHOP.shared.symlink_to(server / "disk")
    deployed(make_step)
    serve(media_root.format(shared=SHOP.shared, resolved=server / "disk"))
    for there in (False, True):
        if there:
            (SHOP.shared / "uploads").mkdir()
        assert make.folders(SHOP, DATA) == ("media", *([name] if name else []))
        assert make.folders(SHOP, replace(DATA, folders=())) == ()
    status.note(SHOP, checked=time.time())
    make.now(make_step("backup"))
    added = next(words for words in restic.told if "backup" in words)
    places = {"media", name} - {""}
    assert {*added[added.index("--") + 2 :]} == {str(server / "disk" / place) for place in places}
    # What is another's there, somebody else has made.
    monkeypatch.setattr(files, "user_id", lambda _: os.getuid() + 1)
    assert make.folders(SHOP, DATA) == ("media",)


@pytest.mark.proves("backups.uploads")
def test_uploads_that_are_in_no_backup_are_told(restic: Restic, make_step: Any, server: Path) -> None:
    deployed(make_step)
    status.note(SHOP, checked=time.time())
    volume = server / "volume"

    def found() -> list[str]:
        make.now(make_step("backup"))
        return [f"{finding.cause}; {finding.fix}" for finding in status.findings(SHOP)]

    serve(str(volume))
    assert found() == []
    volume.mkdir()
    assert found() == []
    (volume / "a.jpg").touch()
    (told,) = found()
    assert told.endswith(
        f"uploads are not in it, because MEDIA_ROOT is {volume}; set MEDIA_ROOT to a folder of {SHOP.shared}, or"
        " codesensei:backups.media to false"
    )
    serve(str(volume), on_disk=False)
    assert found() == []
    serve(str(volume))
    deployed(make_step, folders=())
    assert found() == []


@pytest.mark.proves("backups.uploads")
def test_they_are_restored_before_anything_was_uploaded(
    restic: Restic, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed(make_step)
    serve(f"{SHOP.shared}/uploads")
    fetched: list[Path] = []
    monkeypatch.setattr(Repository, "restore", lambda self, snapshot, place, into: fetched.append(place))
    was = {name: f"{SHOP.shared}/{name}" for name in ("media", "uploads", "gone")}
    step, contents = make_step("backup"), Contents(folders=was)
    back._fetch_folders(step, Repository(SHOP, settings.require(SHOP)), "1", contents)
    assert fetched == [SHOP.shared / "media", SHOP.shared / "uploads"]
    assert step.said == ["left out: gone, which is no folder of the stack any more"]


@pytest.mark.proves("backups.told", "backups.app-user")
def test_a_link_of_the_app_user_is_not_followed_but_told(
    restic: Restic, make_step: Any, server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed(make_step)
    status.note(SHOP, checked=time.time())
    media, other = SHOP.shared / "media", server / "disk"
    media.rmdir()
    other.mkdir()
    media.symlink_to(other)
    make.now(make_step("backup"))
    assert restic.told[-2][-1] == str(other)
    monkeypatch.setattr(files, "owner", lambda path: os.getuid() + 1)
    make.now(make_step("backup"))
    assert restic.told[-2][-1] == str(make.staging(SHOP))
    (found,) = status.findings(SHOP)
    assert f"files are not in it, because {media} is a link that deploy made" in found.cause


@pytest.mark.proves("backups.destructive")
def test_production_destroys_nothing_without_a_backup_of_today(
    restic: Restic, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dumped: list[int] = []
    monkeypatch.setattr(dumps, "make", lambda step, keep: dumped.append(keep))

    def destroy(**changes: Any) -> str:
        data = replace(BUILD, **{"production": True, "backups": True, **changes})
        try:
            build._before_destructive(make_step("build", data=data))
        except Failure as failure:
            return f"{failure.cause}; {failure.fix}"
        return "goes on"

    assert "there is none yet" in destroy()
    assert "deploy codesensei:backups without these migrations first" in destroy()
    deployed(make_step)
    assert "there is none yet" in destroy()
    assert "make one: codesensei backup; or, with your reason, codesensei:waive" in destroy()
    status.note(SHOP, made=time.time() - 27 * 3600)
    assert "the newest is 27 hours old" in destroy()
    assert dumped == []
    others: tuple[dict[str, Any], ...] = ({"production": False}, {"backups": False}, {"waived": ("backup",)})
    assert [destroy(**changes) for changes in others] == ["goes on"] * 3
    status.note(SHOP, made=time.time() - 25 * 3600)
    assert destroy() == "goes on"
    assert dumped == [BUILD.dump_keep] * 4


@pytest.mark.proves("backups.dump")
def test_dumps_before_destructive_migrations(restic: Restic, make_step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = "215; 1259 16390 TABLE public order shop\n3400; 0 16390 TABLE DATA public order shop\n"
    monkeypatch.setattr(postgres, "size", lambda port, name: 1)
    monkeypatch.setattr(postgres, "contents", lambda file: listed)
    stamps = iter("12345")
    monkeypatch.setattr(time, "strftime", lambda form: next(stamps))

    def dump(port: int, name: str, into: Path) -> tuple[dict[str, int], list[str]]:
        into.write_text(name)
        return {'public."order"': 3}, []

    monkeypatch.setattr(postgres, "dump", dump)
    step = make_step("build")
    dumps.make(step, 2)
    assert "is not this server's PostgreSQL" in step.said[-1]
    (SHOP.memory / "database").mkdir()
    ownership.apply(SHOP, ownership.Applied(name="shop", role="shop", port=5432))
    dumps.make(step, 0)
    folder = SHOP.memory / "dumps"
    assert not folder.exists()
    for _ in range(3):
        dumps.make(step, 2)
    assert sorted(path.name for path in folder.iterdir()) == ["2.dump", "3.dump"]
    assert "(3 rows in 1 tables)" in step.said[-1]
    listed = ""
    with pytest.raises(Failure, match="the table public order is not in it"):
        dumps.make(step, 2)
    monkeypatch.setattr(postgres, "size", lambda port, name: 1 << 60)
    with pytest.raises(Failure, match="there is no room for a dump"):
        dumps.make(step, 2)
