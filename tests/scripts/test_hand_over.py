"""Visitors are led to the candidate and back by renames, and none of them finds nobody."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base.step import Failure
from codesensei.scripts.serving import hand_over
from codesensei.wire import paths
from codesensei.wire.paths import ProjectPaths


class Listener:
    """A process behind a socket: it says its name to whoever connects."""

    def __init__(self, path: Path, name: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen(100)
        self._name = name
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            # A visitor may have gone already.
            with connection, contextlib.suppress(OSError):
                connection.sendall(self._name.encode())

    def end(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def ask(path: Path) -> str:
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.settimeout(10)
        visitor.connect(str(path))
        return visitor.recv(100).decode()


@pytest.fixture
def project(server: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProjectPaths]:
    # A socket's path has at most 107 characters.
    short = Path(tempfile.mkdtemp(prefix="codesensei-"))
    monkeypatch.setattr(paths, "SERVER", replace(paths.SERVER, projects=short))
    (short / "shop/shared").mkdir(parents=True)
    found = ProjectPaths("shop")
    hand_over.make_place(found, "deploy")
    live = Listener(found.socket, "live")
    found.socket.chmod(0o660)
    hand_over.make_door(found, "deploy")
    yield found
    live.end()
    shutil.rmtree(short)


@pytest.fixture
def candidate(project: ProjectPaths) -> Iterator[Listener]:
    listener = Listener(project.candidate_socket, "candidate")
    yield listener
    listener.end()


@pytest.mark.proves("web.door")
@pytest.mark.parametrize("kind", ["link", "dangling", "file", "folder", "nothing"])
def test_what_the_app_user_puts_in_its_sockets_place_gets_no_visitors(
    project: ProjectPaths, candidate: Listener, server: Path, kind: str
) -> None:
    other = Listener(project.root / "other.sock", "another project")
    project.socket.unlink()
    if kind in ("link", "dangling"):
        project.socket.symlink_to(project.root / "other.sock" if kind == "link" else "nowhere")
    elif kind == "file":
        project.socket.write_text("")
    elif kind == "folder":
        project.socket.mkdir()
    hand_over.make_door(project, "deploy")
    assert ask(project.door) == ask(hand_over.live_socket(project)) == "live"
    hand_over.to_candidate(project)
    assert ask(project.door) == "candidate"
    hand_over.to_live(project)
    assert ask(project.door) == "live"
    other.end()


@pytest.mark.proves("web.door")
def test_a_link_that_comes_just_in_time_is_no_door(project: ProjectPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    other, really = Listener(project.root / "other.sock", "another project"), os.link
    project.door.unlink()

    def link(source: Path, target: Path, *, follow_symlinks: bool) -> None:
        project.socket.unlink()
        project.socket.symlink_to(project.root / "other.sock")
        really(source, target, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(os, "link", link)
    hand_over.make_door(project, "deploy")
    assert not os.path.lexists(project.door)
    other.end()


@pytest.mark.proves("web.door")
def test_a_door_of_before_a_reboot_leads_to_the_new_socket(project: ProjectPaths) -> None:
    project.socket.unlink()
    new = Listener(project.socket, "new")
    hand_over.make_door(project, "deploy")
    assert ask(project.door) == "new"
    new.end()


@pytest.mark.proves("web.door")
def test_visitors_that_an_earlier_version_led_away_come_back(project: ProjectPaths) -> None:
    project.door.unlink()
    os.rename(project.socket, project.kept_socket)
    candidate = Listener(project.socket, "candidate")
    hand_over.to_live(project)
    assert ask(project.socket) == "live"
    candidate.end()


def test_there_and_back_without_a_gap(project: ProjectPaths, candidate: Listener) -> None:
    answers, problems, ended = list[str](), list[OSError](), threading.Event()

    def visit() -> None:
        while not ended.is_set():
            try:
                answers.append(ask(project.door))
            except OSError as error:
                problems.append(error)

    visitor = threading.Thread(target=visit)
    visitor.start()
    try:
        for _ in range(50):
            hand_over.to_candidate(project)
            assert hand_over.is_away(project)
            assert ask(project.door) == "candidate"
            assert ask(project.kept_socket) == "live"
            hand_over.to_live(project)
            assert ask(project.door) == "live"
            hand_over.end(project)
    finally:
        ended.set()
        visitor.join()
    assert problems == []
    assert set(answers) == {"live", "candidate"}
    assert not hand_over.is_away(project)
    assert sorted(path.name for path in project.hand_over.iterdir()) == ["candidate", "web.sock"]


def test_the_proxy_may_use_the_candidates_socket(project: ProjectPaths, candidate: Listener) -> None:
    own = project.candidate_socket
    own.chmod(0o700)
    hand_over.to_candidate(project)
    assert project.door.stat().st_mode & 0o777 == 0o660
    # The candidate removes its own name when it ends.
    own.unlink()
    assert ask(project.door) == "candidate"


@pytest.mark.proves("switch.candidate-ends")
def test_what_the_candidate_leaves_unanswered_finds_the_live_process_until_it_has_ended(
    project: ProjectPaths, candidate: Listener
) -> None:
    """nginx looks for it there after visitors were led back, too."""
    hand_over.to_candidate(project)
    hand_over.to_live(project)
    assert not hand_over.is_away(project)
    assert ask(project.kept_socket) == "live"
    hand_over.to_live(project)
    assert ask(project.door) == ask(project.kept_socket) == "live"
    hand_over.end(project)
    assert not project.kept_socket.exists()


@pytest.mark.proves("switch.candidate-ends")
def test_the_live_process_is_found_where_visitors_are_still_away(project: ProjectPaths, candidate: Listener) -> None:
    hand_over.to_candidate(project)
    hand_over.end(project)
    assert ask(project.kept_socket) == "live"


@pytest.mark.proves("switch.all-or-nothing")
def test_a_socket_of_before_a_reboot_comes_back_no_more(project: ProjectPaths) -> None:
    stale = Listener(project.hand_over / "x.sock", "stale")
    stale.end()
    os.rename(project.hand_over / "x.sock", project.kept_socket)
    hand_over.to_live(project)
    assert ask(project.door) == "live"
    assert not hand_over.is_away(project)


@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_the_app_user_puts_there_is_not_followed(project: ProjectPaths, server: Path, kind: str) -> None:
    target = server / "roots"
    target.write_text("")
    target.chmod(0o600)
    own = project.candidate_socket
    if kind == "link":
        own.symlink_to(target)
    else:
        own.write_text("")
    with pytest.raises(Failure):
        hand_over.to_candidate(project)
    assert target.stat().st_mode & 0o777 == 0o600
    assert ask(project.door) == "live"


def test_a_place_with_something_in_it_is_emptied(project: ProjectPaths, make_step: Any) -> None:
    (project.candidate_socket).write_text("")
    hand_over.make_place(project, "deploy")
    assert list(project.candidate_place.iterdir()) == []


@pytest.mark.proves("switch.candidate-ends")
def test_while_it_serves_memory_is_taken_from_it_no_sooner_than_from_others(
    project: ProjectPaths, candidate: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = tmp_path / "proc"
    monkeypatch.setattr(paths, "SERVER", replace(paths.SERVER, processes=processes))
    group = paths.SERVER.cgroups / "system.slice/codesensei-candidate-shop.service"
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text("7\n8\n9\n")
    for number in ("7", "8"):
        (processes / number).mkdir(parents=True)
        (processes / number / "oom_score_adj").write_text("500\n")
    hand_over.to_candidate(project)
    assert [(processes / number / "oom_score_adj").read_text() for number in ("7", "8")] == ["0", "0"]


@pytest.mark.proves("switch.candidate-ends")
def test_a_candidate_that_has_ended_gets_no_visitors(project: ProjectPaths) -> None:
    hand_over.to_candidate(project)
    assert ask(project.door) == "live"
    assert not hand_over.is_away(project)
