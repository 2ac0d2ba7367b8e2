"""What of a project's shared directory is data, and of which kind."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Collection
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.release import checks, record
from codesensei.scripts.removal import data
from codesensei.wire.paths import ProjectPaths
from tests.scripts.examples import FACTS, database_facts

SHOP = ProjectPaths("shop")


def kind(path: Path, databases: Collection[str] = ()) -> frozenset[str]:
    with data._opened(path.parent) as folder:
        return data._kind(path.name, folder, databases)


def make_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE posts (text)")


def test_a_socket_is_no_data(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(tmp_path, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{here}/s")
        os.close(here)
        assert data._goes(path, (), data.MEDIA)


@pytest.mark.proves("destroy.stays")
@pytest.mark.parametrize(
    ("name", "is_database"),
    [
        ("db.sqlite3", True),
        ("db.sqlite3-journal", True),
        ("prod.db", True),
        ("x.sqlite-shm", True),
        ("db.sqlite3-before-20260101-120000", True),
        ("db.sqlite3-before-20260101-120000-wal", True),
        ("live", True),
        ("live-wal", True),
        ("live-before-20260101-120000-shm", True),
        ("dbs", False),
        ("live.txt", False),
        ("tour-before-20260101", False),
    ],
)
def test_which_files_are_a_database(tmp_path: Path, name: str, is_database: bool) -> None:
    path = tmp_path / name
    path.touch()
    found = kind(path, {"live"})
    assert data._goes(path, {"database"}, found) is is_database
    assert data._goes(path, {"media"}, found) is not is_database
    assert not data._goes(path, (), found)


@pytest.mark.proves("destroy.stays")
@pytest.mark.parametrize("drops", [{"database"}, {"media"}, {"database", "media"}])
@pytest.mark.parametrize("folder", ["", "data"])
def test_what_only_looks_like_a_database_stays_with_either(
    server: Path, make_step: Any, drops: set[str], folder: str
) -> None:
    """It may be the project's database, or what somebody has uploaded."""
    there = SHOP.shared / folder
    there.mkdir(parents=True)
    make_database(there / "content.bin")
    (there / "content.bin-wal").write_bytes(b"x")
    (there / "later").symlink_to(there / "content.bin")
    os.mkfifo(there / "pipe")
    step = make_step("destroy")
    remains = data.remove(step, drops)
    left = {str(path.relative_to(there)) for path in there.rglob("*")} if there.is_dir() else set()
    kept = {"content.bin", "content.bin-wal"}
    others = {"later", "pipe"} if drops == {"database"} else set()
    assert left == (set() if len(drops) == 2 else kept | others)
    if not folder and remains:
        words = "a deployed onDestroy.database and onDestroy.media: drop removes it"
        assert f"kept: {there}/content.bin ({words})" in step.said


@pytest.mark.proves("destroy.stays")
def test_the_names_are_those_of_every_release_that_there_is(server: Path) -> None:
    names = {"default": "/srv/codesensei/shop/shared/live", "old": "file:/srv/a%20b?cache=shared", "none": ":memory:"}
    databases = {alias: database_facts("django.db.backends.sqlite3", name) for alias, name in names.items()}
    databases["other"] = database_facts("django.db.backends.postgresql", "shop")
    SHOP.record("a-b").parent.mkdir(parents=True)
    for release in ("c0de001-e000001", "c0de002-e000001"):
        record.begin(SHOP, release, revision="r", settings_module="s", user="deploy")
    record.built(SHOP, "c0de001-e000001", replace(FACTS, databases=databases), {})
    assert checks.sqlite_names(record.every(SHOP)) == {"live", "a b"}


def test_an_empty_media_directory_is_no_data_and_a_link_is(tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    assert data._goes(media, (), data.BOTH)
    media.rmdir()
    media.symlink_to(tmp_path)
    assert not data._goes(media, (), data.MEDIA)
