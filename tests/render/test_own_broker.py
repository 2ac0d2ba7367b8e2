"""The configuration and the unit of a stack's own broker."""

from __future__ import annotations

import pytest

from codesensei.render import broker
from codesensei.wire.broker import number_at, own_address
from codesensei.wire.paths import ProjectPaths

SHOP = ProjectPaths("shop")


def settings(text: str) -> dict[str, str]:
    """The lines of a configuration, or of a unit, by their first word."""
    return dict(line.replace("=", " ", 1).split(" ", 1) for line in text.splitlines() if line and line[0] not in "#[")


@pytest.mark.proves("broker.loopback", "broker.keeps")
def test_it_listens_on_loopback_and_keeps_everything() -> None:
    found = settings(broker.own_config(SHOP, 417))
    assert (found["bind"], found["port"], found["protected-mode"]) == ("127.6.1.161", "637", "yes")
    assert (found["maxmemory-policy"], found["appendonly"]) == ("noeviction", "yes")
    assert found["dir"] == "/var/lib/codesensei-broker/shop"
    assert "requirepass" not in found


@pytest.mark.proves("broker.own")
def test_it_is_no_more_than_the_app_user() -> None:
    found = settings(broker.own_unit(SHOP, user="deploy", title="Shop 100%"))
    assert (found["User"], found["Group"], found["Description"]) == (
        "deploy",
        "deploy",
        "Shop 100%%, broker (codesensei)",
    )
    assert found["ExecStart"] == "/usr/bin/@broker@ /srv/codesensei/shop/broker.conf"
    assert (found["StateDirectory"], found["StateDirectoryMode"]) == ("codesensei-broker/shop", "0700")
    assert found["NoNewPrivileges"] == found["PrivateTmp"] == found["ProtectHome"] == "yes"
    assert found["ProtectSystem"] == "strict"
    # For its port, and nothing else.
    assert found["CapabilityBoundingSet"] == found["AmbientCapabilities"] == "CAP_NET_BIND_SERVICE"
    # Workers start after the web process, and both find it running.
    assert found["Before"] == "shop.service"


@pytest.mark.parametrize("number", [16, 255, 256, 1023])
def test_each_number_has_an_address(number: int) -> None:
    assert number_at(own_address(number)) == str(number)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.6.0.15", "127.7.0.16", "localhost", "::1", ""])
def test_no_other_address_has_a_number(address: str) -> None:
    assert number_at(address) is None
