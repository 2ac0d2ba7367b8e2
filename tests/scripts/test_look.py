"""The look: what each step did last, and what has changed since."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.backups import settings
from codesensei.scripts.base import proofs, rivals, units
from codesensei.scripts.base.rivals import Rival
from codesensei.scripts.base.step import write_json
from codesensei.scripts.base.units import UnitState
from codesensei.scripts.release import record
from codesensei.scripts.release.release import VariableNotes
from codesensei.scripts.steps import look, packages
from codesensei.wire import codec, paths
from codesensei.wire.steps import Backup, KeepBackups, Seen, SeenStep
from tests.scripts.examples import each
from tests.scripts.manifests import MAIL, PROJECT, SOCKET, WEB, kept_by_75650ac, manifest


def seen(capsys: pytest.CaptureFixture[str]) -> Seen:
    """What the operator's side reads."""
    assert look.run("shop", []) == 0
    return codec.from_text(Seen, capsys.readouterr().out, "look")


@pytest.fixture
def project(server: Path) -> Path:
    PROJECT.proofs.mkdir(parents=True)
    return server


def test_a_server_that_knows_nothing_of_the_project(server: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert seen(capsys) == Seen()


def test_a_look_loads_nothing_of_http() -> None:
    """That would take longer than all that it asks; each preview waits for it."""
    listed = "import sys; from codesensei.scripts.steps import look; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, check=True).stdout.split()
    assert "codesensei.scripts.serving.live" in loaded
    assert not {"http.client", "http.cookiejar", "urllib.request", "concurrent.futures"} & {*loaded}


def test_a_file_changed_by_hand_and_one_that_is_gone(
    project: Path, make_step: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = {"stack": "organization/shop/prod", "identity": "i1", "user": "deploy", "names": {}}
    write_json(paths.SERVER.register, {"format": 1, "slugs": {"shop": entry}, "kept": {}})
    step = make_step("account")
    step.digest = "d1"
    changed, gone = project / "changed", project / "gone"
    for path in (changed, gone):
        path.write_text("")
        step.manage(path)
    proofs.begin(step)
    assert seen(capsys).steps["account"].drift == ("an earlier run was interrupted",)
    proofs.finish(step)
    assert seen(capsys) == Seen(identity="i1", steps={"account": SeenStep(applied="d1", drift=())})
    changed.write_text("by hand")
    gone.unlink()
    drift = (f"{changed} was changed by hand", f"{gone} is gone")
    assert seen(capsys).steps["account"].drift == drift
    proofs.begin(step)
    proofs.abandon(step)
    unknown = ("its text is not shown: it may hold secrets, or what it was is not kept",)
    assert seen(capsys).steps["account"] == SeenStep(applied="d1", drift=drift, changes={drift[0]: unknown})


SECRETS = ("canary-of-the-token", "canary-of-the-broker", "canary-of-backups")


@pytest.fixture
def drifted(project: Path, make_step: Any) -> tuple[Path, Path]:
    """A unit and an env file that somebody has changed; the unit has every secret of the stack now."""
    unit, env = project / "units/shop.service", PROJECT.env_file("1111111-2222222")
    env.parent.mkdir(parents=True)
    env.write_text('API_TOKEN="before"\nGREETING="Hello"\n')
    step = make_step("environment", "2222222")
    step.manage(env)
    proofs.finish(step)
    notes = VariableNotes(secret_names=("API_TOKEN",))
    PROJECT.variable_notes("2222222").parent.mkdir()
    write_json(PROJECT.variable_notes("2222222"), codec.encode(notes))
    unit.write_text("[Service]\n")
    step = make_step("packages")
    step.manage(unit, shown=True)
    proofs.finish(step)
    PROJECT.broker_config.write_text("requirepass canary-of-the-broker\n")
    PROJECT.backups.mkdir()
    settings.password_file(PROJECT).write_text("canary-of-backups")
    write_json(settings.place(PROJECT), codec.encode(BACKUP))
    unit.write_text("[Service]\n" + "".join(f"# {secret} {place}\n" for place, secret in enumerate(SECRETS)))
    env.write_text('API_TOKEN="canary-of-the-token"\nGREETING="canary-of-a-variable"\n')
    return unit, env


BACKUP = Backup(
    to="/backups",
    user="deploy",
    directory=".",
    period=86400,
    keep=KeepBackups(daily=1, weekly=1, monthly=1),
    folders=(),
    database=None,
    service="",
    timer="",
    password="",
)


@pytest.mark.proves("story.drift", "story.drift.secrets")
def test_a_changed_text_is_told_without_any_secret_and_of_an_env_file_nothing(
    drifted: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    unit, env = drifted
    assert look.run("shop", []) == 0
    said = capsys.readouterr().out
    assert "canary" not in said
    found = codec.from_text(Seen, said, "look").steps
    lines = ("@@ -2,3 +1,0 @@", "-# [secret] 0", "-# [secret] 1", "-# [secret] 2")
    assert found["packages"].changes == {f"{unit} was changed by hand": lines}
    (line,) = found["environment"].changes[f"{env} was changed by hand"]
    assert line.startswith("its text is not shown: it may hold secrets")


@pytest.mark.proves("story.drift.secrets")
@pytest.mark.parametrize("content", [None, 'GREETING="Hello"\n', "API_TOKEN=\xff"])
def test_where_the_secrets_are_not_known_no_text_is_told(
    content: str | None, drifted: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    unit, env = drifted
    env.unlink() if content is None else env.write_bytes(content.encode("latin-1"))
    (line,) = seen(capsys).steps["packages"].changes[f"{unit} was changed by hand"]
    assert line == "its text is not shown: which secrets to leave out cannot be read on the server"


@pytest.mark.proves("story.drift")
def test_units_that_should_run(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    states = {
        WEB: UnitState(active="activating", file="masked"),
        SOCKET: UnitState(active="active", file="disabled"),
        MAIL: UnitState(active="failed", file="enabled", result="exit-code", exit_status="3"),
    }
    monkeypatch.setattr(units, "show_all", each(states.__getitem__))
    PROJECT.door.parent.mkdir(parents=True)
    PROJECT.door.touch()
    write_json(PROJECT.live, kept_by_75650ac(manifest()))
    write_json(proofs.path_of(PROJECT, "switch"), {"applied": "d1", "files": {}, "shared": []})
    found = seen(capsys).steps["switch"]
    assert found.drift == (f"{MAIL} is failed", f"{WEB} is masked", f"{SOCKET} is disabled")
    assert found.changes == {
        f"{MAIL} is failed": ("failed (exit-code, status 3) -> active",),
        f"{WEB} is masked": ("masked -> enabled",),
        f"{SOCKET} is disabled": ("disabled -> enabled",),
    }


@pytest.mark.proves("config.drift")
@pytest.mark.parametrize("adopt", [False, True])
def test_a_site_with_the_project_s_names_is_refused_or_taken(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, adopt: bool
) -> None:
    running = UnitState(active="active", file="enabled")
    monkeypatch.setattr(units, "show_all", each(lambda _: running))
    monkeypatch.setattr(rivals, "rivals", lambda *_: [Rival("old", "hostname shop.example.com", "old has it", "")])
    PROJECT.door.parent.mkdir(parents=True)
    PROJECT.door.touch()
    write_json(PROJECT.live, codec.encode(manifest(adopt=adopt)))
    write_json(proofs.path_of(PROJECT, "switch"), {"applied": "d1", "files": {}, "shared": []})
    found = seen(capsys).steps["switch"]
    assert found.drift == ("hostname shop.example.com: old has it",)
    assert found.refused == (() if adopt else found.drift)


@pytest.mark.proves("look.release-gone")
def test_a_release_that_is_gone_is_what_build_makes_again(
    project: Path, make_step: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    proofs.finish(make_step("build"))
    assert seen(capsys).steps["build"].drift == ()
    PROJECT.root.mkdir(parents=True)
    PROJECT.current.symlink_to("releases/aaaaaaa-bbbbbbb")
    # Somebody may have led it anywhere; that is the switch's.
    assert seen(capsys).steps["build"].drift == ()
    PROJECT.record("aaaaaaa-bbbbbbb").parent.mkdir()
    record.begin(PROJECT, "aaaaaaa-bbbbbbb", revision="c", settings_module="s", user="deploy")
    assert seen(capsys).steps["build"].drift == ("release aaaaaaa-bbbbbbb is gone",)
    # What `build` makes again has another folder than the one in which the processes work.
    proofs.finish(make_step("switch"))
    assert seen(capsys).steps["switch"].drift == ("what serves would not start again",)


@pytest.mark.proves("look.packages")
def test_a_package_that_somebody_has_removed(
    project: Path, make_step: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "installed", lambda names: {"git", "redis-server"} & {*names})
    step = make_step("packages")
    step.need_package("valkey-server", "redis-server")
    step.need_package("gettext")
    proofs.finish(step)
    assert seen(capsys).steps["packages"].drift == ("package gettext is not installed",)
