"""Uploads: whether the proxy serves them, and tried: the app user writes a file beside them that the proxy can read."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from codesensei.scripts.base import commands, files, nginx, probe, visits
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.base.visits import Door
from codesensei.scripts.release import record
from codesensei.scripts.release.release import Release
from codesensei.scripts.serving import edge
from codesensei.wire.manifest import Manifest
from codesensei.wire.names import asked_name
from codesensei.wire.paths import ProjectPaths

# As a process of systemd's makes it: for everybody to read.
WRITE = 'umask 0022; exec cat > "$0"'
# The mode of what no other user of the server needs.
CLOSED = 0o750


def root(project: ProjectPaths, directory: str) -> Path | None:
    """Where the release that serves stores uploads, as its settings say; None where it stores none on this server.

    `directory` is that of manage.py.
    """
    current = files.link_target(project.current)
    name = Path(current).name if current else ""
    facts = record.read(project, name).facts if name else None
    if facts is None or not facts.media_root or not facts.uploads_on_disk:
        return None
    return Path(os.path.normpath(project.release(name) / directory / facts.media_root))


def serving(manifest: Manifest | None, folder: str) -> Literal["none", "proxy", "internal"]:
    """How this folder of shared is served as uploads."""
    if manifest is None or manifest.media_url is None or manifest.media != folder:
        return "none"
    return "internal" if manifest.media_internal else "proxy"


def retire(step: Step[Manifest], was: Manifest | None) -> None:
    """Close the folders of uploads that are not served any more, and take the proxy's way to them."""
    project, user = step.project, step.data.user
    folders = {unquote(link.name) for link in project.uploads.glob("*")}
    if was is not None and was.media_url is not None:
        folders.add(was.media)
    for folder in sorted(folders):
        if serving(step.data, folder) != "none":
            continue
        # Where root led it, it stays as it is; what else is in its place, the step `account` tells.
        with contextlib.suppress(OSError):
            if files.keep_directory(project.shared / folder, CLOSED, user, user):
                step.say(f"{project.shared / folder} is closed to other users")
        files.remove_path(project.uploads_link(folder))


def read_back(step: Step[Manifest], release: Release) -> None:
    """Raise Failure where uploads cannot be written or, if the proxy serves them, read; root may have moved them."""
    manifest, folder = step.data, step.project.shared / step.data.media
    if manifest.media_url is None and not folder.is_symlink():
        return
    word = secrets.token_hex(8)
    path = folder / f".codesensei-{word}.txt"
    written = _as(release.user, "sh", "-c", WRITE, str(path), given=word)
    try:
        if not written.ok:
            fix = f"on the server: chown {release.user}: {folder.resolve()}"
            raise _failure(folder, release.user, "write", written.stderr.strip(), fix)
        if manifest.media_url is not None:
            page = f"{manifest.media_url}{path.name}"
            otherwise = _unreadable(path, word) if manifest.media_internal else _unserved(manifest, page, word)
            if otherwise:
                fix = "on the server: tail /var/log/nginx/error.log"
                raise _failure(folder, nginx.USER, "read", otherwise, fix)
    finally:
        _as(release.user, "rm", "-f", "--", str(path))


def _unreadable(path: Path, word: str) -> str:
    """Why nginx cannot read a file that it sends for the project; empty where it can."""
    read = _as(nginx.USER, "cat", "--", str(path))
    return "" if word in read.stdout else read.stderr.strip() or "it is another file"


def _unserved(manifest: Manifest, page: str, word: str) -> str:
    """Why a stranger does not get a file; empty where one does."""
    health = manifest.health
    url = visits.url_of(health.scheme, asked_name(health.hosts[0]), page)
    door = Door(address=edge.addresses(health)[0], plain=health.external_tls)
    answer = probe.ask(door, url, CookieJar(), health.timeout)
    served = answer.status == 200 and word in answer.body
    return "" if served else f"nginx answers {answer.words()}"


def _failure(folder: Path, user: str, what: str, otherwise: str, fix: str) -> Failure:
    """What keeps `user` from the uploads: a directory on the way to them, or what is said `otherwise`."""
    place = folder.resolve()
    closed = [way for way in (*reversed(place.parents), place) if not _as(user, "test", "-x", str(way)).ok]
    if closed:
        otherwise = f"it may not enter {closed[0]} ({stat.filemode(closed[0].stat().st_mode)})"
        fix = f"on the server: chmod o+x {closed[0]}"
    return Failure(str(folder), f"the user {user} cannot {what} uploads: {otherwise}", fix)


def _as(user: str, *argv: str, given: str = "") -> Result:
    return commands.run(commands.as_user(user, *argv), input=given, check=False)
