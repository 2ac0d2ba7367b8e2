"""Lead visitors from the live web process to the candidate and back.

The proxy connects by path for every request, so one rename moves all new requests at once, and no proxy is reloaded.
The live socket keeps a second name meanwhile: systemd holds it, the renewed process takes it over, and it can be asked
there before it serves again.
"""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

from codesensei.scripts.base import files, units
from codesensei.scripts.base.step import Failure
from codesensei.wire.paths import ProjectPaths


def is_possible(project: ProjectPaths, names: list[str]) -> bool:
    """Whether there is a live process to lead visitors away from: its socket and itself run."""
    return all(map(units.is_active, names)) and _is_socket(project.socket)


def make_place(project: ProjectPaths, user: str) -> None:
    """An empty directory in which the candidate makes its socket."""
    files.make_directory(project.hand_over, 0o711)
    files.remove_path(project.candidate_place)
    files.make_directory(project.candidate_place, 0o700, user, user)


def to_candidate(project: ProjectPaths) -> None:
    """From now on new requests go to the candidate; the live socket is at `project.kept_socket`."""
    public = project.socket
    files.remove_path(project.kept_socket)
    os.link(public, project.kept_socket, follow_symlinks=False)
    following = project.hand_over / "next.sock"
    files.remove_path(following)
    # A second name, because the candidate removes its own one when it ends.
    os.link(project.candidate_socket, following, follow_symlinks=False)
    _make_like(following, os.lstat(public))
    os.rename(following, public)


def is_away(project: ProjectPaths) -> bool:
    """Whether visitors are led to a candidate, or were when something ended in the middle."""
    return os.path.lexists(project.kept_socket)


def to_live(project: ProjectPaths) -> None:
    """New requests go to the live socket again."""
    if _listens(project.kept_socket):
        os.rename(project.kept_socket, project.socket)
    # Left where both were one already, or where a reboot has made a new socket.
    files.remove_path(project.kept_socket)


def _make_like(path: Path, model: os.stat_result) -> None:
    """Owner, group and mode of `model` for a socket whose name the app user can replace: no link is followed."""
    handle = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    try:
        if not stat.S_ISSOCK(os.fstat(handle).st_mode):
            raise Failure("candidate", f"{path} is not a socket", "run pulumi up again")
        os.chown(f"/proc/self/fd/{handle}", model.st_uid, model.st_gid)
        os.chmod(f"/proc/self/fd/{handle}", stat.S_IMODE(model.st_mode))
    finally:
        os.close(handle)


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
