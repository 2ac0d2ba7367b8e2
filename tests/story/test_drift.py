"""What was changed on the server by hand, as it is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codesensei.story import Section, Served, of_drift, read, text_of
from codesensei.story.drift import ELSE, MOST_LINES
from codesensei.story.section import MOST
from codesensei.wire.manifest import Manifest
from codesensei.wire.steps import Drift
from tests.story.parts import RELEASE, REVISION, SITES, UNITS, manifest

pytestmark = pytest.mark.proves("story.drift")
LINES = ("@@ -2 +2 @@", "-Restart=no", "+Restart=always", "shop.service restarts")
UNIT = Drift(step="switch", thing=f"{UNITS}/shop.service was changed by hand", lines=LINES)
STOPPED = Drift(step="switch", thing="shop.service is inactive", lines=("inactive (dead) -> active",))
TIMER = Drift(step="backups", thing=f"{UNITS}/codesensei-backup-shop.timer is gone")


def told(*found: Drift, wanted: Manifest | None = None, put_back: bool = False) -> tuple[str, ...]:
    served = Served(RELEASE, REVISION, manifest=manifest())
    return of_drift(found, served, wanted or manifest(), put_back=put_back).entries


def test_each_thing_is_told_with_its_lines() -> None:
    entries = told(UNIT, STOPPED, TIMER)
    assert entries == (
        f"{UNITS}/shop.service was changed by hand (- by hand, + by codesensei)",
        *(f"  {line}" for line in LINES),
        "shop.service is inactive",
        "  inactive (dead) -> active",
        f"{UNITS}/codesensei-backup-shop.timer is gone",
    )
    # Also for machines.
    (section,) = read(text_of([Section("drift", entries)]))
    assert section.entries == entries


def test_it_is_told_as_the_page_shows_it() -> None:
    shared = Drift(
        step="account", thing="/srv/codesensei/shop/shared was changed by hand", lines=("mode 0777 -> 1771",)
    )
    unit = replace(UNIT, lines=("@@ -33 +33 @@", *LINES[1:]))
    worker = replace(STOPPED, thing="shop-worker.service is inactive", lines=(*STOPPED.lines, "disabled -> enabled"))
    page = (Path(__file__).parents[2] / "docs" / "previews.md").read_text()
    assert f"```text\n{text_of([Section('drift', told(shared, unit, worker))])}\n```" in page


def test_an_update_tells_what_it_has_put_back_and_not_what_comes_after_its_switch() -> None:
    assert told(STOPPED, TIMER, put_back=True) == ("put back: shop.service is inactive", "  inactive (dead) -> active")
    assert told(TIMER, put_back=True) == ()


def test_a_file_that_the_deploy_changes_too_is_said_to() -> None:
    site = Drift(step="switch", thing=f"{SITES}/shop was changed by hand", lines=("mode 0666 -> 0644",))
    wanted = manifest(site="server_name www.shop.example.com")
    assert told(UNIT, site, wanted=wanted)[-1] == f"  {ELSE}"
    assert f"  {ELSE}" not in told(UNIT, site)
    unknown = Served(RELEASE, REVISION)
    assert f"  {ELSE}" not in of_drift([UNIT, site], unknown, wanted, put_back=False).entries


def test_it_is_bounded_whatever_the_server_says() -> None:
    many = [Drift(step="switch", thing=f"thing {number}", lines=("x",) * 500) for number in range(MOST + 5)]
    entries = told(*many)
    assert [entry for entry in entries if not entry.startswith("  ")] == [
        *(f"thing {number}" for number in range(MOST)),
        "and 5 more",
    ]
    assert entries.count("  x") == MOST_LINES
    assert entries[-2] == "  and 10 more lines"


def test_what_the_server_says_steers_no_terminal() -> None:
    evil = Drift(step="switch", thing="a\x1b[2J is gone", lines=("-\x1b]0;x\x07\udcff\nfix: none",))
    assert told(evil) == ("a\\x1b[2J is gone", "  -\\x1b]0;x\\x07\\xff\\nfix: none")
