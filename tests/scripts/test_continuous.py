"""Continuous backups as the server sets them up, makes, checks and restores them; pgBackRest and PostgreSQL are played.

tests/host/test_moment.py has the real ones.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codesensei.scripts.backups import archiving, back, dumps, end, make, moment, postgres, settings, status
from codesensei.scripts.backups.pgbackrest import PATIENCE, Archive
from codesensei.scripts.backups.repository import Repository, Snapshot
from codesensei.scripts.base import commands, locks, register, units
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import Failure
from codesensei.scripts.postgres import postgresql
from codesensei.scripts.steps import backup, backups, look
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.steps import Backup, DatabasePlace, KeepBackups

SHOP = ProjectPaths("shop")
PASSWORD = "canary-of-the-archive"
GIB = 1 << 30
DAY = 86400.0
DATA = Backup(
    to="/set/by/the/fixture",
    user="deploy",
    directory=".",
    period=86400,
    keep=KeepBackups(daily=7, weekly=4, monthly=0),
    folders=(),
    database=DatabasePlace(kind="generated", name="shop", role="shop", host="", port=5433),
    service="[Service]\n",
    timer="[Timer]\n",
    days=28,
    password=PASSWORD,
)


class World:
    """A cluster at port 5433, systemd and pgBackRest: what was run, and what they say."""

    def __init__(self, root: Path) -> None:
        self.root, self.ran = root, list[list[str]]()
        self.units = list[tuple[str, ...]]()
        self.reads_conf_d = self.starts = True
        self.refuses = dict[str, str]()
        self.made = list[dict[str, Any]]()
        self.databases = {"shop"}
        self.settings = {"wal_level": "replica", "archive_mode": "off", "archive_command": "(disabled)"}
        since, last = "2026-11-30 12:00", "000000010000000100000002"
        self.archiver: dict[str, Any] = {"fails": None, "since": since, "last": last, "segment": 16 << 20}
        self.asked = list[str]()
        self.archived = dict[str, dict[str, Any]]()

    @property
    def drop_in(self) -> Path:
        return self.root / "etc-postgresql/17/main/conf.d/codesensei-shop.conf"

    def systemctl(self, *words: str, check: bool = True) -> Result:
        self.units.append(words)
        if not words[-1].startswith("postgresql@"):
            return Result("", "", 0)
        there = self.drop_in.exists()
        if there and not self.starts:
            return Result("", "", 1)
        text = self.drop_in.read_text() if there and self.reads_conf_d else ""
        command = text.partition("archive_command = '")[2].partition("'\n")[0]
        self.settings |= {"archive_mode": "on" if command else "off", "archive_command": command or "(disabled)"}
        return Result("", "", 0)

    def sql(self, port: int, text: str, database: str = "postgres", thing: str = "") -> str:
        assert port == 5433
        self.asked.append(text)
        if text == "SELECT pg_reload_conf();":
            self.systemctl("reload", "postgresql@17-main.service")
        return f"{self.root}\n" if text == "SHOW data_directory;" else ""

    def rows(self, port: int, query: str, database: str = "postgres") -> list[dict[str, Any]]:
        assert port == 5433
        if "pg_stat_archiver" in query:
            return [self.archiver]
        assert "FROM pg_settings" in query
        return [{"name": name, "setting": value} for name, value in self.settings.items()]

    def run(self, argv: Sequence[str], **options: Any) -> Result:
        words = list(argv)
        self.ran.append(words)
        if "pgbackrest" not in words:
            return Result("[]", "", 0)
        assert words[:5] == ["setpriv", "--pdeathsig=KILL", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        command = words[-1]
        if said := self.refuses.get("repo-ls" if "repo-ls" in words else command):
            return Result("", said, 28)
        if "repo-ls" in words:
            assert words[-2:] == ["repo-ls", "archive/shop"]
            return Result(json.dumps({".": {"type": "path"}, **self.archived}), "", 0)
        if command == "info":
            return Result(json.dumps([{"backup": self.made}]), "", 0)
        if command == "backup":
            kind = next(word.removeprefix("--type=") for word in words if word.startswith("--type="))
            self.add(kind, time.time())
        return Result("", "", 0)

    def add(self, kind: str, ended: float) -> None:
        label = f"label-{len(self.made)}"
        info = {"repository": {"delta": 7}}
        self.made.append({"label": label, "type": kind, "timestamp": {"stop": ended}, "info": info})

    def commands(self) -> list[str]:
        """What pgBackRest was told, without what is alike in each."""
        alike = (f"--io-timeout={PATIENCE}",)
        told = [words[words.index("--stanza=shop") + 1 :] for words in self.ran if "pgbackrest" in words]
        return [" ".join(word for word in words if word not in alike) for words in told]


@pytest.fixture
def world(server: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    played = World(server)
    monkeypatch.setattr(commands, "run", played.run)
    for module in (archiving, backups, settings, units):
        monkeypatch.setattr(module, "systemctl", played.systemctl)
    for name in ("sql", "rows"):
        monkeypatch.setattr(postgresql, name, getattr(played, name))
    monkeypatch.setattr(postgresql, "clusters", lambda: [postgresql.Cluster("17", "main", 5433, online=True)])
    monkeypatch.setattr(postgres, "drop", lambda port, name: None)
    monkeypatch.setattr(postgres, "exists", lambda port, name: name in played.databases)
    monkeypatch.setattr(postgresql, "is_closed", lambda port, name: False)
    monkeypatch.setattr(postgres, "size", lambda port, name: 1)
    monkeypatch.setattr(Repository, "ensure", lambda self, again=False: False)
    usage = SimpleNamespace(total=20 * GIB, free=20 * GIB)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    (server / "target").mkdir()
    played.drop_in.parent.mkdir(parents=True)
    SHOP.root.mkdir()
    SHOP.memory.mkdir()
    register.claim_slug("shop", "org/shop/prod", "id")
    return played


def deployed(world: World, make_step: Any, **changes: Any) -> Any:
    step = make_step("backups", data=replace(DATA, **{"to": str(world.root / "target"), **changes}))
    backups.run(step)
    return step


@pytest.mark.proves("continuous.on", "continuous.secret", "continuous.kept", "continuous.told")
def test_postgresql_restarts_once_and_archives(world: World, make_step: Any) -> None:
    step = deployed(world, make_step)
    assert step.result.warnings == ()
    assert deployed(world, make_step).changes == 0
    loses = "whoever is connected to a database of it loses the connection"
    assert f"restarting PostgreSQL 17/main: {loses}" in step.said
    restarts = [words for words in world.units if words[-1].startswith("postgresql@")]
    assert restarts == [("restart", "postgresql@17-main.service")]
    config = SHOP.wal_config
    assert world.drop_in.read_text().splitlines()[1:] == [
        "archive_mode = on",
        f"archive_command = 'pgbackrest --config={config} --stanza=shop archive-push %p'",
        "archive_timeout = 60",
    ]
    text = config.read_text()
    assert f"repo1-path={world.root}/target/postgresql\n" in text
    assert f"repo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass={PASSWORD}\n" in text
    assert "repo1-retention-full-type=time\nrepo1-retention-full=28\n" in text
    # A tenth of the disk.
    assert f"archive-push-queue-max={2 * GIB}\n" in text
    modes = [path.stat().st_mode & 0o777 for path in (config, SHOP.wal_archive, SHOP.wal_work, Path(text_place(text)))]
    assert modes == [0o640, 0o750, 0o700, 0o700]
    assert not any(PASSWORD in word for words in world.ran for word in words)
    assert PASSWORD not in world.drop_in.read_text()
    known = register.entry("shop")
    assert known
    assert known.names["archives"] == ("5433",)
    managed = step.managed
    assert {str(config), str(world.drop_in)} <= managed.keys()
    assert str(config) not in step.shown


S3: dict[str, Any] = {"access_key": "key-of-the-shop", "secret_key": "canary-of-the-storage"}


@pytest.mark.proves("continuous.s3", "continuous.secret")
def test_an_archive_in_a_bucket(world: World, make_step: Any) -> None:
    to = "s3:https://s3.eu-central-1.amazonaws.com/shop/prod"
    assert deployed(world, make_step, to=to, **S3).result.warnings == ()
    assert deployed(world, make_step, to=to, **S3).changes == 0
    text = SHOP.wal_config.read_text()
    assert text.splitlines()[:10] == [
        "[global]",
        "repo1-type=s3",
        "repo1-path=/prod/postgresql",
        "repo1-s3-bucket=shop",
        "repo1-s3-endpoint=s3.eu-central-1.amazonaws.com",
        "repo1-s3-region=eu-central-1",
        "repo1-s3-key=key-of-the-shop",
        "repo1-s3-key-secret=canary-of-the-storage",
        "repo1-s3-uri-style=path",
        "repo1-storage-port=443",
    ]
    assert "repo1-storage-ca-file" not in text
    assert SHOP.wal_config.stat().st_mode & 0o777 == 0o640
    told = " ".join(word for words in world.ran for word in words)
    assert "canary" not in told + world.drop_in.read_text()
    own = {"to": "s3:https://storage.example:9000/shop", "region": "here-1", "root_certificate": "PEM"}
    deployed(world, make_step, **own, **S3)
    text, root = SHOP.wal_config.read_text(), SHOP.wal_config.with_name("root.pem")
    for line in (
        "repo1-path=/postgresql",
        "repo1-storage-port=9000",
        "repo1-s3-region=here-1",
        f"repo1-storage-ca-file={root}",
    ):
        assert f"{line}\n" in text
    assert root.read_text() == "PEM\n"
    deployed(world, make_step, **{**own, "root_certificate": ""}, **S3)
    assert not root.exists()


@pytest.mark.proves("continuous.written")
def test_what_its_configuration_cannot_hold_is_a_warning(world: World, make_step: Any) -> None:
    (warning,) = deployed(world, make_step, password="canary-of-the-archive\nrepo1-path=/x").result.warnings
    assert "pgBackRest's configuration cannot hold it: repo1-cipher-pass has a line break" in warning
    assert "canary" not in warning
    assert not SHOP.wal_config.exists()


def text_place(text: str) -> str:
    return text.partition("repo1-path=")[2].partition("\n")[0]


@pytest.mark.proves("continuous.told")
@pytest.mark.parametrize(("disk", "queue"), [(1, GIB // 2), (40, 4 * GIB), (4000, 8 * GIB)])
def test_how_much_wal_may_wait(
    world: World, make_step: Any, monkeypatch: pytest.MonkeyPatch, disk: int, queue: int
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=disk * GIB, free=disk * GIB))
    deployed(world, make_step)
    assert f"archive-push-queue-max={queue}\n" in SHOP.wal_config.read_text()


@pytest.mark.proves("continuous.refused")
@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"wal_level": "minimal"}, "wal_level is minimal"),
        ({"archive_mode": "on", "archive_command": "cp %p /elsewhere/%f"}, "something else archives its WAL"),
        ({"archive_mode": "always", "archive_library": "basic_archive"}, "something else archives its WAL"),
    ],
)
def test_what_somebody_else_archives_is_left_alone(
    world: World, make_step: Any, changes: dict[str, str], cause: str
) -> None:
    world.settings |= changes
    (warning,) = deployed(world, make_step).result.warnings
    assert cause in warning
    assert "/elsewhere" not in warning
    known = register.entry("shop")
    assert known
    assert known.names == {}
    assert not world.drop_in.exists()
    assert not SHOP.wal_archive.exists()
    assert world.commands() == []


@pytest.mark.proves("continuous.refused")
def test_one_stack_archives_a_port(world: World, make_step: Any) -> None:
    register.claim_slug("blog", "org/blog/prod", "other")
    register.claim("blog", {"archives": ["5433"]})
    (warning,) = deployed(world, make_step).result.warnings
    assert "WAL archive of PostgreSQL at port 5433: it belongs to the stack org/blog/prod (slug blog)" in warning
    assert "set codesensei:backups.database: dump in one of the two" in warning
    assert not world.drop_in.exists()


@pytest.mark.proves("continuous.on", "continuous.restart", "continuous.unavailable")
def test_a_restart_waits_for_other_deploys(world: World, make_step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    register.claim_slug("blog", "org/blog/prod", "other")
    monkeypatch.setattr(locks, "deploying", lambda slug: "build of blog" if slug == "blog" else "")
    (warning,) = deployed(world, make_step).result.warnings
    assert "it has to restart once, and build of blog runs; wait for its end" in warning
    assert not world.drop_in.exists()
    assert ("restart", "postgresql@17-main.service") not in world.units
    # The next run does it, and its preview says so.
    told = "PostgreSQL restarts once (archive_mode on): whoever is connected to a database of it loses the connection"
    seen = look._seen(SHOP, "backups")
    assert seen.drift == (thing := "WAL archive of PostgreSQL at port 5433 is not on",)
    assert seen.changes == {thing: (told,)}
    register.claim("blog", {"databases": ["blog"]})
    assert look._seen(SHOP, "backups").changes == {thing: (f"{told}, those of blog too",)}
    monkeypatch.setattr(locks, "deploying", lambda slug: "")
    assert deployed(world, make_step).result.warnings == ()
    assert [*archiving.lacking(SHOP)] == []


@pytest.mark.proves("continuous.unavailable")
@pytest.mark.parametrize(
    ("broken", "cause"),
    [("starts", "runs without it again"), ("reads_conf_d", "it does not read its conf.d")],
)
def test_postgresql_goes_on_without_the_archive(world: World, make_step: Any, broken: str, cause: str) -> None:
    setattr(world, broken, False)
    (warning,) = deployed(world, make_step).result.warnings
    assert cause in warning
    assert not world.drop_in.exists()
    was_started = ("start", "postgresql@17-main.service") in world.units
    assert was_started is (broken == "starts")


@pytest.mark.proves("continuous.unavailable")
@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("CryptoError: unable to flush\nHINT: is or was the repo encrypted?", "made with another password"),
        ("ERROR: [041]: unable to create path: [13] Permission denied", "the user postgres cannot write there"),
        ("ERROR: [055]: unable to open missing file 'x'", "it is not there"),
        ("No space left on device", "it is full"),
        ("CryptoError: unable to find hostname 'a' in certificate\nHINT: is or was the repo encrypted?", "certificate"),
        ("ERROR: [095]: unable to verify certificate presented by 'a:443': [18] self-signed", "signed by nobody"),
        ("ERROR: [039]: HTTP request failed with 403 (Forbidden):", "it refuses the access key"),
        ("ERROR: [039]: HTTP request failed with 400 (Bad Request):", "its region is another one"),
        ("HTTP request failed with 404 (Not Found): <Code>NoSuchBucket</Code>", "there is no such bucket"),
        ("HTTP request failed with 507 (Insufficient Storage)", "the storage itself fails"),
        ("ERROR: [049]: unable to connect to 'a:443': [111] Connection refused", "it cannot be reached"),
        ("unable to get address for 'a': [-2] Name or service not known", "it cannot be reached"),
        ("anything", "pgbackrest ended with status 28"),
    ],
)
def test_an_archive_that_refuses_fails_no_deploy(world: World, make_step: Any, said: str, cause: str) -> None:
    world.refuses["stanza-create"] = said
    (warning,) = deployed(world, make_step).result.warnings
    assert cause in warning
    assert warning.endswith("then run pulumi up again")
    assert not world.drop_in.exists()
    assert world.settings["archive_mode"] == "off"


@pytest.mark.proves("continuous.unavailable")
def test_the_archive_of_a_lost_server_is_taken_over(world: World, make_step: Any) -> None:
    world.refuses["stanza-create"] = "ERROR: [028]: backup and archive info files exist but do not match the database"
    assert deployed(world, make_step).result.warnings == ()
    assert world.commands() == ["stanza-create", "stanza-upgrade"]


@pytest.mark.proves("continuous.ended", "continuous.restart")
def test_back_to_dumps(world: World, make_step: Any) -> None:
    deployed(world, make_step)
    step = deployed(world, make_step, days=0)
    assert not world.drop_in.exists()
    assert not SHOP.wal_archive.exists()
    assert (world.root / "target/postgresql").exists()
    assert ("try-restart", "postgresql@17-main.service") in world.units
    assert world.settings["archive_mode"] == "off"
    known = register.entry("shop")
    assert known
    assert known.names["archives"] == ()
    loses = "whoever is connected to a database of it loses the connection"
    before = step.said.index(f"restarting PostgreSQL 17/main without an archive: {loses}")
    assert any("restarted without it" in line for line in step.said[before:])
    world.units.clear()
    assert deployed(world, make_step, days=0).changes == 0
    assert not any("postgresql@17-main.service" in words for words in world.units)


@pytest.mark.proves("continuous.ended")
def test_a_postgresql_that_does_not_start_again_is_told(
    world: World, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed(world, make_step)
    with monkeypatch.context() as patch:
        patch.setattr(archiving, "systemctl", lambda *words, check: Result("", "", 1))
        with pytest.raises(Failure, match="does not start again"):
            end.backups(make_step("switch"))
    assert settings.read(SHOP) is not None
    # The next run goes on from there.
    world.units.clear()
    end.backups(make_step("switch"))
    assert ("try-restart", "postgresql@17-main.service") in world.units
    assert not world.drop_in.exists()
    assert settings.read(SHOP) is None


@pytest.mark.proves("continuous.told")
def test_an_archive_that_takes_nothing_is_told(world: World, make_step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed(world, make_step)
    assert [*archiving.findings(SHOP, 0.0)] == []
    world.archiver["fails"] = True
    (found,) = archiving.findings(SHOP, 0.0)
    assert found.cause == (
        "it takes nothing since 2026-11-30 12:00 UTC, so no later moment can be restored; PostgreSQL keeps 2.0 GB of "
        "WAL for it, and then gives up what is older"
    )
    assert str(world.root / "target/postgresql") in found.fix

    def down(*_: Any) -> Any:
        raise Failure("PostgreSQL", "it does not run")

    monkeypatch.setattr(postgresql, "rows", down)
    assert [*archiving.findings(SHOP, 0.0), *archiving.lacking(SHOP)] == []


@pytest.mark.proves("continuous.told")
def test_wal_that_was_given_up_is_told(
    world: World, make_step: Any, kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    """PostgreSQL takes it for archived: only the archive knows."""

    def archived(number: int, when: int, cluster: str = "17-10") -> None:
        log, piece = divmod(number, 256)
        name = f"{cluster}/00000001{log:08X}/00000001{log:08X}{piece:08X}-{'a' * 40}.lz4"
        world.archived[name] = {"type": "file", "size": 7, "time": when}

    world.archived["archive.info"] = {"type": "file", "size": 7, "time": 1}
    world.archived["17-10/0000000100000000/000000010000000000000001-history"] = {"type": "file", "size": 7, "time": 1}
    assert [*archiving.findings(SHOP, 0.0)] == []
    archived(1, 1_200_000_000, "17-2")
    for number in range(250, 259):
        archived(number, 1_000_000_000 + 60 * number)
    assert [*archiving.findings(SHOP, 0.0)] == []
    world.archiver["last"] = "000000010000000100000004"
    lost = "WAL was given up: no moment between 2001-09-09 06:04 UTC and now can be restored, and none after that"
    (found,) = archiving.findings(SHOP, 2e9)
    assert found.cause.endswith(lost)
    archived(260, 1_100_000_000)
    (found,) = archiving.findings(SHOP, 1e9)
    assert "between 2001-09-09 06:04 UTC and 2004-11-09 11:33 UTC can be" in found.cause
    # From a later backup on, every moment is there again.
    assert [*archiving.findings(SHOP, 1.2e9)] == []
    assert backup.run("shop", ["list"]) == 0
    said = capsys.readouterr().out
    assert "every moment since 2026-11-29 01:00:00: restore --at" in said
    assert "but no moment between 2001-09-09 06:04 UTC and 2004-11-09 11:33 UTC can be restored" in said
    world.refuses["repo-ls"] = "ERROR: [049]: unable to connect to 's3.example.com:443': [111] Connection refused"
    (found,) = archiving.findings(SHOP, 1.2e9)
    assert found.cause == "whether all moments can be restored is unknown: it cannot be reached from this server"


@pytest.mark.proves("continuous.ended")
def test_a_backup_of_an_archive_that_is_no_more(
    world: World, make_step: Any, kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed(world, make_step, days=0)
    assert backup.run("shop", ["restore", "latest"]) == 1
    assert "which this stack has no more" in capsys.readouterr().err


@pytest.mark.proves("continuous.kept")
@pytest.mark.parametrize(
    ("ago", "period", "kind"),
    [(None, 86400, "full"), (6.9, 86400, "diff"), (6.9, 3600, "incr"), (6.98, 3600, "full"), (7.1, 86400, "full")],
)
def test_full_once_a_week(world: World, make_step: Any, ago: float | None, period: int, kind: str) -> None:
    step = deployed(world, make_step, period=period)
    if ago is not None:
        world.add("full", time.time() - ago * DAY)
        world.add("diff", time.time() - 0.1 * DAY)
    made = Archive(SHOP, step.data).backup()
    assert (made.kind, made.label, made.bytes) == (kind, f"label-{len(world.made) - 1}", 7)


POINT = moment.Point("codesensei-shop-1-1", {"public.entry": 3})
TIME = ("--type=time", "--target=2026-11-30 01:30:00.000000+00")
UNCOUNTED = moment.Point("codesensei-shop-1", None)


class Kept:
    """A repository of restic's with one backup, which holds what `make` wrote."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.text, self.forgot = "", list[tuple[Any, ...]]()
        monkeypatch.setattr(Repository, "forget", lambda _, *words: self.forgot.append(words))
        self.known = [
            Snapshot("11111111", "2026-11-29T01:00:00.123456789Z", (str(make.staging(SHOP)),)),
            Snapshot("22222222", "2026-11-30T02:00:00.5+01:00", (str(make.staging(SHOP)),)),
        ]
        self.fetched = list[str]()
        monkeypatch.setattr(Repository, "snapshots", lambda _: self.known)
        monkeypatch.setattr(Repository, "add", lambda _, places: self.add(places))
        monkeypatch.setattr(Repository, "restore", lambda _, *words: self.restore(*words))

    def add(self, places: Any) -> tuple[str, list[str]]:
        (staged, *_) = places
        assert [path.name for path in Path(staged).iterdir()] == ["manifest.json"]
        self.text = (Path(staged) / "manifest.json").read_text()
        return "22222222", []

    def restore(self, snapshot: str, place: Path, into: Path) -> None:
        self.fetched.append(snapshot)
        found = into / place.relative_to("/")
        found.mkdir(parents=True)
        (found / "manifest.json").write_text(self.text)


@pytest.fixture
def kept(world: World, make_step: Any, monkeypatch: pytest.MonkeyPatch) -> Kept:
    deployed(world, make_step)
    monkeypatch.setattr(moment, "mark", lambda port, database, name, counts: POINT if counts else UNCOUNTED)
    found = Kept(monkeypatch)
    status.note(SHOP, checked=time.time())
    make.now(make_step("backup"))
    return found


@pytest.mark.proves("continuous.checked", "continuous.kept")
def test_a_backup_has_a_restore_point(world: World, kept: Kept) -> None:
    told = json.loads(kept.text)
    assert (told["label"], told["point"], told["counts"]) == ("label-0", POINT.name, POINT.counts)
    assert [line for line in world.commands() if "stanza" not in line] == [
        "--output=json info",
        "--type=full backup",
        "--output=json info",
        "check",
    ]
    assert kept.forgot == [(DATA.keep, 28)]
    assert status.read(SHOP).bytes == 7 + len(kept.text)


@pytest.mark.proves("continuous.checked")
def test_rows_are_counted_as_often_as_they_are_compared(
    world: World, kept: Kept, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counting takes about as long as a dump. The first one is a full one."""
    assert json.loads(kept.text)["counts"]
    make.now(make_step("backup"))
    assert (json.loads(kept.text)["point"], json.loads(kept.text)["counted"]) == (UNCOUNTED.name, False)
    checked = list[str]()
    monkeypatch.setattr(make, "verify", lambda step, snapshot: checked.append(snapshot))
    status.note(SHOP, checked=time.time() - 8 * DAY)
    make.now(make_step("backup"))
    assert (json.loads(kept.text)["point"], checked) == (POINT.name, ["22222222"])


@pytest.mark.proves("continuous.checked")
def test_a_point_without_numbers(world: World) -> None:
    assert moment.mark(5433, "shop", "codesensei-shop-1", counts=False) == UNCOUNTED
    assert world.asked == ["SELECT pg_create_restore_point('codesensei-shop-1');"]


@pytest.mark.proves("continuous.kept")
def test_restic_keeps_so_many_days_as_well(world: World, make_step: Any) -> None:
    wanted = deployed(world, make_step).data
    Repository(SHOP, wanted).forget(DATA.keep, 28)
    assert [word for word in world.ran[-1] if "keep" in word] == ["--keep-within=28d"]


@pytest.mark.proves("continuous.unavailable")
def test_without_the_archive_there_is_no_backup(world: World, make_step: Any, kept: Kept) -> None:
    world.settings["archive_mode"] = "off"
    assert backup.run("shop", ["now"]) == 1
    assert status.read(SHOP).error == "WAL archive of PostgreSQL: it is not on"


@pytest.mark.proves("continuous.checked")
def test_a_check_restores_up_to_the_point(kept: Kept, make_step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told = list[tuple[list[str], Path]]()
    counts = {"public.entry": 3}

    def dump(step: Any, archive: Archive, words: list[str], into: Path, size: int, schema: Path) -> Any:
        assert size == 1
        told.append((words, into))
        schema.write_bytes(b"PGDMP without rows")
        return counts, ["citext"], emptied

    emptied = list[str]()

    def restore(step: Any, port: int, file: Path, name: str, role: str, extensions: list[str]) -> None:
        tried.append((file.read_bytes(), port, name, role, extensions))

    tried = list[Any]()
    monkeypatch.setattr(postgres, "restore", restore)
    monkeypatch.setattr(postgres, "count", lambda port, name: {"public.entry": 0})
    monkeypatch.setattr(moment, "dump", dump)
    step = make_step("backup")
    make.verify(step)
    assert tried == [(b"PGDMP without rows", 5433, "codesensei_check_shop", "shop", ["citext"])]
    words = ["--type=name", f"--target={POINT.name}", "--set=label-0", "--target-action=promote"]
    assert told == [(words, Path("/dev/null"))]
    assert step.said[-1].endswith("3 rows in 1 tables, all there")
    counts = {"public.entry": 2}
    with pytest.raises(Failure, match="1 tables differ"):
        make.verify(make_step("backup"))
    # Recovery empties tables that are unlogged: the others are compared.
    held = {"public.entry": 2, "public.session": 9, 'public."Parent"': 11}
    kept.text = json.dumps({**json.loads(kept.text), "counts": held})
    counts, emptied = {"public.entry": 2, "public.session": 0, 'public."Parent"': 2}, ["public.session"]
    with pytest.raises(Failure, match=r'1 tables differ .*public\."Parent" had 11 rows and has 2'):
        make.verify(make_step("backup"))
    emptied.append('public."Parent"')
    make.verify(step)
    assert step.said[-1].endswith("4 rows in 3 tables, all there")
    kept.text = json.dumps({**json.loads(kept.text), "counts": {}, "counted": False})
    make.verify(step)
    assert step.said[-1].endswith("not compared, for they were not counted when it was made")


@pytest.mark.proves("continuous.moment", "continuous.checked")
def test_where_somebody_always_writes_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["codesensei-shop-1-0", "codesensei-shop-1-4 00000003-00000022-1"]
    asked = list[str]()

    class Session:
        def __enter__(self) -> Session:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def ask(self, text: str, lines: int) -> list[str]:
            asked.append(text)
            return [answers.pop(0)]

    monkeypatch.setattr(postgres, "session", lambda port, name: Session())
    monkeypatch.setattr(postgres, "counted", lambda port, name, snapshot: ({snapshot: 1}, []))
    assert moment.mark(5433, "shop", "codesensei-shop-1", counts=True) == moment.Point("codesensei-shop-1-0", None)
    found = moment.mark(5433, "shop", "codesensei-shop-1", counts=True)
    assert found == moment.Point("codesensei-shop-1-4", {"00000003-00000022-1": 1})
    assert "READ COMMITTED" in asked[0]
    assert "pg_create_restore_point('codesensei-shop-1-' || number)" in asked[0]


def restored(monkeypatch: pytest.MonkeyPatch, make_step: Any, *words: str) -> tuple[int, dict[str, Any]]:
    """What `backup restore` has done with the database: how it was read, and what took whose place."""
    done: dict[str, Any] = {}

    def dump(step: Any, archive: Archive, target: list[str], into: Path, size: int, schema: None) -> Any:
        done["target"] = target
        into.write_bytes(b"PGDMP")
        return {"public.entry": 5}, ["citext"], []

    def restore(step: Any, port: int, file: Path, name: str, role: str, extensions: list[str]) -> None:
        assert file.read_bytes() == b"PGDMP"
        done["new"] = (port, name, role, extensions)

    monkeypatch.setattr(moment, "dump", dump)
    monkeypatch.setattr(postgres, "restore", restore)
    monkeypatch.setattr(postgres, "count", lambda port, name: {"public.entry": 5})
    monkeypatch.setattr(back, "_swap_databases", lambda step, wanted, new, names: done.setdefault("swapped", new))
    return backup.run("shop", ["restore", *words]), done


@pytest.mark.proves("continuous.moment")
def test_the_database_of_a_moment_takes_the_place(
    world: World, kept: Kept, make_step: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, done = restored(monkeypatch, make_step, "--at", "2026-11-30T01:30:00+00:00")
    assert code == 0, capsys.readouterr().err
    # The files are of the last backup before it.
    assert kept.fetched == ["22222222"]
    assert done["target"] == [*TIME, "--target-action=promote", "--set=label-0"]
    assert done["new"] == (5433, "codesensei_new_shop", "shop", ["citext"])
    assert done["swapped"] == "codesensei_new_shop"
    assert "as it was on 2026-11-30 01:30:00 UTC" in capsys.readouterr().out
    # All that was written until now arrives first, and one transaction after it.
    assert world.asked[-1] == "SELECT txid_current();"
    assert world.commands()[-1] == "check"
    assert restored(monkeypatch, make_step, "--at", "2026-11-29T12:00:00Z")[0] == 0
    assert kept.fetched[-1] == "11111111"
    code, done = restored(monkeypatch, make_step, "--at", "end")
    assert (code, done["target"], kept.fetched[-1]) == (0, ["--type=default", "--set=label-0"], "22222222")
    world.refuses["check"] = "was not archived before the 60000ms timeout"
    assert restored(monkeypatch, make_step, "--at", "2026-11-29T12:00:00Z")[0] == 0
    assert "warning: what was written last may be missing: PostgreSQL's WAL" in capsys.readouterr().out


@pytest.mark.proves("continuous.moment")
def test_a_backup_by_its_name_is_its_restore_point(
    kept: Kept, make_step: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, done = restored(monkeypatch, make_step, "latest")
    # The rows are not those of the point.
    assert code == 1
    assert "public.entry had 3 rows and has 5" in capsys.readouterr().err
    assert "swapped" not in done
    kept.text = json.dumps({**json.loads(kept.text), "counts": {"public.entry": 5}})
    code, done = restored(monkeypatch, make_step, "latest")
    assert (code, done["target"][1]) == (0, f"--target={POINT.name}")


@pytest.mark.proves("continuous.moment")
@pytest.mark.parametrize(
    ("at", "cause"),
    [
        ("2026-11-30T01:30:00", "no time with an offset"),
        ("yesterday", "no time with an offset"),
        ("2999-01-01T00:00:00Z", "it has not come yet"),
        ("2026-11-01T00:00:00Z", "there is no backup that is so old; the oldest is 11111111 of 2026-11-29T01:00:00"),
    ],
)
def test_a_moment_that_cannot_be_restored(
    kept: Kept, make_step: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], at: str, cause: str
) -> None:
    code, done = restored(monkeypatch, make_step, "--at", at)
    assert (code, done) == (1, {})
    assert cause in capsys.readouterr().err


@pytest.mark.proves("continuous.moment")
def test_dumps_have_no_moments(
    world: World, make_step: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed(world, make_step, days=0)
    assert restored(monkeypatch, make_step, "--at", "2026-11-30T01:30:00Z") == (1, {})
    assert "this stack's database is dumped, not archived" in capsys.readouterr().err


@pytest.mark.proves("continuous.moment")
def test_a_copy_is_of_one_database_and_elsewhere(world: World, make_step: Any) -> None:
    archive = Archive(SHOP, deployed(world, make_step).data)
    archive.restore(SHOP.wal_scratch, "shop", ["--type=default"])
    scratch = SHOP.wal_scratch
    where = f"--pg1-path={scratch} --tablespace-map-all={scratch}-tablespaces"
    assert world.commands()[-1] == f"--db-include=shop {where} --type=default restore"
    world.refuses["restore"] = "ERROR: [080]: database to include 'shop' does not exist"
    with pytest.raises(Failure, match="ended with status 28"):
        archive.restore(scratch, "shop", ["--type=default"])
    # It was made after the backup.
    assert world.commands()[-1] == f"{where} --type=default restore"
    world.refuses["restore"] = "ERROR: [075]: unable to find backup set with stop time less than '2026'"
    with pytest.raises(Failure, match="it has no backup that is so old"):
        archive.restore(scratch, "shop", ["--type=default"])


@pytest.mark.proves("continuous.moment")
def test_what_a_copy_says_while_it_replays(world: World, make_step: Any) -> None:
    archive, step = Archive(SHOP, deployed(world, make_step).data), make_step("backup")
    segment = 'LOG:  restored log file "000000010000000000000002" from archive\n'
    ready = "LOG:  database system is ready to accept connections\n"
    moment._await(step, archive, io.StringIO(segment * 250 + ready + "never read"), deque(maxlen=30))
    assert step.said == ["replayed 100 pieces of WAL", "replayed 200 pieces of WAL"]
    ended = (
        "LOG:  last completed transaction was at log time 2026-11-30 13:35:53.29556+00\n"
        "FATAL:  recovery ended before configured recovery target was reached\n"
    )
    with pytest.raises(Failure, match=r"its last transaction is of 2026-11-30 13:35:53.29556 UTC") as caught:
        moment._await(step, archive, io.StringIO(ended), deque(maxlen=30))
    assert caught.value.fix.endswith("restore --at end")
    with pytest.raises(Failure, match="does not start with it"):
        moment._await(step, archive, io.StringIO("FATAL:  anything\n"), deque(maxlen=30))


@pytest.mark.proves("continuous.moment")
def test_a_copy_needs_room_and_goes_with_what_was_killed(world: World, make_step: Any) -> None:
    archive = Archive(SHOP, deployed(world, make_step).data)
    with pytest.raises(Failure, match="20 GB are free, and a copy of the database with a dump of it needs 251 GB"):
        moment.dump(make_step("backup"), archive, [], Path("/dev/null"), 100 * GIB)
    for path in (SHOP.wal_scratch, moment._tablespaces(SHOP.wal_scratch)):
        path.mkdir()
        (path / "file").touch()
    step = make_step("backup")
    make.sweep(step)
    assert f"removed what an interrupted run has left: {SHOP.wal_scratch}, {SHOP.wal_scratch}-tablespaces" in step.said
    assert not SHOP.wal_scratch.exists()


@pytest.mark.proves("continuous.destructive")
def test_nothing_is_dumped_before_what_can_be_restored(
    world: World, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed(world, make_step)
    step = make_step("build")
    dumps.make(step, 3)
    # There is no backup yet: no moment can be restored.
    assert "restore --at" not in " ".join(step.said)
    status.note(SHOP, made=time.time())
    dumps.make(step, 3)
    assert "codesensei restore --at 20" in step.said[-1]
    moment.parse(step.said[-1].partition("--at ")[2].partition(" ")[0])
    assert not (SHOP.memory / "dumps").exists()


@pytest.mark.proves("continuous.destructive")
@pytest.mark.parametrize("how", ["off", "refuses", "fails", "gave up"])
def test_a_dump_is_tried_where_the_archive_could_not_restore(world: World, make_step: Any, how: str) -> None:
    """What was set up once is no promise: the archive is asked in that moment."""
    deployed(world, make_step)
    status.note(SHOP, made=time.time() - DAY)
    if how == "off":
        world.settings["archive_mode"] = "off"
    elif how == "refuses":
        world.refuses["check"] = "ERROR: [082]: WAL segment was not archived before the 60000ms timeout"
    elif how == "fails":
        world.archiver["fails"] = True
    else:
        name = f"17-1/0000000100000001/000000010000000100000001-{'0' * 40}.lz4"
        world.archived[name] = {"type": "file", "size": 7, "time": 1}
    step = make_step("build")
    dumps.make(step, 3)
    assert "restore --at" not in " ".join(step.said)
    assert step.said[0].startswith("dumping, as this moment could not be restored: ")


def test_a_moment_has_its_offset() -> None:
    assert moment.parse("end") is None
    wanted = datetime(2026, 11, 30, 12, 0, 0, 500000, tzinfo=timezone.utc)
    # restic writes nanoseconds.
    assert moment.parse("2026-11-30T13:00:00.500000123+01:00") == wanted
    assert moment.at(wanted, "")[1:] == ["--target=2026-11-30 12:00:00.500000+00", "--target-action=promote"]


@pytest.mark.proves("continuous.checked")
def test_tables_that_recovery_empties_are_known_by_the_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()

    @contextlib.contextmanager
    def session(port: int, name: str, sockets: str) -> Iterator[Any]:
        assert (port, name, sockets) == (5432, "shop", "/copy")
        yield SimpleNamespace(ask=ask)

    def ask(text: str, lines: int) -> list[str]:
        asked.append(text)
        return ['["public.session"]'][:lines]

    monkeypatch.setattr(postgres, "session", session)
    assert postgres.emptied(5432, "shop", "/copy") == ["public.session"]
    assert "relpersistence = 'u'" in asked[0]
    # One line of an answer for one line of a question.
    assert asked[0].endswith(";\n")
    assert asked[0].count("\n") == postgres._OPEN.count("\n") + 1
