"""Who owns what: claims are all or nothing, refused by name, and given back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from codesensei.scripts.base import register
from codesensei.scripts.base.step import Failure
from codesensei.wire import paths
from tests.scripts.conftest import fingerprints

PROD, STAGE = "org/codesensei/prod", "org/codesensei/stage"

KEPT = register.Kept(stack=PROD, user="deploy", role="shop", database="shop")

pytestmark = pytest.mark.usefixtures("server")


@pytest.fixture
def two(server: Path) -> None:
    register.claim_slug("shop", PROD, "id-prod")
    register.claim_slug("blog", STAGE, "id-stage")
    register.claim("shop", {"hostnames": ["shop.example.com"], "brokers": ["0"]}, user="deploy")


def test_the_register_is_roots_alone(two: None) -> None:
    assert paths.SERVER.register.stat().st_mode & 0o777 == 0o600


def test_a_slug_is_claimed_once_and_again_silently(server: Path) -> None:
    assert register.claim_slug("shop", PROD, "id-prod")
    before = fingerprints(paths.SERVER.register.parent)
    assert not register.claim_slug("shop", PROD, "id-prod")
    assert fingerprints(paths.SERVER.register.parent) == before


@pytest.mark.proves("register", "register.refused")
def test_a_slug_of_another_stack_is_refused_with_both_stacks_and_the_fix(two: None) -> None:
    with pytest.raises(Failure) as refused:
        register.claim_slug("shop", STAGE, "id-stage")
    text = refused.value.text()
    assert PROD in text
    assert STAGE in text
    assert "adopt: true" in text
    assert "destroy" in text
    assert register.entry("shop") == register.entries()["shop"]
    assert register.entries()["shop"].identity == "id-prod"


@pytest.mark.proves("register")
def test_a_stack_of_the_same_name_with_another_identity_is_another_stack(two: None) -> None:
    with pytest.raises(Failure, match="identity id-prod"):
        register.claim_slug("shop", PROD, "id-new")


@pytest.mark.proves("register.adopt")
def test_adopt_takes_a_slug_over_with_all_its_names(two: None) -> None:
    assert register.claim_slug("shop", STAGE, "id-stage", adopt=True)
    owner = register.owner("hostnames", "shop.example.com")
    assert owner is not None
    assert (owner[0], owner[1].stack) == ("shop", STAGE)


def test_a_renamed_stack_keeps_its_slug(two: None) -> None:
    assert register.claim_slug("shop", "org/codesensei/live", "id-prod")
    assert register.entries()["shop"].stack == "org/codesensei/live"


def test_a_name_of_another_project_is_refused_and_nothing_is_claimed(two: None) -> None:
    with pytest.raises(Failure, match=r"shop\.example\.com: it belongs to the stack org/codesensei/prod"):
        register.claim("blog", {"units": ["blog.service"], "hostnames": ["shop.example.com"]})
    assert register.entries()["blog"].names == {}


@pytest.mark.proves("register.adopt")
def test_adopt_takes_a_name_from_its_owner(two: None) -> None:
    assert register.claim("blog", {"hostnames": ["shop.example.com"]}, adopt=True)
    assert not register.entries()["shop"].has("hostnames", "shop.example.com")
    assert register.entries()["blog"].has("hostnames", "shop.example.com")


def test_claims_add_up_until_they_are_settled(two: None) -> None:
    register.claim("shop", {"hostnames": ["www.example.com"]})
    assert register.entries()["shop"].names["hostnames"] == ("shop.example.com", "www.example.com")
    assert register.settle("shop", {"hostnames": ["www.example.com"]})
    assert register.entries()["shop"].names["hostnames"] == ("www.example.com",)
    assert register.entries()["shop"].has("brokers", "0")
    assert not register.settle("shop", {"hostnames": ["www.example.com"]})


def test_settling_never_takes_a_name_of_another(two: None) -> None:
    with pytest.raises(Failure, match="belongs to the stack"):
        register.settle("blog", {"hostnames": ["shop.example.com"]})


def test_a_project_that_is_not_registered_can_claim_nothing(server: Path) -> None:
    with pytest.raises(Failure, match="does not know it"):
        register.claim("shop", {"units": ["shop.service"]})


def test_what_a_destroy_kept_is_open_to_the_same_stack_only(two: None) -> None:
    assert register.forget("shop", KEPT)
    with pytest.raises(Failure, match="a destroy of the stack org/codesensei/prod kept"):
        register.claim_slug("shop", STAGE, "id-stage-2")
    assert register.claim_slug("shop", PROD, "id-prod-2")
    assert register.claim_slug("shop", STAGE, "id-stage-2", adopt=True)


def test_a_release_without_remains_leaves_no_trace(two: None) -> None:
    register.forget("shop", KEPT)
    register.claim_slug("shop", PROD, "id-prod-2")
    assert register.forget("shop")
    assert register.kept("shop") is None
    assert not register.forget("shop")


def test_users_of_others_are_those_of_projects_and_of_kept_data(two: None) -> None:
    assert register.users(but="blog") == {"deploy"}
    assert register.users(but="shop") == set()
    register.forget("shop", replace(KEPT, role="", database=""))
    assert register.users(but="blog") == {"deploy"}


# As versions before 1.0 wrote it.
BEFORE = {
    "format": 1,
    "slugs": {
        "blog": {"stack": STAGE, "identity": "id-stage", "user": "", "names": {}},
        "shop": {
            "stack": PROD,
            "identity": "id-prod",
            "user": "deploy",
            "names": {"hostnames": ["shop.example.com"], "units": ["shop.service", "shop.socket"]},
        },
    },
    "kept": {"old": {"stack": PROD, "user": "deploy", "role": "old", "database": ""}},
}


def test_a_register_of_the_version_before_is_read(server: Path) -> None:
    paths.SERVER.register.write_text(json.dumps(BEFORE))
    assert register.entries() == {
        "blog": register.Entry(stack=STAGE, identity="id-stage", names={}),
        "shop": register.Entry(
            stack=PROD,
            identity="id-prod",
            user="deploy",
            names={"hostnames": ("shop.example.com",), "units": ("shop.service", "shop.socket")},
        ),
    }
    assert register.kept("old") == register.Kept(stack=PROD, user="deploy", role="old", database="")
    assert not register.claim_slug("shop", PROD, "id-prod")
    assert not register.claim("shop", {"units": ["shop.service"]}, user="deploy")


def test_the_version_before_can_read_the_register(server: Path) -> None:
    """Two stacks may be deployed by two versions: it takes these keys for granted, but that of a user."""
    paths.SERVER.register.write_text(json.dumps(BEFORE))
    register.claim_slug("new", STAGE, "id-new")
    register.claim("blog", {"brokers": ["1"]}, user="blog")
    register.forget("shop", replace(KEPT, role="", database="", user=""))
    found = json.loads(paths.SERVER.register.read_text())
    assert {slug: item["names"] for slug, item in found["slugs"].items()} == {"new": {}, "blog": {"brokers": ["1"]}}
    assert {slug: (item["stack"], item["identity"], item.get("user", "")) for slug, item in found["slugs"].items()} == {
        "new": (STAGE, "id-new", ""),
        "blog": (STAGE, "id-stage", "blog"),
    }
    assert found["kept"] == {
        "old": BEFORE["kept"]["old"],  # type: ignore[index]
        "shop": {"stack": PROD, "user": "", "role": "", "database": ""},
    }
