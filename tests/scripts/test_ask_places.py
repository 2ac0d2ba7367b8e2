"""Where settings and variables lead that the app user can use, and nothing else is open to a project's processes."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from codesensei.scripts.release import ask_places

RELEASE = "/srv/codesensei/shop/releases/1234567-89abcde"


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A disk on which the app user may write what has the mode 0777; root could write everything."""
    for name, mode in {"media": 0o777, "media/deep": 0o777, "backups": 0o755, "logs": 0o755}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(mode)
    for name, mode in {"logs/shop.log": 0o666, "logs/other.log": 0o644, "backups/key.pem": 0o644}.items():
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)

    def access(path: str, wanted: int) -> bool:
        return os.path.exists(path) and os.stat(path).st_mode & wanted == wanted

    monkeypatch.setattr(os, "access", access)
    monkeypatch.setattr(os, "getcwd", lambda: RELEASE)
    monkeypatch.setattr(ask_places, "_OTHERS", ("/proc",))
    return tmp_path


def found(disk: Path, value: object, **variables: str) -> list[str]:
    settings = SimpleNamespace(PLACE=value, lower=f"{disk}/media")
    return [place.removeprefix(f"{disk}/") for place in ask_places.places(settings, variables)]


@pytest.mark.proves("processes.places")
def test_what_is_open(disk: Path) -> None:
    assert found(disk, f"{disk}/media") == ["media"]
    assert found(disk, disk / "media") == ["media"]
    # What is made in it needs the folder; a place below an open one is open.
    assert found(disk, {"a": [f"{disk}/media/new/file.db", f"{disk}/media/deep"]}) == ["media"]
    assert found(disk, f"sqlite:///{disk}/media/db.sqlite3") == ["media"]
    assert found(disk, None, BACKUPS=f"{disk}/media/deep") == ["media/deep"]
    # The file alone, where its folder is somebody else's.
    assert found(disk, ({"filename": f"{disk}/logs/shop.log"},)) == ["logs/shop.log"]


@pytest.mark.proves("processes.places")
def test_what_stays_closed(disk: Path) -> None:
    for place in ("backups", "backups/new", "backups/key.pem", "logs/other.log"):
        assert found(disk, f"{disk}/{place}") == []
    assert found(disk, "/", A="/", B="/static/", C="relative/media", D="\0", E="/proc/self") == []
    assert found(disk, f"{RELEASE}/media", A="/srv/codesensei/shop/shared") == []


@pytest.mark.proves("processes.places")
def test_what_is_hidden_is_named_where_it_can_be_read(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask_places, "_HIDDEN", (f"{disk}/backups",))
    assert found(disk, f"{disk}/backups/key.pem") == ["backups/key.pem"]


@pytest.mark.proves("processes.places")
def test_a_link_in_shared_leads_to_a_disk_of_its_own(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = disk / "shop"
    (own / "shared").mkdir(parents=True)
    (own / "shared/media").symlink_to(disk / "media")
    monkeypatch.setattr(os, "getcwd", lambda: f"{own}/releases/x")
    monkeypatch.setattr(ask_places, "PROJECTS", f"{disk}/")
    assert found(disk, None) == ["media"]


@pytest.mark.proves("processes.places")
@pytest.mark.parametrize(
    ("settings", "sets"),
    [
        ({}, False),
        ({"FILE_UPLOAD_PERMISSIONS": 0o644, "FILE_UPLOAD_DIRECTORY_PERMISSIONS": None}, False),
        ({"FILE_UPLOAD_DIRECTORY_PERMISSIONS": 0o2775}, True),
    ],
)
def test_uploads_whose_mode_a_unit_would_refuse(settings: dict[str, object], sets: bool) -> None:
    assert ask_places.sets_id(SimpleNamespace(**settings)) is sets


def test_a_setting_that_cannot_be_read_hides_no_other(disk: Path) -> None:
    class Settings:
        PLACE = f"{disk}/media"

        @property
        def BROKEN(self) -> str:
            raise RuntimeError

    assert ask_places.places(Settings(), {}) == [f"{disk}/media"]
