"""What a switch has to change, and that a deploy of an earlier version is taken over without a restart."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import files, units
from codesensei.scripts.base.step import Failure, write_json
from codesensei.scripts.base.units import UnitState
from codesensei.scripts.postgres import passwords
from codesensei.scripts.postgres.passwords import Password
from codesensei.scripts.release.release import Release
from codesensei.scripts.serving import live
from codesensei.scripts.serving.change import Change
from codesensei.scripts.serving.live import Live
from codesensei.wire import codec, paths
from codesensei.wire.manifest import File, Manifest, RolePassword, Unit
from codesensei.wire.paths import ServerPaths
from tests.scripts.examples import each
from tests.scripts.manifests import MAIL, PROJECT, SOCKET, WEB, kept_by_75650ac, manifest

NAME = "4f2a9c1-8be01d7"


@pytest.fixture
def machine(server: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Everything runs, and nothing is live yet."""
    monkeypatch.setattr(paths, "SERVER", ServerPaths.below(server))
    monkeypatch.setattr(units, "show_all", each(lambda name: UnitState(active="active", file="enabled")))
    PROJECT.memory.mkdir(parents=True)
    PROJECT.root.mkdir(parents=True)
    return server


@pytest.fixture
def change_to(machine: Path, make_step: Any) -> Callable[[Manifest], Change]:
    """From what is live to another manifest of the same release."""

    def change(wanted: Manifest) -> Change:
        step = make_step("switch", NAME, data=wanted)
        return Change(step, Live.read(PROJECT), Release(PROJECT, NAME, "deploy", ".", "shop.settings"))

    return change


def serve(wanted: Manifest, kept: object = None) -> None:
    """Make the manifest live; `kept` is the form in which root has it."""
    for file in wanted.files:
        Path(file.path).parent.mkdir(parents=True, exist_ok=True)
        files.write_file(Path(file.path), file.content, int(file.mode, 8), "root", file.group)
        if link := paths.site_link(Path(file.path)):
            link.parent.mkdir(exist_ok=True)
            files.make_link(link, paths.site_target(Path(file.path)))
    files.make_link(PROJECT.current, f"releases/{NAME}")
    write_json(PROJECT.live, codec.encode(wanted) if kept is None else kept)


def with_file(path: Path, content: str) -> Manifest:
    """The manifest with another text in one of its files."""
    found = manifest()
    changed = tuple(replace(file, content=content) if file.path == str(path) else file for file in found.files)
    return replace(found, files=changed)


def test_nothing_is_needed_where_all_is_as_it_should_be(change_to: Callable[[Manifest], Change]) -> None:
    serve(manifest())
    change = change_to(manifest())
    assert not change.is_needed()
    assert (change.stale(), change.of_web()) == (set(), False)


def test_a_deploy_of_the_commit_before_goes_on_running(change_to: Callable[[Manifest], Change]) -> None:
    serve(manifest(), kept_by_75650ac(manifest()))
    change = change_to(manifest())
    assert change.now.manifest is not None
    assert replace(change.now.manifest, candidate=manifest().candidate) == manifest()
    assert (change.stale(), change.of_web()) == (set(), False)


def test_all_processes_are_replaced_for_another_release(change_to: Callable[[Manifest], Change]) -> None:
    serve(manifest())
    files.make_link(PROJECT.current, "releases/0000000-0000000")
    change = change_to(manifest())
    assert change.is_needed()
    assert (change.stale(), change.of_web()) == ({WEB, MAIL}, True)


@pytest.mark.parametrize(
    ("path", "stale", "web"),
    [
        (lambda: paths.unit(WEB), {WEB}, True),
        (lambda: paths.unit(SOCKET), {SOCKET}, False),
        (lambda: PROJECT.worker_script("mail"), {MAIL}, False),
        (lambda: PROJECT.site, set(), False),
    ],
)
def test_another_file_replaces_what_runs_with_it(
    change_to: Callable[[Manifest], Change], path: Callable[[], Path], stale: set[str], web: bool
) -> None:
    serve(manifest())
    change = change_to(with_file(path(), "other\n"))
    assert change.is_needed()
    assert (change.stale(), change.of_web()) == (stale, web)


def test_a_file_changed_by_hand_is_written_again(change_to: Callable[[Manifest], Change]) -> None:
    serve(manifest())
    paths.unit(MAIL).write_text("by hand\n")
    change = change_to(manifest())
    assert change.is_needed()
    assert (change.stale(), change.of_web()) == ({MAIL}, False)
    paths.unit(WEB).write_text("by hand\n")
    # A candidate serves visitors while it restarts.
    assert (change.stale(), change.of_web()) == ({MAIL, WEB}, True)


def test_a_process_that_is_down_is_started(
    change_to: Callable[[Manifest], Change], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(manifest())
    running = UnitState(active="active", file="enabled")
    monkeypatch.setattr(units, "show_all", each(lambda name: UnitState() if name == WEB else running))
    change = change_to(manifest())
    assert change.is_needed()
    assert change.of_web()
    assert change.stale() == set()


def test_a_unit_that_would_not_start_at_boot_is_enabled(
    change_to: Callable[[Manifest], Change], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(manifest())
    monkeypatch.setattr(units, "show_all", each(lambda name: UnitState(active="active", file="disabled")))
    change = change_to(manifest())
    assert change.is_needed()
    assert (change.stale(), change.of_web()) == (set(), False)


@pytest.mark.parametrize(("in_force", "differs"), [("old", True), ("new", False)])
def test_another_password_replaces_what_logs_in(
    change_to: Callable[[Manifest], Change], monkeypatch: pytest.MonkeyPatch, in_force: str, differs: bool
) -> None:
    wanted = manifest(database=RolePassword(role="shop", digest="d2"))
    monkeypatch.setattr(passwords, "find", lambda *_: Password(5432, "new", in_force))
    serve(wanted)
    change = change_to(wanted)
    assert change.is_needed() is differs
    assert change.stale() == ({WEB, MAIL} if differs else set())


def test_what_was_never_live_has_no_manifest(machine: Path) -> None:
    assert Live.read(PROJECT).manifest is None
    PROJECT.live.write_text("{}")
    now = Live.read(PROJECT)
    assert (now.manifest, now.units, now.contents, now.release) == (None, [], {}, None)


def test_the_manifest_survives_being_kept(machine: Path) -> None:
    wanted = manifest(units=(*manifest().units, Unit(name="shop-beat.service", kind="worker", stop_timeout=9)))
    write_json(PROJECT.live, codec.encode(wanted))
    assert Live.read(PROJECT).manifest == wanted
    assert "staticHooks" not in json.loads(PROJECT.live.read_text())


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "{units}/ssh.service",
        "{config}/other/programs/x",
        "{config}/shop/../../passwd",
        "{config}/shopping/x",
        "{nginx}/sites-available/codesensei-shopping.conf",
    ],
)
@pytest.mark.parametrize("place", ["files", "candidate"])
def test_a_file_in_a_place_of_others_is_refused(machine: Path, path: str, place: str) -> None:
    found = paths.SERVER
    file = File(path=path.format(units=found.units, config=found.config, nginx=found.nginx), content="")
    wanted = manifest()
    live.refuse_foreign_paths(PROJECT, wanted)
    if place == "files":
        wanted = replace(wanted, files=(*wanted.files, file))
    else:
        wanted = replace(wanted, candidate=replace(wanted.candidate, files=(file,)))
    with pytest.raises(Failure, match="not a path of this project"):
        live.refuse_foreign_paths(PROJECT, wanted)
