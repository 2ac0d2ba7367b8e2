"""What a release has gone through, also as earlier versions of the program have written it down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base.step import write_json
from codesensei.scripts.release import record
from codesensei.wire.paths import ProjectPaths
from tests.scripts.examples import FACTS, NAME, REVISION

SHOP = ProjectPaths("shop")
# As the program before 1.0 has kept a release that serves.
EARLIER: dict[str, Any] = {
    "built": True,
    "facts": {
        "django": "5.2",
        "databases": {"default": {"ENGINE": "sqlite3", "NAME": "x", "USER": "", "HOST": "", "PORT": ""}},
        "allowedHosts": ["*"],
        "debug": False,
        "installedStaticfiles": True,
        "MEDIA_ROOT": "/m",
        "MEDIA_URL": "/media/",
        "STATIC_ROOT": "static",
        "STATIC_URL": "/static/",
        "ASGI_APPLICATION": "",
        "WSGI_APPLICATION": "config.wsgi.application",
    },
    "hooked": True,
    "prepared": {
        "user": "deploy",
        "directory": ".",
        "settingsModule": "config.settings",
        "hooks": {},
        "lockTimeout": 5,
    },
    "revision": REVISION,
    "seconds": {"code": 0.4},
    "served": True,
    "twin": None,
    "venv": "abc-py3.11.2",
}


@pytest.fixture(autouse=True)
def memory(server: Path) -> None:
    SHOP.record(NAME).parent.mkdir(parents=True)


def test_a_release_goes_through_its_states() -> None:
    assert record.read(SHOP, NAME).state == "unpacking"
    record.begin(SHOP, NAME, revision=REVISION, settings_module="config.settings", user="deploy")
    transitions: list[Callable[[], None]] = [
        lambda: record.unpacked(SHOP, NAME),
        lambda: record.uses(SHOP, NAME, "venv"),
        lambda: record.built(SHOP, NAME, FACTS, {"code": 1.0}),
        lambda: record.preparing(SHOP, NAME),
        lambda: record.prepared(SHOP, NAME, {"migrate": 2.0}),
        lambda: record.served(SHOP, NAME),
    ]
    seen = []
    for transition in transitions:
        transition()
        seen.append(record.read(SHOP, NAME).state)
    assert seen == ["unpacked", "unpacked", "built", "preparing", "prepared", "served"]
    found = record.read(SHOP, NAME)
    assert (found.venv, found.facts, found.seconds) == ("venv", FACTS, {"code": 1.0, "migrate": 2.0})


def test_a_failure_is_noted_until_the_step_succeeds() -> None:
    record.begin(SHOP, NAME, revision=REVISION, settings_module="config.settings", user="deploy")
    record.failed(SHOP, NAME, "build")
    assert (record.read(SHOP, NAME).state, record.read(SHOP, NAME).failed) == ("unpacking", "build")
    record.built(SHOP, NAME, FACTS, {})
    assert record.read(SHOP, NAME).failed == ""


def test_a_failure_before_anything_was_made_leaves_no_record() -> None:
    record.failed(SHOP, NAME, "build")
    assert not SHOP.record(NAME).exists()


def test_the_notes_of_variables_are_no_releases() -> None:
    write_json(SHOP.variable_notes(NAME), {"secretNames": []})
    record.abandon_others(SHOP, "another-release")
    assert list(SHOP.record(NAME).parent.glob("*.json")) == [SHOP.variable_notes(NAME)]


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "served"),
        ({"served": False}, "prepared"),
        ({"served": False, "prepared": None}, "built"),
        ({"served": False, "prepared": None, "built": False}, "unpacking"),
    ],
)
def test_what_earlier_versions_kept_is_read(changes: dict[str, Any], state: str) -> None:
    write_json(SHOP.record(NAME), {**EARLIER, **changes})
    found = record.read(SHOP, NAME)
    assert found.state == state
    assert found.is_built is (state != "unpacking")
    assert (found.revision, found.venv, found.seconds) == (REVISION, "abc-py3.11.2", {"code": 0.4})
    assert found.facts is not None
    assert (found.facts.media_root, found.facts.databases["default"].engine) == ("/m", "sqlite3")
    if state in ("served", "prepared"):
        assert (found.settings_module, found.user) == ("config.settings", "deploy")


@pytest.mark.proves("look.database")
def test_with_which_databases_the_release_that_serves_works(server: Path) -> None:
    assert record.databases_that_serve(SHOP) == set()
    SHOP.root.mkdir(parents=True, exist_ok=True)
    SHOP.current.symlink_to(f"releases/{NAME}")
    assert record.databases_that_serve(SHOP) == set()
    SHOP.record(NAME).parent.mkdir(parents=True, exist_ok=True)
    write_json(SHOP.record(NAME), EARLIER)
    assert record.databases_that_serve(SHOP) == {"x"}


@pytest.mark.proves("hooks.after-switch.cut-off")
@pytest.mark.parametrize("link", ["current", "previous"])
def test_a_release_that_serves_is_never_abandoned(link: str) -> None:
    """Also where the run was cut off that would have written down that it serves."""
    SHOP.root.mkdir(parents=True, exist_ok=True)
    for name in (NAME, "fffffff-0000000"):
        record.begin(SHOP, name, revision=REVISION, settings_module="config.settings", user="deploy")
    (SHOP.root / link).symlink_to(f"releases/{NAME}")
    record.abandon_others(SHOP, "another-release")
    assert record.read(SHOP, NAME).state == "unpacking"
    assert record.read(SHOP, "fffffff-0000000").state == "abandoned"
