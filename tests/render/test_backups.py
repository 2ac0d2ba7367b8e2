"""The units of a stack's backups."""

from __future__ import annotations

import pytest

from codesensei.render import backups
from codesensei.wire.paths import ProjectPaths

SHOP = ProjectPaths("shop")


@pytest.mark.proves("backups.made")
def test_the_timer_starts_at_each_of_its_times() -> None:
    text = backups.timer(SHOP, title="Shop", schedule="hourly")
    assert "OnCalendar=hourly\nRandomizedDelaySec=300\nPersistent=true\n" in text
    assert "WantedBy=timers.target" in text


def test_the_service_may_write_its_notes_and_the_target_alone() -> None:
    here = backups.service(SHOP, title="Shop", to="/backups/shop")
    assert "ReadWritePaths=/var/lib/codesensei/shop /backups/shop\n" in here
    assert "ExecStart=/usr/local/lib/codesensei/shop/run backup now\n" in here
    elsewhere = backups.service(SHOP, title="Shop", to="s3:https://s3.example.com/shop")
    assert "ReadWritePaths=/var/lib/codesensei/shop\n" in elsewhere
    assert "IOSchedulingClass=idle" in elsewhere


@pytest.mark.proves("continuous.kept")
def test_with_an_archive_it_may_write_the_copy_as_well() -> None:
    text = backups.service(SHOP, title="Shop", to="/backups/shop", continuous=True)
    assert "ReadWritePaths=/var/lib/codesensei/shop /backups/shop -/var/lib/codesensei-archive/shop\n" in text
