"""Units and hostnames: those of the system, of somebody else, of another stack, and one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesensei.scripts.base import register
from codesensei.scripts.base.step import Failure
from codesensei.scripts.checks import names
from codesensei.wire import paths

ENTRY = register.Entry(stack="org/codesensei/prod", identity="id1", names={"units": ("shop.service",)})
NEW = register.Entry(stack="org/codesensei/prod", identity="id1", names={})
OURS, FOREIGN = "[Unit]\nDescription=Shop (codesensei)\n", "[Unit]\nDescription=by hand\n"


@pytest.mark.proves("register.reserved-units")
@pytest.mark.parametrize(
    "unit", ["ssh.service", "nginx.service", "systemd-logind.service", "postgresql@15-main.service"]
)
def test_units_of_the_system_are_refused_even_with_adopt(server: Path, unit: str) -> None:
    with pytest.raises(Failure, match="belongs to the system"):
        names.check_unit(NEW, unit, adopt=True)


@pytest.mark.proves("register.reserved-units")
@pytest.mark.parametrize("place", ["units", "runtime-units", "local-units", "packaged"])
def test_a_unit_that_somebody_else_wrote_is_never_taken(server: Path, place: str) -> None:
    (server / place / "shop.service").write_text(FOREIGN)
    with pytest.raises(Failure, match=rf"{place}/shop\.service was not written by codesensei"):
        names.check_unit(NEW, "shop.service", adopt=True)
    names.check_unit(NEW, "shop-mail.service", adopt=False)


@pytest.mark.proves("register.reserved-units")
def test_a_masked_unit_is_somebody_elses(server: Path) -> None:
    (server / "units/shop.service").symlink_to("/dev/null")
    with pytest.raises(Failure, match="was not written by codesensei"):
        names.check_unit(NEW, "shop.service", adopt=True)


@pytest.mark.proves("register.adopt")
def test_a_unit_of_ours_that_the_register_does_not_know_is_adopted_only(server: Path) -> None:
    (server / "units/shop.service").write_text(OURS)
    with pytest.raises(Failure, match="a stack that this server no longer knows"):
        names.check_unit(NEW, "shop.service", adopt=False)
    names.check_unit(NEW, "shop.service", adopt=True)
    names.check_unit(ENTRY, "shop.service", adopt=False)


@pytest.mark.proves("register.refused")
def test_a_unit_of_another_stack_names_it(server: Path) -> None:
    (server / "units/shop-eu.service").write_text(OURS)
    register.claim_slug("shop-eu", "org/codesensei/eu", "id2")
    register.claim("shop-eu", {"units": ["shop-eu.service"]})
    with pytest.raises(Failure, match=r"it belongs to the stack org/codesensei/eu \(slug shop-eu\)"):
        names.check_unit(NEW, "shop-eu.service", adopt=False)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("server { server_name a.example.com B.example.com; }", {"a.example.com", "b.example.com"}),
        ("server_name\n  a.example.com\n  'c.example.com';", {"a.example.com", "c.example.com"}),
        ("# server_name a.example.com;\nserver_name _;", set()),
        ("server_names_hash_max_size 64; server_name_in_redirect on;", set()),
    ],
)
def test_server_names_are_read_from_sites(text: str, found: set[str]) -> None:
    assert names.server_names(text) == found


def test_our_own_sites_are_not_in_the_way(server: Path) -> None:
    folder = paths.SERVER.nginx / "sites-enabled"
    folder.mkdir()
    for name in ("codesensei-shop.conf", "old"):
        (folder / name).write_text("server { server_name shop.example.com; }")
    assert list(names.served_names()) == [folder / "old"]
    names.check_hostnames(["www.example.com"])
    with pytest.raises(Failure, match=rf"hostname shop\.example\.com: the nginx site {folder}/old"):
        names.check_hostnames(["www.example.com", "Shop.example.com"])
