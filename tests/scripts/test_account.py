"""Accounts and directories: owners and modes, and nothing of the app's followed."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from codesensei.scripts.base import commands, files, proofs
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import Failure, write_json
from codesensei.scripts.checks.user import APP_COMMENT
from codesensei.scripts.steps import account
from codesensei.wire import codec, paths
from codesensei.wire.names import build_user
from tests.scripts.conftest import fingerprints
from tests.scripts.examples import APP_USER, MANIFEST

MODES = {
    "": 0o751,
    "releases": 0o751,
    "env": 0o750,
    "venvs": 0o751,
    "shared": 0o1771,
    "shared/media": 0o750,
    "shared/logs": 0o750,
    "shared/state": 0o750,
}


@pytest.fixture
def make(server: Path, make_step: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(account, "ensure_user", lambda *_: False)
    monkeypatch.setattr(files, "is_user", lambda name: True)

    def run(serving: Literal["none", "proxy", "internal"] = "none", **changes: Any) -> Any:
        step = make_step("account", data=replace(APP_USER, media_serving=serving, **changes))
        account.run(step)
        return step

    return run


def drift() -> tuple[str, ...]:
    """What a look would say of the step."""
    return tuple(proofs.drift(proofs.read(paths.ProjectPaths("shop"), "account")))


@pytest.mark.proves("paths.project", "paths.releases", "paths.shared", "paths.shared.data", "shared.move-with-current")
def test_directories_have_the_modes_of_the_contract(make: Any, server: Path) -> None:
    make()
    root = server / "srv/shop"
    assert {name: (root / name).stat().st_mode & 0o7777 for name in MODES} == MODES
    assert os.readlink(root / "shared/.env") == "../current/.codesensei/env"
    assert os.readlink(root / "shared/venv") == "../current/.codesensei/venv"
    assert (root / "manage").stat().st_mode & 0o777 == 0o755


def test_a_second_run_changes_nothing(make: Any, server: Path) -> None:
    make()
    before = fingerprints(server)
    assert make().changes == 0
    assert fingerprints(server) == before


@pytest.mark.proves("config.drift.folders")
def test_folders_that_are_gone_are_drift_and_made_again(make: Any, server: Path) -> None:
    """systemd makes one that it needs as a mount point itself, for root; no release could write its logs there."""
    (server / "memory/shop/proofs").mkdir(parents=True)
    proofs.finish(make(shared_paths=("data/photos",)))
    media, logs = server / "srv/shop/shared/media", server / "srv/shop/shared/logs"
    photos = server / "srv/shop/shared/data/photos"
    media.chmod(0o700)
    (media / "a.jpg").touch()
    assert drift() == ()
    logs.rmdir()
    photos.rmdir()
    assert drift() == (f"{photos} is gone", f"{logs} is gone")
    proofs.finish(make(shared_paths=("data/photos",)))
    assert drift() == ()


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives folders away")
@pytest.mark.proves("config.drift.folders")
def test_so_are_those_of_another_user_but_not_what_root_leads_elsewhere(make: Any, server: Path) -> None:
    (server / "memory/shop/proofs").mkdir(parents=True)
    proofs.finish(make())
    media, logs = server / "srv/shop/shared/media", server / "srv/shop/shared/logs"
    os.chown(logs, 1, 1)
    media.rename(server / "media-on-a-bigger-disk")
    media.symlink_to(server / "media-on-a-bigger-disk")
    assert drift() == (f"{logs} belongs to daemon, not to root",)
    os.chown(media, 1, 1, follow_symlinks=False)
    assert f"{media} belongs to daemon, not to root" in drift()


@pytest.mark.proves("paths.shared.data", "media.proxy")
def test_media_is_readable_by_the_proxy_only_where_it_serves_them(make: Any, server: Path) -> None:
    make("proxy")
    media = server / "srv/shop/shared/media"
    assert media.stat().st_mode & 0o777 == 0o755
    make("none")
    assert media.stat().st_mode & 0o777 == 0o750


@pytest.mark.proves("order.inert", "media.closed")
@pytest.mark.parametrize(("internal", "wanted"), [(False, (0o755, "deploy")), (True, (0o750, "www-data"))])
def test_what_serves_can_be_read_until_the_switch(
    make: Any, server: Path, monkeypatch: pytest.MonkeyPatch, internal: bool, wanted: tuple[int, str]
) -> None:
    """Also where the deploy that would end it fails before its switch."""
    live, shop = replace(MANIFEST, media_url="/media/", media_internal=internal), paths.ProjectPaths("shop")
    shop.memory.mkdir()
    write_json(shop.live, codec.encode(live))
    modes: dict[str, tuple[int, str]] = {}
    made = files.make_directory

    def remember(path: Path, mode: int, owner: str = "root", group: str = "root") -> bool:
        modes[path.name] = (mode, group)
        return made(path, mode, owner, group)

    monkeypatch.setattr(files, "make_directory", remember)
    make("none")
    assert (modes["media"], modes["logs"]) == (wanted, (0o750, "deploy"))
    make("internal")
    assert modes["media"] == (0o750, "www-data")
    write_json(shop.live, codec.encode(replace(live, media_url=None)))
    make("none")
    assert modes["media"] == (0o750, "deploy")


@pytest.mark.proves("paths.shared.data", "media.internal")
def test_protected_uploads_are_the_proxy_s_and_no_other_user_s(
    make: Any, server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[str] = []
    made = files.make_directory

    def remember(path: Path, mode: int, owner: str = "root", group: str = "root") -> bool:
        groups.append(group)
        return made(path, mode, owner, group)

    monkeypatch.setattr(files, "make_directory", remember)
    make("internal")
    assert (server / "srv/shop/shared/media").stat().st_mode & 0o777 == 0o750
    assert "www-data" in groups
    groups.clear()
    make("proxy")
    assert "www-data" not in groups


@pytest.mark.proves("shared-paths", "media.proxy")
def test_shared_folders_are_the_apps_and_those_around_them_roots(
    make: Any, server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners: dict[str, str] = {}
    made = files.make_directory

    def remember(path: Path, mode: int, owner: str = "root", group: str = "root") -> bool:
        owners[path.name] = owner
        return made(path, mode, owner, group)

    monkeypatch.setattr(files, "make_directory", remember)
    step = make("proxy", shared_paths=("server/deep/media", "logs"), media="server/deep/media")
    shared = server / "srv/shop/shared"
    modes = {name: (shared / name).stat().st_mode & 0o777 for name in ("server/deep", "server/deep/media", "media")}
    assert modes == {"server/deep": 0o751, "server/deep/media": 0o755, "media": 0o750}
    assert (owners["server"], owners["deep"], owners["logs"], owners["media"]) == ("root", "root", "deploy", "deploy")
    assert step.changes
    assert make("proxy", shared_paths=("server/deep/media", "logs"), media="server/deep/media").changes == 0


@pytest.mark.proves("root.trust")
@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_a_folder_of_the_apps_around_a_shared_one_is_named(make: Any, server: Path) -> None:
    make()
    folder = server / "srv/shop/shared/server"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    with pytest.raises(Failure, match="must be root's") as caught:
        make(shared_paths=("server/media",))
    assert caught.value.fix.endswith(f"chown -h root:deploy {folder}")
    assert not (folder / "media").exists()


@pytest.mark.proves("root.trust")
def test_what_the_app_put_in_a_directorys_place_is_named_and_not_followed(make: Any, server: Path) -> None:
    make()
    media, target = server / "srv/shop/shared/media", server / "elsewhere"
    target.mkdir(mode=0o700)
    media.rmdir()
    media.write_text("")
    with pytest.raises(Failure, match="something else has its name"):
        make()
    media.unlink()
    media.symlink_to(target)
    if os.getuid() != 0:
        with pytest.raises(Failure, match="something else has its name"):
            make()
    else:
        os.lchown(media, 65534, 65534)
        with pytest.raises(Failure, match="something else has its name"):
            make()
    assert target.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes root's links")
@pytest.mark.proves("media.readable")
def test_roots_own_link_to_a_bigger_disk_is_accepted(make: Any, server: Path) -> None:
    make()
    media, target = server / "srv/shop/shared/media", server / "elsewhere"
    target.mkdir(mode=0o700)
    media.rmdir()
    media.symlink_to(target)
    assert make().changes == 0
    assert target.stat().st_mode & 0o777 == 0o700
    assert make("proxy").changes == 2
    assert target.stat().st_mode & 0o777 == 0o755


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives links away")
@pytest.mark.proves("media.own")
@pytest.mark.parametrize("media", ["media", "data/photos"])
def test_the_proxys_way_to_uploads_is_out_of_the_app_users_reach(
    make: Any, server: Path, monkeypatch: pytest.MonkeyPatch, media: str
) -> None:
    monkeypatch.setattr(files, "user_id", lambda name: 65534 if name == "deploy" else 0)
    shared_paths = () if media == "media" else (media,)
    step = make("proxy", shared_paths=shared_paths, media=media)
    uploads = server / "srv/shop/uploads"
    [link] = uploads.iterdir()
    assert (uploads.stat().st_uid, uploads.stat().st_mode & 0o022) == (0, 0)
    assert (link.readlink(), link.lstat().st_uid) == (Path("../shared", media), 65534)
    assert str(link) in step.managed
    folder, disk = server / "srv/shop/shared" / media, server / "disk"
    folder.rmdir()
    disk.mkdir()
    folder.symlink_to(disk)
    make("proxy", shared_paths=shared_paths, media=media)
    # Where root led it, nginx goes by the owner of what is there.
    assert link.lstat().st_uid == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives links away")
@pytest.mark.proves("media.own", "root.trust")
@pytest.mark.parametrize("theirs", ["the link", "the folder that root's link leads into"])
def test_a_link_that_the_app_user_puts_there_meanwhile_leads_to_its_own_files_alone(
    make: Any, server: Path, monkeypatch: pytest.MonkeyPatch, theirs: str
) -> None:
    """It may do so at any moment, so also after the step has found its folder there."""
    monkeypatch.setattr(files, "user_id", lambda name: 65534 if name == "deploy" else 0)
    step = make("proxy")
    media, disk = server / "srv/shop/shared/media", server / "disk"
    media.rmdir()
    (disk / "roots").mkdir(parents=True)
    media.symlink_to(disk / "roots")
    os.chown(media if theirs == "the link" else disk, 65534, 65534, follow_symlinks=False)
    account._lead_proxy(step, media)
    [link] = (server / "srv/shop/uploads").iterdir()
    assert link.lstat().st_uid == 65534


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives links away")
@pytest.mark.proves("media.own")
def test_another_owner_of_the_proxys_way_is_drift(make: Any, server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "user_id", lambda name: 65534 if name == "deploy" else 0)
    (server / "memory/shop/proofs").mkdir(parents=True)
    proofs.finish(make("proxy"))
    [link] = (server / "srv/shop/uploads").iterdir()
    assert drift() == ()
    os.chown(link, 0, 0, follow_symlinks=False)
    assert drift() == (f"{link} belongs to root, not to nobody",)


@pytest.mark.proves("paths.shared.links")
def test_links_that_somebody_changed_are_put_right(make: Any, server: Path) -> None:
    make()
    link = server / "srv/shop/shared/.env"
    link.unlink()
    link.write_text("SECRET=1\n")
    assert make().changes == 1
    assert os.readlink(link) == "../current/.codesensei/env"


def test_a_new_account_has_no_login_and_a_group_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    def command(argv: list[str], **options: Any) -> Result:
        calls.append(argv)
        return Result("", "", 0)

    monkeypatch.setattr(commands, "run", command)
    assert account.ensure_user("nobody-has-this", APP_COMMENT)
    (words,) = calls
    assert words[:2] == ["useradd", "--system"]
    assert "--user-group" in words
    assert words[words.index("--shell") + 1] == "/usr/sbin/nologin"
    assert words[-2:] == ["--", "nobody-has-this"]


@pytest.mark.proves("user.again")
@pytest.mark.parametrize(
    ("former", "group", "made"),
    [
        (account.Former(54321, 54322), ["groupadd", "--system", "--gid", "54322", "--", "shop"], ["--uid", "54321"]),
        (account.Former(0, 0), None, None),
        (account.Former(os.getuid() or 1, os.getgid() or 1), None, None),
        (account.Former(), None, None),
    ],
)
def test_one_that_was_removed_gets_its_numbers_again(
    former: account.Former, group: list[str] | None, made: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that is its own has them, and all that root lets its group read."""
    calls: list[list[str]] = []
    monkeypatch.setattr(commands, "run", lambda argv, **_: calls.append(argv))
    assert account.ensure_user("shop", APP_COMMENT, former)
    *before, useradd = calls
    assert before == ([group] if group else [])
    assert useradd[0] == "useradd"
    if made:
        assert useradd[useradd.index("--uid") :][:2] == made
    else:
        assert "--uid" not in useradd


@pytest.mark.proves("user.again")
def test_a_user_that_is_gone_is_drift(make: Any, server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (server / "memory/shop/proofs").mkdir(parents=True)
    proofs.finish(make())
    monkeypatch.setattr(files, "is_user", lambda name: name != "deploy")
    assert drift() == ("user deploy is gone",)


@pytest.mark.proves("user.again", "errors.four")
def test_whoever_needs_a_user_that_is_gone_says_so() -> None:
    with pytest.raises(OSError, match="there is no such user") as caught:
        files.user_id("nobody-of-that-name")
    failure = Failure.of(caught.value, "switch")
    assert (failure.thing, failure.cause) == ("user nobody-of-that-name", "there is no such user on this server")
    assert "makes the project's users again" in failure.fix
    with pytest.raises(OSError, match="there is no such group"):
        files.group_id("nobody-of-that-name")


def test_an_account_that_is_there_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "run", lambda *words, **options: pytest.fail("nothing is to be run"))
    own = next(user for user in pwd.getpwall() if grp.getgrgid(user.pw_gid).gr_name == user.pw_name)
    assert not account.ensure_user(own.pw_name, APP_COMMENT)


def test_an_account_with_another_group_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = pwd.struct_passwd(("anna", "x", 1000, 0, "", "/home/anna", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwnam", lambda name: found)
    with pytest.raises(Failure, match="primary group is root"):
        account.ensure_user("anna", APP_COMMENT)


@pytest.mark.proves("user.refused")
@pytest.mark.parametrize("waiting", [True, False])
def test_a_rule_that_has_waited_for_the_user_is_refused_and_the_user_goes(
    server: Path, make_step: Any, monkeypatch: pytest.MonkeyPatch, waiting: bool
) -> None:
    calls: list[list[str]] = []

    def command(argv: list[str], **options: Any) -> Result:
        calls.append(argv)
        return Result("", "", 0)

    def check_power(user: str, thing: str, fix: str) -> None:
        assert calls[-1][0] == "useradd", "sudo knows no rules of a user that is not there"
        if waiting:
            raise Failure(thing, "sudo lets it run: (root) NOPASSWD: ALL", fix)

    def nobody(name: str) -> Any:
        raise KeyError(name)

    monkeypatch.setattr(pwd, "getpwnam", nobody)
    monkeypatch.setattr(commands, "run", command)
    monkeypatch.setattr(account, "check_power", check_power)
    step = make_step("account", data=APP_USER)
    if waiting:
        with pytest.raises(Failure, match="user deploy: sudo lets it run"):
            account.run(step)
        assert calls[1:] == [["userdel", "--", "deploy"]]
        assert not (server / "srv/shop").exists()
    else:
        account.run(step)
        assert [(argv[0], argv[-1]) for argv in calls] == [("useradd", "deploy"), ("useradd", build_user("shop"))]


def test_a_user_that_was_there_is_asked_about_too_and_stays(
    server: Path, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was cut off may have made it and asked nobody."""

    def check_power(user: str, thing: str, fix: str) -> None:
        raise Failure(thing, "sudo lets it run: (root) NOPASSWD: ALL", fix)

    monkeypatch.setattr(account, "ensure_user", lambda *_: False)
    monkeypatch.setattr(files, "is_user", lambda name: True)
    monkeypatch.setattr(account, "check_power", check_power)
    monkeypatch.setattr(commands, "run", lambda *words, **options: pytest.fail("nothing is to be run"))
    with pytest.raises(Failure, match="user deploy: sudo lets it run"):
        account.run(make_step("account", data=APP_USER))
    assert not (server / "srv/shop").exists()


@pytest.mark.skipif(os.getuid() == 0, reason="root may do everything")
@pytest.mark.parametrize("name", ["manage", "backup"])
def test_a_command_says_who_may_use_it(tmp_path: Path, name: str) -> None:
    helper = tmp_path / name
    helper.write_bytes(account.COMMAND.read_bytes())
    helper.chmod(0o755)
    done = subprocess.run(
        [str(helper)], capture_output=True, text=True, env={"PATH": "/nonexistent:/bin:/usr/bin"}, check=False
    )
    assert done.returncode == 1
    assert f"needs root: run it as root, or with sudo {helper}" in done.stderr
