"""The claim: directories, the slug's link, and the end of toolkits that nobody uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import host, register
from codesensei.scripts.base.step import Failure
from codesensei.scripts.steps import claim
from codesensei.wire import paths
from tests.scripts.conftest import fingerprints

WORDS = ("org/codesensei/prod", "id1", "false", "0123456789ab")


@pytest.fixture
def toolkit(server: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two toolkits, of which `new` runs the claim."""
    toolkits = paths.SERVER.toolkits
    for name in ("new", "old"):
        (toolkits / name).mkdir(parents=True)
    monkeypatch.setattr(claim, "own_toolkit", lambda: toolkits / "new")
    monkeypatch.setattr(host, "mentions", lambda text, but="": False)
    return toolkits


def test_a_claim_points_the_slug_at_its_toolkit_and_ends_the_others(
    toolkit: Path, server: Path, make_step: Any
) -> None:
    step = make_step("claim", *WORDS)
    claim.run(step)
    assert (toolkit.parent / "shop").readlink() == Path("toolkit/new")
    assert [path.name for path in toolkit.iterdir()] == ["new"]
    modes = {"memory": 0o711, "memory/incoming": 0o711, "memory/incoming/shop": 0o700, "memory/acme-challenges": 0o755}
    modes |= {"srv": 0o755, "etc": 0o755, "memory/shop": 0o700, "memory/shop/proofs": 0o700}
    assert {name: (server / name).stat().st_mode & 0o777 for name in modes} == modes


def test_only_the_sent_toolkit_of_this_claim_stays(toolkit: Path, server: Path, make_step: Any) -> None:
    """In the login user's home; other projects' and other people's files there are not ours."""
    old, own, *others = names = (
        ".codesensei-shop-ba9876543210.sh",
        ".codesensei-shop-0123456789ab.sh",
        ".codesensei-shop-two-ba9876543210.sh",
        ".codesensei-blog-ba9876543210.sh",
        ".codesensei-shop-notes.sh",
    )
    for name in names:
        (server / "home" / name).touch()
    claim.run(make_step("claim", *WORDS))
    assert {path.name for path in (server / "home").iterdir()} == {own, *others}
    claim.run(make_step("claim", *WORDS[:3], old[-15:-3]))
    assert {path.name for path in (server / "home").iterdir()} == {*others}


def test_a_second_claim_changes_nothing(toolkit: Path, server: Path, make_step: Any) -> None:
    claim.run(make_step("claim", *WORDS))
    before = fingerprints(server)
    again = make_step("claim", *WORDS)
    claim.run(again)
    assert again.changes == 0
    assert fingerprints(server) == before


def test_a_toolkit_that_another_project_or_a_process_uses_stays(
    toolkit: Path, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (toolkit / "busy").mkdir()
    (toolkit.parent / "blog").symlink_to("toolkit/old")
    monkeypatch.setattr(host, "mentions", lambda text, but="": text.endswith("/busy"))
    claim.run(make_step("claim", *WORDS))
    assert sorted(path.name for path in toolkit.iterdir()) == ["busy", "new", "old"]


def test_a_refused_claim_makes_no_link_and_no_memory(toolkit: Path, make_step: Any) -> None:
    register.claim_slug("shop", "org/codesensei/other", "id2")
    with pytest.raises(Failure, match="slug shop"):
        claim.run(make_step("claim", *WORDS))
    assert not (toolkit.parent / "shop").is_symlink()
    assert not make_step("claim").project.memory.exists()


def test_a_directory_that_is_nobodys_is_refused_and_may_be_adopted(toolkit: Path, server: Path, make_step: Any) -> None:
    (server / "srv/shop").mkdir()
    with pytest.raises(Failure, match="no stack of this server has it"):
        claim.run(make_step("claim", *WORDS))
    claim.run(make_step("claim", *WORDS[:2], "true", "hash"))
    assert register.entry("shop") is not None


@pytest.mark.parametrize("slug", ["toolkit", "incoming", "acme-challenges", "unknown-host", "codesensei-shop"])
def test_names_of_the_product_are_no_slugs(toolkit: Path, make_step: Any, slug: str) -> None:
    with pytest.raises(Failure, match="uses this name itself"):
        claim.run(make_step("claim", *WORDS, slug=slug))


@pytest.mark.proves("register.slug-fixed")
def test_a_stack_that_serves_keeps_its_slug(toolkit: Path, server: Path, make_step: Any) -> None:
    claim.run(make_step("claim", *WORDS))
    (server / "srv/shop").mkdir()
    (server / "srv/shop/current").symlink_to("releases/1111111-2222222")
    for adopt in ("false", "true"):
        with pytest.raises(Failure) as refused:
            claim.run(make_step("claim", *WORDS[:2], adopt, "hash", slug="store"))
        text = refused.value.text()
        assert "slug store" in text
        assert "this stack is deployed as shop, and its slug does not change" in text
        assert "put codesensei:project.slug: shop back; or move: make another stack with the slug store" in text
    assert set(register.entries()) == {"shop"}


def test_a_first_deploy_that_failed_holds_no_slug(toolkit: Path, make_step: Any) -> None:
    claim.run(make_step("claim", *WORDS))
    register.claim("shop", {"hostnames": ["shop.example.com"]})
    claim.run(make_step("claim", *WORDS, slug="store"))
    assert set(register.entries()) == {"store"}
    assert register.owner("hostnames", "shop.example.com") is None
    assert not (toolkit.parent / "shop").is_symlink()


def test_another_stack_may_have_another_slug(toolkit: Path, server: Path, make_step: Any) -> None:
    claim.run(make_step("claim", *WORDS))
    (server / "srv/shop").mkdir()
    (server / "srv/shop/current").symlink_to("releases/1111111-2222222")
    claim.run(make_step("claim", "org/codesensei/stage", "id2", "false", "hash", slug="store"))
    assert set(register.entries()) == {"shop", "store"}


def test_a_toolkit_that_is_being_brought_is_noticed(server: Path) -> None:
    with claim.no_bootstrap() as first, claim.no_bootstrap() as second:
        assert (first, second) == (True, False)
