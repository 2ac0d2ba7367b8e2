"""What an archive may not hold, and what becomes root's."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base.step import Failure
from codesensei.scripts.release import seal, unpack
from codesensei.wire.steps import SourceArchive


def member(name: str, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def archive(tmp_path: Path, *members: tarfile.TarInfo) -> Path:
    path = tmp_path / "source.tar"
    with tarfile.open(path, "w") as tar:
        for info in members:
            tar.addfile(info, io.BytesIO(b"\0" * info.size))
    return path


@pytest.mark.proves("source.refused")
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (member("/etc/passwd"), "leads out of the project"),
        (member("../outside"), "leads out of the project"),
        (member("a/../../outside"), "leads out of the project"),
        (member("device", type=tarfile.CHRTYPE), "is a device or a pipe"),
        (member("pipe", type=tarfile.FIFOTYPE), "is a device or a pipe"),
        (member("link", type=tarfile.SYMTYPE, linkname="/etc/shadow"), "is a link out of the project"),
        (member("a/link", type=tarfile.SYMTYPE, linkname="../../x"), "is a link out of the project"),
        (member("hard", type=tarfile.LNKTYPE, linkname="../x"), "is a hard link out of the project"),
        (member(".codesensei/env"), "product's own folder"),
    ],
)
def test_unsafe_member_is_refused_by_name(tmp_path: Path, bad: tarfile.TarInfo, reason: str) -> None:
    with pytest.raises(Failure, match=reason) as caught:
        unpack.read_index(archive(tmp_path, member("manage.py"), bad)).refuse_unsafe()
    assert bad.name in str(caught.value)


def test_ordinary_members_pass(tmp_path: Path) -> None:
    unpack.read_index(
        archive(
            tmp_path,
            member("pkg", type=tarfile.DIRTYPE),
            member("pkg/manage.py"),
            member("manage.py", type=tarfile.SYMTYPE, linkname="pkg/manage.py"),
            member("pkg/up", type=tarfile.SYMTYPE, linkname="../manage.py"),
            member("loop", type=tarfile.SYMTYPE, linkname="loop"),
            member("..dots"),
        )
    ).refuse_unsafe()


@pytest.fixture
def builder() -> str:
    return "nobody"


@pytest.mark.proves("paths.releases", "paths.releases.built")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away; CI runs as root")
def test_seal_gives_the_tree_to_root_and_shows_only_the_public_part(tmp_path: Path, builder: str) -> None:
    tree = tmp_path / "release"
    public = tree / "site" / "static"
    public.mkdir(parents=True)
    for name, mode in {"manage.py": 0o777, "site/app.py": 0o4666, "site/static/app.css": 0o600}.items():
        (tree / name).write_text("x")
        (tree / name).chmod(mode)
    (tree / "link").symlink_to("manage.py")
    for path in [tree, *tree.rglob("*")]:
        os.chown(path, 65534, 65534, follow_symlinks=False)
    seal.seal(tree, builder, "daemon", public)
    modes = {str(path.relative_to(tree)): stat.S_IMODE(path.lstat().st_mode) for path in tree.rglob("*")}
    modes.pop("link")
    assert modes == {
        "manage.py": 0o750,
        "site": 0o751,
        "site/app.py": 0o640,
        "site/static": 0o755,
        "site/static/app.css": 0o644,
    }
    assert {path.lstat().st_uid for path in [tree, *tree.rglob("*")]} == {0}


@pytest.mark.proves("root.trust")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away; CI runs as root")
def test_seal_refuses_what_is_somebody_elses(tmp_path: Path, builder: str) -> None:
    (tmp_path / "theirs").write_text("x")
    os.chown(tmp_path / "theirs", 1, 1)
    with pytest.raises(Failure, match="belongs to user 1"):
        seal.seal(tmp_path, builder, "daemon")
    assert (tmp_path / "theirs").stat().st_uid == 1


@pytest.mark.proves("source.swept")
def test_copies_of_failed_deploys_are_removed(server: Path, make_step: Any) -> None:
    step = make_step("build")
    incoming = step.project.incoming
    (incoming / "directory").mkdir(parents=True)
    (incoming / "link").symlink_to(server / "nowhere")
    for name in ("old.tar", "new.tar"):
        (incoming / name).write_bytes(b"x")
    unpack.sweep(step, but=SourceArchive(tar="/elsewhere/new.tar", sha256="0" * 64))
    assert [path.name for path in incoming.iterdir()] == ["new.tar"]
    unpack.sweep(step)
    assert not list(incoming.iterdir())


@pytest.mark.proves("source.checked")
@pytest.mark.parametrize("arrived", ["whole", "damaged", "a link", "nothing"])
def test_an_archive_is_taken_as_it_was_sent_or_not_at_all(server: Path, make_step: Any, arrived: str) -> None:
    step = make_step("build")
    content = archive(server, member("manage.py")).read_bytes()
    source = SourceArchive(tar=f"{step.project.incoming}/x.tar", sha256=hashlib.sha256(content).hexdigest())
    there = step.project.incoming / "x.tar"
    there.parent.mkdir(parents=True)
    step.project.memory.mkdir()
    if arrived == "a link":
        there.symlink_to(server / "source.tar")
    elif arrived != "nothing":
        there.write_bytes(content[:-1] if arrived == "damaged" else content)
    if arrived == "whole":
        kept = unpack._archive(step, "c" * 40, source)
        assert kept.read_bytes() == content
        assert not there.exists()
        return
    with pytest.raises(Failure, match="arrived damaged" if arrived == "damaged" else "is not there"):
        unpack._archive(step, "c" * 40, source)
    assert not step.project.archive("c" * 40).exists()
