"""What changes on the server itself, from what the state has of its steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from codesensei.remote.state import StepState
from codesensei.story import WantedServer, of_server, removed_releases
from codesensei.wire import codec, steps
from codesensei.wire.steps import (
    Account,
    Backup,
    BuildDatabase,
    DatabasePlace,
    KeepBackups,
    OnDestroy,
    Packages,
    Preflight,
    StepKind,
)
from tests.story.parts import build

KEEP = KeepBackups(daily=7, weekly=4, monthly=6)
PACKAGES = Packages(packages=("jq",), postgresql=True, port=None, extensions=(), python="", certbot=False)
ACCOUNT = Account(user="deploy", media_serving="none", shared_paths=("data",))
TOOLKIT = "abc"
ENDED = "no backups are made any more; those that there are stay"


def step(kind: StepKind[Any], data: Any, *words: str) -> StepState:
    return StepState(0, "", (kind.name, "1", *words), codec.to_text(data))


def backup(**changes: Any) -> Backup:
    given: dict[str, Any] = {"to": "/backups", "user": "deploy", "directory": ".", "period": 86400, "keep": KEEP}
    given |= {"folders": ("media",), "database": None, "service": "", "timer": "", "password": "s3cret"}
    return Backup(**{**given, **changes})


WANTED = WantedServer(PACKAGES, ACCOUNT, backup(), TOOLKIT)
DONE = {
    "claim": step(steps.CLAIM, steps.Nothing(), "stack", "identity", "false", TOOLKIT),
    "packages": step(steps.PACKAGES, PACKAGES),
    "account": step(steps.ACCOUNT, ACCOUNT),
    "backups": step(steps.BACKUPS, backup()),
}


def told(wanted: WantedServer, **done: StepState) -> tuple[str, ...]:
    return of_server({**DONE, **done}, wanted).entries


@pytest.mark.proves("story.server", "story.silent")
def test_the_same_is_not_told() -> None:
    assert told(WANTED) == ()
    # Of a stack whose state has none of it, nothing is known.
    assert of_server({}, replace(WANTED, backups=None)).entries == ()


@pytest.mark.proves("story.server")
def test_packages_come_and_stay() -> None:
    packages = replace(PACKAGES, packages=("libmagic-dev",), extensions=("postgis",), certbot=True, backups=True)
    assert told(replace(WANTED, packages=replace(packages, python="3.12", hardening="on"))) == (
        "+ libmagic-dev is installed",
        "- jq is asked for no more, and stays",
        "+ extension postgis is installed",
        "+ certbot is installed",
        "+ restic is installed",
        "Python of the system -> 3.12",
        "hardening auto -> on",
    )


@pytest.mark.proves("story.bounded")
def test_many_packages_hide_neither_a_restart_nor_the_end_of_backups() -> None:
    many = replace(PACKAGES, packages=("jq", *(f"lib{number}" for number in range(20))), hardening="off")
    then = {"backups": step(steps.BACKUPS, backup(days=28))}
    entries = told(replace(WANTED, packages=many, backups=None, toolkit="def"), **then)
    assert entries[10:13] == ("+ and 10 more", "hardening auto -> off", ENDED)
    assert entries[13].startswith("PostgreSQL restarts once")
    assert len(entries) == 15


@pytest.mark.proves("story.server")
def test_the_account_and_its_folders() -> None:
    account = Account(user="web", media_serving="none", shared_paths=("uploads",))
    assert told(replace(WANTED, account=account)) == (
        "user deploy -> web",
        "+ shared/uploads",
        "- shared/data is used no more, and stays",
    )


@pytest.mark.proves("story.server")
def test_backups() -> None:
    other = backup(to="sftp:box:/shop", period=3600, keep=replace(KEEP, daily=14), folders=())
    assert told(replace(WANTED, backups=other)) == (
        "backups to /backups -> sftp:box:/shop; those at /backups stay there",
        "backups daily -> hourly",
        "backups that stay: 7 daily, 4 weekly, 6 monthly -> 14 daily, 4 weekly, 6 monthly",
        "backups of shared/media -> no folder",
    )
    assert told(replace(WANTED, backups=None)) == (ENDED,)
    without = {name: known for name, known in DONE.items() if name != "backups"}
    assert of_server(without, WANTED).entries == ("backups daily to /backups",)
    # Of another version's form nothing is known, which does not make them new.
    assert told(WANTED, backups=StepState(0, "", ("backups", "1"), "{}")) == ()


@pytest.mark.proves("story.server.access")
def test_how_the_target_of_backups_is_reached() -> None:
    s3 = backup(to="s3:https://s3.example.com/shop", access_key="shop", secret_key="k1")
    then = step(steps.BACKUPS, s3)

    def told_of(**changes: Any) -> tuple[str, ...]:
        return told(replace(WANTED, backups=replace(s3, **changes)), backups=then)

    reach = "backups reach s3:https://s3.example.com/shop with another"
    assert told_of(access_key="web", secret_key="k2") == (f"{reach} accessKey, secretKey",)
    assert told_of(host_key="h", region="eu", root_certificate="c") == (f"{reach} hostKey, region, rootCertificate",)
    assert told_of(password="canary") == ("another password for backups",)
    # What is not known yet.
    assert told_of(password="", secret_key="") == ()
    # Another place has its own.
    assert told_of(to="/b", access_key="") == (f"backups to {s3.to} -> /b; those at {s3.to} stay there",)


@pytest.mark.proves("story.server.destroy")
def test_what_happens_to_the_data_at_the_end() -> None:
    keep, drop = OnDestroy(database="keep", media="keep"), OnDestroy(database="drop", media="keep")
    assert of_server(DONE, replace(WANTED, on_destroy=drop), (), keep).entries == ("onDestroy.database keep -> drop",)
    assert of_server(DONE, replace(WANTED, on_destroy=drop), (), drop).entries == ()
    assert of_server(DONE, replace(WANTED, on_destroy=drop)).entries == ()


HERE = DatabasePlace(kind="generated", name="shop", role="shop", host="127.0.0.1", port=5432)
AWAY = DatabasePlace(kind="external", name="shop", role="shop", host="db.example.com", port=5432)
FILE = DatabasePlace(kind="sqlite", name="", role="", host="", port=None)
ON_SERVER, ELSEWHERE = "shop in PostgreSQL on this server", "shop at db.example.com"


@pytest.mark.proves("story.server.moved")
@pytest.mark.parametrize(
    ("was", "wanted", "told"),
    [
        (HERE, AWAY, f"database {ON_SERVER} -> {ELSEWHERE}; data does not move"),
        (AWAY, HERE, f"database {ELSEWHERE} -> {ON_SERVER}; data does not move"),
        (
            HERE,
            replace(HERE, name="new"),
            f"database {ON_SERVER} -> new in PostgreSQL on this server; data does not move",
        ),
        (AWAY, replace(AWAY, host="db2"), f"database {ELSEWHERE} -> shop at db2; data does not move"),
        (FILE, HERE, f"database in a SQLite file -> {ON_SERVER}; data does not move"),
        (HERE, replace(HERE, kind="local"), ""),
        (HERE, HERE, ""),
        (AWAY, AWAY, ""),
    ],
)
def test_a_database_elsewhere_is_named(was: DatabasePlace, wanted: DatabasePlace, told: str) -> None:
    serves = build(database=BuildDatabase(kind=was.kind, name=was.name, role=was.role, variables={}))
    given: dict[str, Any] = {
        **dict.fromkeys(("stack", "identity", "slug", "user", "login_user"), ""),
        **dict.fromkeys(("units", "hostnames", "ports", "broker_numbers"), ()),
        **dict.fromkeys(("share_user", "adopt", "allow_unsupported"), False),
    }
    asked = Preflight(**given, database=None if was.kind == "sqlite" else was)
    done = {**DONE, "preflight": step(steps.PREFLIGHT, asked)}
    found = of_server(done, replace(WANTED, database=wanted), serves=serves)
    assert found.entries == ((told,) if told else ())
    # Of a build that is not known nothing is.
    assert of_server(done, replace(WANTED, database=wanted)).entries == ()


RESTARTS = "whoever is connected to a database of it loses the connection, other projects too"
ON = (
    "the database can be restored to any moment of 28 days",
    f"PostgreSQL restarts once (archive_mode on): {RESTARTS}",
)


@pytest.mark.proves("continuous.on", "continuous.ended")
def test_continuous_backups() -> None:
    on, packages = backup(days=28), replace(PACKAGES, continuous=True)
    then, without = step(steps.BACKUPS, on), {name: known for name, known in DONE.items() if name != "backups"}
    assert told(replace(WANTED, backups=on, packages=packages)) == ("+ pgbackrest is installed", *ON)
    assert of_server(without, replace(WANTED, backups=on)).entries[1:] == ON
    assert told(replace(WANTED, backups=on), backups=then) == ()
    assert told(replace(WANTED, backups=backup(days=7)), backups=then) == (
        "the database: restored to any moment of 28 days -> restored to any moment of 7 days",
    )
    restarts = f"PostgreSQL restarts once (archive_mode as before): {RESTARTS}"
    dumped = "the database: restored to any moment of 28 days -> dumped"
    assert told(WANTED, backups=then) == (dumped, restarts)
    gone = told(replace(WANTED, backups=None), backups=then)
    assert gone == (ENDED, restarts)


@pytest.mark.proves("continuous.restart")
@pytest.mark.parametrize(
    ("neighbours", "too"), [(None, ", other projects too"), ((), ""), (("blog", "news"), ", those of blog, news too")]
)
def test_whose_connections_end_with_a_restart(neighbours: tuple[str, ...] | None, too: str) -> None:
    loses = f"whoever is connected to a database of it loses the connection{too}"
    for asked, then in ((backup(days=28), backup()), (backup(), backup(days=28)), (None, backup(days=28))):
        wanted = replace(WANTED, backups=asked, neighbours=neighbours)
        assert told(wanted, backups=step(steps.BACKUPS, then))[-1].endswith(f"): {loses}")


@pytest.mark.proves("story.server")
def test_another_version_of_the_program() -> None:
    assert told(replace(WANTED, toolkit="def")) == (
        "codesensei's scripts there are replaced; nothing restarts for that alone",
    )


SERVED = ["4444444-aaaaaaa", "3333333-bbbbbbb", "3333333-aaaaaaa", "2222222-aaaaaaa", "1111111-aaaaaaa"]
NEVER = "abcdef0-1234567"


@pytest.mark.proves("story.releases")
@pytest.mark.parametrize(
    ("release", "keep", "gone"),
    [
        # The newest of each commit stays.
        ("5555555-aaaaaaa", 5, [NEVER, SERVED[2]]),
        ("5555555-aaaaaaa", 3, [NEVER, *SERVED[2:]]),
        # What serves until then stays, too.
        ("4444444-(new variables)", 2, [NEVER, *SERVED[2:]]),
        # A rollback.
        (SERVED[4], 2, [NEVER, *SERVED[1:4]]),
        # Another setting alone.
        (SERVED[0], 3, [NEVER, SERVED[2], SERVED[4]]),
        (NEVER, 9, [SERVED[2]]),
    ],
)
def test_the_releases_that_go_are_told(release: str, keep: int, gone: list[str]) -> None:
    lines = [f"- release {name} is removed (keepReleases: {keep})" for name in gone]
    assert removed_releases([NEVER, *SERVED], SERVED, release, keep) == lines
    assert of_server(DONE, WANTED, lines).entries == tuple(lines)


@pytest.mark.proves("story.releases")
def test_of_a_server_that_did_not_tell_none_is() -> None:
    assert removed_releases([], [], NEVER, 2) == removed_releases(SERVED, [], NEVER, 2) == []
