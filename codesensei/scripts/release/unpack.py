"""The code of a release, from one archive with a known SHA-256: nothing in it reaches outside its new directory."""

from __future__ import annotations

import hashlib
import os
import posixpath
import shutil
import stat
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

from codesensei.scripts.base import files
from codesensei.scripts.base.fixes import again
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.release.release import Release
from codesensei.wire import links
from codesensei.wire.paths import OWN_FOLDER
from codesensei.wire.processes import SYSTEM_PATH
from codesensei.wire.steps import SourceArchive

SPARE_MEGABYTES = 300
SPARE_INODES = 20_000


def unpack(step: Step[object], release: Release, revision: str, source: SourceArchive) -> None:
    """Make the release's directory from the archive, owned by the build user."""
    sweep(step, but=source)
    _check_room(step, 0, 0)
    archive = _archive(step, revision, source)
    content = read_index(archive)
    content.refuse_unsafe()
    _check_room(step, content.bytes, content.members)
    extract(step, release, archive)


def sweep(step: Step[object], but: SourceArchive | None = None) -> None:
    """Remove copies of the source that nobody will read: those of deploys that have failed, or had nothing to build.

    The engine's lock lets one deploy of a stack run at a time, so none is on its way for somebody else.
    """
    kept = Path(but.tar).name if but else ""
    files.keep_only(step.project.incoming, lambda name: name == kept)


def extract(step: Step[object], release: Release, archive: Path) -> None:
    """Unpack a checked archive into a new directory of the build user's, replacing what is there."""
    files.remove_path(release.path)
    files.make_directory(release.path, 0o700, step.project.build_user, release.user)
    tar = ["tar", "--extract", "--file=-", "--no-same-owner", "--no-overwrite-dir", f"--directory={release.path}"]
    with open(archive, "rb") as stream:
        done = subprocess.run(
            tar,
            stdin=stream,
            capture_output=True,
            text=True,
            errors="replace",
            user=step.project.build_user,
            group=release.user,
            extra_groups=[],
            umask=0o027,
            env={"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8"},
            check=False,
        )
    if done.returncode != 0:
        raise Failure(f"release {release.name}", "its archive cannot be unpacked", log=done.stderr)
    os.chmod(release.path, 0o750)
    step.changes += 1


def _check_room(step: Step[object], size: int, members: int) -> None:
    room = os.statvfs(step.project.root)
    free, inodes = room.f_bavail * room.f_frsize // 2**20, room.f_favail
    megabytes, entries = SPARE_MEGABYTES + size // 2**20, SPARE_INODES + members
    if free < megabytes or (room.f_files and inodes < entries):
        there = f"{free} MB and {inodes} inodes are free at {step.project.root}"
        cause = f"{there}, this release needs {megabytes} MB and {entries} inodes"
        raise Failure("disk", cause, "free some space, or lower project.keepReleases")


def _archive(step: Step[object], revision: str, source: SourceArchive) -> Path:
    """Root's own checked copy of the source archive, made from the login user's copy."""
    kept = step.project.archive(revision)
    if kept.exists() and _sha256(kept) == source.sha256:
        return kept
    arrived = step.project.incoming / Path(source.tar).name
    files.make_directory(kept.parent, 0o700)
    fix = again(step.slug, "source")
    try:
        handle = os.open(arrived, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise Failure("source", f"the archive {arrived} is not there ({error.strerror})", fix) from None
    temporary = kept.with_suffix(".part")
    with os.fdopen(handle, "rb") as stream, open(temporary, "wb") as copy:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise Failure("source", f"{arrived} is not a regular file", f"remove it on the server, then {fix}")
        shutil.copyfileobj(stream, copy)
        copy.flush()
        os.fsync(copy.fileno())
    found = _sha256(temporary)
    if found != source.sha256:
        cause = f"the archive arrived damaged (SHA-256 {found[:16]}, expected {source.sha256[:16]})"
        raise Failure("source", cause, f"{fix}; if it arrives damaged again, the disk may be full")
    os.rename(temporary, kept)
    arrived.unlink(missing_ok=True)
    return kept


def _sha256(path: Path) -> str:
    total = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            total.update(block)
    return total.hexdigest()


@dataclass
class Index:
    """What an archive holds: links with their targets, and members that no project may have."""

    links: dict[str, str] = field(default_factory=dict)
    hard: dict[str, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    odd: dict[str, str] = field(default_factory=dict)
    bytes: int = 0

    @property
    def members(self) -> int:
        return len(self.names)

    def refuse_unsafe(self) -> None:
        """Raise Failure for the first member that could reach outside the directory it is unpacked into."""
        reasons = dict(self.odd)
        for name in self.names:
            if links.resolve(self.links, posixpath.dirname(name)) != _plain(posixpath.dirname(name)):
                reasons.setdefault(name, "lies behind a link")
        for name, target in self.links.items():
            if target.startswith("/") or links.resolve(self.links, name) is None:
                reasons.setdefault(name, f"is a link out of the project ({target})")
        for name, target in self.hard.items():
            if _escapes(target) or links.resolve(self.links, target) != _plain(target):
                reasons.setdefault(name, f"is a hard link out of the project ({target})")
        for name, reason in reasons.items():
            shown = name.encode("utf-8", "backslashreplace").decode()
            raise Failure("source", f"{shown} {reason}", "remove it from the repository")


def read_index(archive: Path) -> Index:
    """The index of a tar file."""
    index = Index()
    with tarfile.open(archive, "r:") as tar:
        for member in tar:
            name = _plain(member.name)
            index.names.append(name)
            index.bytes += member.size
            if _escapes(member.name):
                index.odd[member.name] = "leads out of the project"
            elif name.split("/")[0] == OWN_FOLDER:
                index.odd[name] = "has the name of the product's own folder"
            elif member.issym():
                index.links[name] = member.linkname
            elif member.islnk():
                index.hard[name] = member.linkname
            elif not (member.isreg() or member.isdir()):
                index.odd[name] = "is a device or a pipe"
    return index


def _plain(path: str) -> str:
    return "/".join(links.parts(path))


def _escapes(path: str) -> bool:
    return path.startswith("/") or posixpath.normpath(path).split("/")[0] == ".."
