"""Uploads, tried: the app user writes a file beside them, and where the proxy serves them, a stranger gets it."""

from __future__ import annotations

import secrets
import stat
from http.cookiejar import CookieJar
from pathlib import Path

from codesensei.scripts.base import commands, probe
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.probe import Door
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.release.release import Release
from codesensei.scripts.serving import edge
from codesensei.wire.manifest import Manifest

NGINX_USER = "www-data"
# As a process of systemd's makes it: for everybody to read.
WRITE = 'umask 0022; exec cat > "$0"'


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
            _read(manifest, folder, f"{manifest.media_url}{path.name}", word)
    finally:
        _as(release.user, "rm", "-f", "--", str(path))


def _read(manifest: Manifest, folder: Path, page: str, word: str) -> None:
    health = manifest.health
    url = probe.url_of(health.scheme, health.hosts[0], page)
    door = Door(address=edge.addresses(health)[0], plain=health.external_tls)
    answer = probe.ask(door, url, CookieJar(), health.timeout)
    if answer.status != 200 or word not in answer.body:
        otherwise, fix = f"nginx answers {answer.words()}", "on the server: tail /var/log/nginx/error.log"
        raise _failure(folder, NGINX_USER, "read", otherwise, fix)


def _failure(folder: Path, user: str, what: str, otherwise: str, fix: str) -> Failure:
    """What keeps `user` from the uploads: a directory on the way to them, or what is said `otherwise`."""
    place = folder.resolve()
    closed = [way for way in (*reversed(place.parents), place) if not _as(user, "test", "-x", str(way)).ok]
    if closed:
        otherwise = f"it may not enter {closed[0]} ({stat.filemode(closed[0].stat().st_mode)})"
        fix = f"on the server: chmod o+x {closed[0]}"
    return Failure(str(folder), f"the user {user} cannot {what} uploads: {otherwise}", fix)


def _as(user: str, *argv: str, given: str = "") -> Result:
    run_as = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    return commands.run([*run_as, *argv], input=given, check=False)
