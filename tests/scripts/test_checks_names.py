"""Units and hostnames: those of the system, of somebody else, of another stack, and one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesensei.scripts.base import register
from codesensei.scripts.base.step import Failure
from codesensei.scripts.checks import names

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
