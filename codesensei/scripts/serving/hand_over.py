"""Send visitors from the live web process to the candidate and back.

The proxy connects by path for every request, so one rename moves all new requests at once, and no proxy is reloaded.
The path is the door: root's own name for the socket of who serves. Meanwhile the live socket has another name: systemd
holds it, the new process takes it over, and can be asked there before it serves.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path

from codesensei.scripts.base import files, units
from codesensei.scripts.base.step import Failure
from codesensei.wire import paths
from codesensei.wire.names import candidate_unit
from codesensei.wire.paths import ProjectPaths


def is_possible(project: ProjectPaths, names: list[str]) -> bool:
    """Whether there is a live process to send visitors away from: it runs, and so does its socket."""
    active = all(state.active == "active" for state in units.show_all(names).values())
    return active and _is_socket(project.door)


def make_door(project: ProjectPaths, user: str) -> None:
    """Make the door where there is none yet; later the socket's unit does that whenever it starts to listen."""
    files.make_directory(project.hand_over, 0o711)
    if not _is_socket(project.socket):
        return
    if _is_socket(project.door) and os.path.samestat(os.lstat(project.door), os.lstat(project.socket)):
        return
    files.remove_path(project.new_door)
    os.link(project.socket, project.new_door, follow_symlinks=False)
    # The app user may have put something else there since.
    found = os.lstat(project.new_door)
    if stat.S_ISSOCK(found.st_mode) and found.st_uid == files.user_id(user):
        os.rename(project.new_door, project.door)


def make_place(project: ProjectPaths, user: str) -> None:
    """Make an empty directory for the candidate's socket."""
    files.make_directory(project.hand_over, 0o711)
    files.remove_path(project.candidate_place)
    files.make_directory(project.candidate_place, 0o700, user, user)


def to_candidate(project: ProjectPaths) -> None:
    """Send new requests to the candidate; the live socket is at `project.kept_socket` then.

    Where the candidate ends before `to_live`, nginx asks there, whatever became of this program.
    """
    _protect(candidate_unit(project.slug))
    files.remove_path(project.kept_socket)
    os.link(project.door, project.kept_socket, follow_symlinks=False)
    files.remove_path(project.new_door)
    # A second name, because the candidate removes its own when it ends.
    try:
        os.link(project.candidate_socket, project.new_door, follow_symlinks=False)
    except FileNotFoundError:
        files.remove_path(project.kept_socket)
        return
    _make_like(project.new_door, os.lstat(project.door))
    os.rename(project.new_door, project.door)


def live_socket(project: ProjectPaths) -> Path:
    """Where the live process is asked, whether or not visitors are sent to it."""
    return project.kept_socket if is_away(project) else project.door


def is_away(project: ProjectPaths) -> bool:
    """Whether visitors are sent to a candidate, or were when a switch was interrupted."""
    if not os.path.lexists(project.kept_socket):
        return False
    public = _public(project)
    return not (os.path.lexists(public) and os.path.samestat(os.lstat(public), os.lstat(project.kept_socket)))


def to_live(project: ProjectPaths) -> None:
    """Send new requests to the live socket again.

    `project.kept_socket` stays until `end`: nginx looks there for requests that the candidate has and does not answer.
    """
    if not _listens(project.kept_socket):
        # Of before a reboot, which made a new socket.
        files.remove_path(project.kept_socket)
    elif is_away(project):
        files.remove_path(project.new_door)
        os.link(project.kept_socket, project.new_door, follow_symlinks=False)
        os.rename(project.new_door, _public(project))


def end(project: ProjectPaths) -> None:
    """Remove the live socket's second name once the candidate has ended, unless visitors need it still."""
    if not is_away(project) or not _listens(project.kept_socket):
        files.remove_path(project.kept_socket)


def _public(project: ProjectPaths) -> Path:
    """The name that nginx knows; before there were doors, that was the live socket's own."""
    return project.door if os.path.lexists(project.door) else project.socket


def _protect(unit: str) -> None:
    """Let the kernel, when memory is short, take the candidate no sooner than any other process: it serves now."""
    with contextlib.suppress(OSError):
        for process in (paths.SERVER.cgroups / "system.slice" / unit / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (paths.SERVER.processes / process / "oom_score_adj").write_text("0")


def _make_like(path: Path, model: os.stat_result) -> None:
    """Give a socket the owner, group and mode of `model`. The app user can replace it, so no link is followed."""
    handle = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    try:
        if not stat.S_ISSOCK(os.fstat(handle).st_mode):
            raise Failure("candidate", f"{path} is not a socket", "run pulumi up again")
        os.chown(f"/proc/self/fd/{handle}", model.st_uid, model.st_gid)
        os.chmod(f"/proc/self/fd/{handle}", stat.S_IMODE(model.st_mode))
    finally:
        os.close(handle)


def _is_socket(path: Path) -> bool:
    return path.is_socket() and not path.is_symlink()


def _listens(path: Path) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))
        return True
    return False
