"""Uploads are tried at each switch: who cannot write or read them is named, with the directory that is closed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import commands, files, probe
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import Failure
from codesensei.scripts.base.visits import Answer, Door
from codesensei.scripts.release.release import Release
from codesensei.scripts.serving import edge, media
from tests.scripts.manifests import PROJECT, manifest

RELEASE = Release(PROJECT, "4f2a9c1-8be01d7", "deploy", ".", "shop.settings")


class Server:
    """A server on which some users are kept out of some directories."""

    def __init__(self) -> None:
        self.closed: dict[str, Path] = {}
        self.asked: list[str] = []

    def run(self, argv: Sequence[str], *, input: str = "", **_: object) -> Result:
        user = argv[1].removeprefix("--reuid=")
        program, *words = argv[4:]
        closed = self.closed.get(user, Path("/nowhere"))
        if Path(words[-1]).resolve().is_relative_to(closed.resolve()):
            return Result("", "Permission denied\n", 1)
        if program == "sh":
            Path(words[-1]).write_text(input)
        if program == "cat":
            return Result(Path(words[-1]).read_text(), "", 0)
        if program == "rm":
            Path(words[-1]).unlink(missing_ok=True)
        return Result("", "", 0)

    def ask(self, door: Door, url: str, _: CookieJar, timeout: float) -> Answer:
        self.asked.append(url)
        path = PROJECT.media / url.rpartition("/media/")[2]
        is_closed = path.resolve().is_relative_to(self.closed.get("www-data", Path("/nowhere")).resolve())
        return Answer(403) if is_closed else Answer(200, body=path.read_text())


@pytest.fixture
def machine(server: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    found = Server()
    monkeypatch.setattr(commands, "run", found.run)
    monkeypatch.setattr(probe, "ask", found.ask)
    monkeypatch.setattr(edge, "addresses", lambda scheme: ["203.0.113.7"])
    PROJECT.shared.mkdir(parents=True)
    (server / "volume/media").mkdir(parents=True)
    PROJECT.media.symlink_to(server / "volume/media")
    return found


@pytest.fixture
def check(machine: Server, make_step: Any) -> Callable[[str | None], None]:
    def run(media_url: str | None, *, internal: bool = False) -> None:
        data = replace(manifest(), media_url=media_url, media_internal=internal)
        media.read_back(make_step("switch", data=data), RELEASE)

    return run


@pytest.mark.proves("media.readable")
def test_what_is_written_is_read_by_strangers_and_goes_again(machine: Server, check: Any) -> None:
    check("/media/")
    (url,) = machine.asked
    assert url.startswith("https://shop.example.com/media/.codesensei-")
    assert list(PROJECT.media.iterdir()) == []
    check(None)
    assert len(machine.asked) == 1


@pytest.mark.proves("media.readable")
@pytest.mark.parametrize(
    ("user", "url", "what"),
    [("deploy", None, "write"), ("deploy", "/media/", "write"), ("www-data", "/media/", "read")],
)
def test_who_is_kept_out_is_named_with_the_directory(
    machine: Server, check: Any, server: Path, user: str, url: str | None, what: str
) -> None:
    volume = server / "volume"
    volume.chmod(0o710)
    machine.closed[user] = volume
    with pytest.raises(Failure) as told:
        check(url)
    assert told.value.cause == f"the user {user} cannot {what} uploads: it may not enter {volume} (drwx--x---)"
    assert told.value.fix == f"on the server: chmod o+x {volume}"
    assert list((volume / "media").iterdir()) == []


@pytest.mark.proves("media.readable", "media.internal")
def test_what_strangers_do_not_get_is_read_by_nginx_all_the_same(machine: Server, check: Any, server: Path) -> None:
    check("/media/", internal=True)
    assert machine.asked == []
    machine.closed["www-data"] = server / "volume"
    with pytest.raises(Failure, match="the user www-data cannot read uploads: it may not enter"):
        check("/media/", internal=True)


@pytest.mark.proves("media.readable")
def test_other_reasons_are_told_as_they_are(machine: Server, check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "ask", lambda *_: Answer(404))
    with pytest.raises(Failure, match="the user www-data cannot read uploads: nginx answers HTTP status 404"):
        check("/media/")
    monkeypatch.setattr(probe, "ask", lambda *_: Answer(200, body="somebody else's"))
    with pytest.raises(Failure, match="cannot read uploads"):
        check("/media/")


def test_a_folder_of_our_own_that_is_not_served_is_left_alone(machine: Server, check: Any) -> None:
    PROJECT.media.unlink()
    PROJECT.media.mkdir()
    machine.closed["deploy"] = PROJECT.media
    check(None)


@pytest.mark.proves("media.readable")
@pytest.mark.parametrize(("before", "after"), [(0o700, 0o755), (0o750, 0o755), (0o775, 0o775)])
def test_where_root_led_them_others_are_let_in(tmp_path: Path, before: int, after: int) -> None:
    (tmp_path / "volume").mkdir(mode=before)
    (tmp_path / "volume").chmod(before)
    (tmp_path / "media").symlink_to(tmp_path / "volume")
    assert files.open_directory(tmp_path / "media", 0o755, "root") is (before != after)
    assert (tmp_path / "volume").stat().st_mode & 0o777 == after
    # Only the app user's own; and what is no directory is left to the check of the switch.
    (tmp_path / "volume").chmod(0o700)
    assert not files.open_directory(tmp_path / "media", 0o755, "daemon")
    assert not files.open_directory(tmp_path / "none", 0o755, "root")


@pytest.mark.proves("media.closed")
@pytest.mark.parametrize("noted", [True, False])
def test_folders_that_are_not_served_any_more_are_closed(
    machine: Server, make_step: Any, server: Path, noted: bool
) -> None:
    """By the links of the step `account`, or by the manifest that was live, where an earlier version made none."""
    PROJECT.media.unlink()
    for folder in (PROJECT.media, PROJECT.shared / "data/photos", PROJECT.shared / "new"):
        folder.mkdir(parents=True)
        folder.chmod(0o755)
    PROJECT.uploads.mkdir()
    for name in ("data/photos", "new", *(("media",) if noted else ())):
        PROJECT.uploads_link(name).symlink_to(f"../shared/{name}")
    was, now = replace(manifest(), media_url="/media/"), replace(manifest(), media_url="/media/", media="new")
    step = make_step("switch", data=now)
    for _ in range(2):
        media.retire(step, was)
        assert {path.name: path.stat().st_mode & 0o777 for path in PROJECT.shared.rglob("*")} == {
            **{"media": 0o750, "photos": 0o750, "new": 0o755},
            "data": (PROJECT.shared / "data").stat().st_mode & 0o777,
        }
        assert [link.name for link in PROJECT.uploads.iterdir()] == ["new"]
    assert step.said == [f"{PROJECT.shared}/{name} is closed to other users" for name in ("data/photos", "media")]


@pytest.mark.proves("media.closed", "root.trust")
def test_what_else_is_in_their_place_is_left_alone(machine: Server, make_step: Any, server: Path) -> None:
    (server / "volume/media").chmod(0o755)
    media.retire(
        make_step("switch", data=replace(manifest(), media_url=None)), replace(manifest(), media_url="/media/")
    )
    assert (server / "volume/media").stat().st_mode & 0o777 == 0o755
    assert PROJECT.media.is_symlink()
