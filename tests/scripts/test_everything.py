"""The checks of the preflight as a preview makes them: in the same words, and changing nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import host, limited, register, sites
from codesensei.scripts.base.sites import Configuration, Listen, Site
from codesensei.scripts.base.step import Failure
from codesensei.scripts.checks import everything, machine, user
from codesensei.scripts.postgres import postgresql
from codesensei.scripts.steps import preflight
from codesensei.wire import codec, paths
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.steps import FORESEEN, DatabasePlace, Finding, Foreseen
from tests.scripts.conftest import fingerprints
from tests.scripts.examples import IDENTITY, PREFLIGHT, STACK

Foresee = Callable[..., Foreseen]
OLD = Site("/etc/nginx/conf.d/old.conf", ("shop.example.com",), (Listen("", 80),))
PLACE = DatabasePlace(kind="generated", name="shop", role="shop", host="127.0.0.1", port=5432)


@pytest.fixture
def foresee(server: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Foresee:
    """The checks on a machine that would refuse nothing, and on which nobody has deployed."""
    monkeypatch.setattr(machine, "check", lambda allow_unsupported: None)
    monkeypatch.setattr(host, "listeners", lambda ports: [])
    monkeypatch.setattr(sites, "configuration", Configuration)
    monkeypatch.setattr(user, "check_power", lambda *words: None)
    monkeypatch.setattr(postgresql, "clusters", lambda: [])
    monkeypatch.setattr(limited, "finding", lambda: None)

    def run(**changes: Any) -> Foreseen:
        before = fingerprints(server)
        everything.foresee(codec.to_text(replace(PREFLIGHT, **changes)))
        assert fingerprints(server) == before
        lines = capsys.readouterr().out.splitlines()
        assert all(line.startswith(FORESEEN) for line in lines if line)
        said = [json.loads(line.removeprefix(FORESEEN)) for line in lines if line]
        found = [codec.decode(Foreseen, one, "foreseen") for one in said]
        return Foreseen(
            refused=tuple(one for part in found for one in part.refused),
            warnings=tuple(one for part in found for one in part.warnings),
        )

    return run


def serve(monkeypatch: pytest.MonkeyPatch, *found: Site) -> None:
    monkeypatch.setattr(sites, "configuration", lambda: Configuration(found))


def test_where_nothing_is_in_the_way_nothing_is_said(foresee: Foresee) -> None:
    assert foresee() == Foreseen()


@pytest.mark.proves("preview.foreseen", "register.sites")
def test_a_hand_made_site_is_told_in_the_words_of_the_deploy(
    foresee: Foresee, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nameless = Site("/etc/nginx/conf.d/any.conf", ("_",), (Listen("", 80),))
    serve(monkeypatch, OLD, nameless)
    told = foresee().refused
    register.claim_slug("shop", STACK, IDENTITY)
    with pytest.raises(Failure) as caught:
        preflight.run(make_step("preflight", data=PREFLIGHT))
    found = caught.value.found  # type: ignore[attr-defined]
    assert told == tuple(Finding(thing=one.thing, cause=one.cause, fix=one.fix) for one in found)
    assert [one.thing for one in told] == [
        "hostname shop.example.com",
        "hosts without a name in /etc/nginx/conf.d/any.conf",
    ]


@pytest.mark.proves("preview.foreseen", "register.adopt")
def test_a_site_that_gives_way_is_told(foresee: Foresee, monkeypatch: pytest.MonkeyPatch) -> None:
    file = str(paths.SERVER.nginx / "conf.d/old.conf")
    serve(monkeypatch, replace(OLD, file=file))
    assert "codesensei:adopt: true" in foresee().refused[0].fix
    told = foresee(adopt=True)
    assert told.refused == ()
    assert told.warnings == (
        f"hostname shop.example.com: the nginx site {file} has it; adopt: true disables that file",
    )
    serve(monkeypatch, replace(OLD, file=file, names=("shop.example.com", "blog.example.com")))
    assert foresee(adopt=True).warnings == ()
    assert "blog.example.com" in foresee(adopt=True).refused[0].fix
    serve(monkeypatch, replace(OLD, names=("*.example.com",)))
    assert foresee().warnings == (f"{OLD.file} has served shop.example.com as *.example.com; this project does now",)


@pytest.mark.proves("preview.foreseen")
def test_whatever_else_the_first_steps_refuse(foresee: Foresee, monkeypatch: pytest.MonkeyPatch) -> None:
    """All in one answer; what a check says besides is none."""
    (paths.SERVER.units / "shop.service").write_text("[Unit]\nDescription=by hand\n")
    ProjectPaths("shop").root.mkdir()
    apache = host.Listener("0.0.0.0", 80, "apache2", 812)
    monkeypatch.setattr(host, "listeners", lambda ports: [apache] if 80 in ports else [])
    monkeypatch.setattr(shutil, "which", lambda name, path: name)
    monkeypatch.setattr(postgresql, "clusters", lambda: [postgresql.Cluster("15", "main", 5432, True)])
    monkeypatch.setattr(postgresql, "rows", lambda port, statement: [["1"]] if "pg_database" in statement else [])
    wanted = [str(ProjectPaths("shop").root), "port 80", "unit shop.service", "database shop"]
    assert [one.thing for one in foresee(database=PLACE).refused] == wanted
    # The toolkit brings ss to a server that lacks it.
    monkeypatch.setattr(shutil, "which", lambda name, path: None)
    told = foresee(database=PLACE)
    assert [one.thing for one in told.refused] == [wanted[0], *wanted[2:]]
    assert told.warnings == (everything.NO_SS,)
    assert foresee(ports=()).warnings == ()


@pytest.mark.proves("preview.foreseen")
def test_the_stack_s_own_things_are_not_in_its_way(foresee: Foresee, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a first deploy that failed, or a destroy that kept the data."""
    monkeypatch.setattr(postgresql, "clusters", lambda: [postgresql.Cluster("15", "main", 5432, True)])
    monkeypatch.setattr(postgresql, "rows", lambda port, statement: [] if "rolsuper" in statement else [["1"]])
    kept = register.Kept(stack=STACK, user="deploy", role="shop", database="shop")
    register.forget("shop", kept)
    ProjectPaths("shop").root.mkdir()
    assert foresee(database=PLACE) == Foreseen()
    register.claim_slug("shop", STACK, IDENTITY)
    register.claim("shop", {"units": ["shop.service"], "databases": ["shop"], "roles": ["shop"]})
    (paths.SERVER.units / "shop.service").write_text("[Unit]\nDescription=Shop (codesensei)\n")
    assert foresee(database=PLACE) == Foreseen()


@pytest.mark.proves("preview.foreseen")
def test_a_check_that_cannot_read_hides_no_other(foresee: Foresee, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(ports: Any) -> None:
        raise PermissionError("no")

    monkeypatch.setattr(machine, "check_ports", fails)
    monkeypatch.setattr(shutil, "which", lambda name, path: name)
    slow = Finding(thing="ufw", cause="it limits port 22", fix="insert a rule")
    monkeypatch.setattr(limited, "finding", lambda: slow)
    (paths.SERVER.units / "shop.service").write_text("[Unit]\nDescription=by hand\n")
    told = foresee()
    assert [one.thing for one in told.refused] == ["unit shop.service"]
    assert told.warnings == ("ufw: it limits port 22; insert a rule",)
