"""What of a project's shared directory is data, and of which kind."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from codesensei.scripts.removal import data


def test_a_socket_is_no_data(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(tmp_path, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{here}/s")
        os.close(here)
        assert data._goes(path, False, False)


@pytest.mark.parametrize(
    ("name", "is_database"),
    [("db.sqlite3", True), ("db.sqlite3-journal", True), ("prod.db", True), ("x.sqlite-shm", True), ("dbs", False)],
)
def test_which_files_are_a_database(tmp_path: Path, name: str, is_database: bool) -> None:
    path = tmp_path / name
    path.touch()
    assert data._goes(path, drop_database=True, drop_media=False) is is_database
    assert data._goes(path, drop_database=False, drop_media=True) is not is_database
    assert not data._goes(path, drop_database=False, drop_media=False)


def test_an_empty_media_directory_is_no_data_and_a_link_is(tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    assert data._goes(media, False, False)
    media.rmdir()
    media.symlink_to(tmp_path)
    assert not data._goes(media, False, False)
