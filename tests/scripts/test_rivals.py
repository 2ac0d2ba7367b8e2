"""Who else has the hostnames of a project: what is named, what `adopt` may disable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codesensei.scripts.base import register, rivals
from codesensei.scripts.base.rivals import Rival
from codesensei.scripts.base.sites import Configuration, Listen, Site
from codesensei.scripts.base.step import Failure
from codesensei.wire import paths
from codesensei.wire.paths import ProjectPaths

PROJECT = ProjectPaths("shop")
HOSTS = ("shop.example.com", "www.example.com")
OWN = "203.0.113.7"
EVERYWHERE = Listen("", 80)


def on(server: Path, *names: str, place: str = "sites-enabled/old", listen: Listen = EVERYWHERE) -> Site:
    return Site(str(server / "nginx" / place), names, (listen,))


def find(*sites: Site, hosts: tuple[str, ...] = HOSTS) -> list[Rival]:
    return rivals.rivals(Configuration(sites), PROJECT, hosts, [OWN])


@pytest.mark.parametrize("name", ["shop.example.com", ".shop.example.com", "www.example.com"])
@pytest.mark.parametrize("port", [80, 443])
def test_a_site_with_a_hostname_of_ours_is_named_with_its_file(server: Path, name: str, port: int) -> None:
    (rival,) = find(on(server, name, listen=Listen("", port)))
    assert rival.thing == f"hostname {name.removeprefix('.')}"
    assert rival.file == str(server / "nginx/sites-enabled/old")
    with pytest.raises(
        Failure, match=r"the nginx site \S+/sites-enabled/old, which codesensei did not write, already serves"
    ):
        rivals.refuse([rival], adopt=False)
    rivals.refuse([rival], adopt=True)


@pytest.mark.parametrize(
    "name", ["example.com", "*.example.com", ".example.com", "~^shop", "xshop.example.com", "_", ""]
)
def test_other_names_are_nobodys_rivals(server: Path, name: str) -> None:
    assert find(on(server, name)) == []


def test_what_is_not_for_visitors_is_no_rival(server: Path) -> None:
    assert find(on(server, "shop.example.com", listen=Listen("", 8080))) == []


def test_our_own_site_and_the_base_are_no_rivals(server: Path) -> None:
    (server / "nginx/sites-available").mkdir()
    (server / "nginx/sites-enabled").mkdir()
    PROJECT.site.touch()
    link = server / "nginx/sites-enabled/codesensei-shop.conf"
    link.symlink_to(PROJECT.site)
    base = "conf.d/codesensei.conf"
    assert find(on(server, *HOSTS, place="sites-enabled/codesensei-shop.conf"), on(server, "_", place=base)) == []
    # A name like ours makes no file ours.
    copy = on(server, *HOSTS, place="sites-enabled/codesensei-shop.conf.bak")
    assert [rival.file for rival in find(copy)] == [copy.file]


def test_a_site_that_serves_more_is_never_disabled(server: Path) -> None:
    (rival,) = find(on(server, "shop.example.com"), on(server, "blog.example.org", "_"))
    assert "it serves blog.example.org too" in rival.fix
    with pytest.raises(Failure, match=r"hostname shop\.example\.com"):
        rivals.refuse([rival], adopt=True)
    (rival,) = find(on(server, *HOSTS), on(server, "www.example.com", "_"))
    assert rival.removable


@pytest.mark.parametrize("place", ["nginx.conf", "snippets/old.conf", "sites-enabled/more/old"])
def test_a_file_that_is_more_than_a_site_is_never_disabled(server: Path, place: str) -> None:
    (rival,) = find(on(server, "shop.example.com", place=place))
    assert not rival.removable
    assert "adopt" not in rival.fix


def test_the_site_of_another_stack_is_named_with_it(server: Path) -> None:
    register.claim_slug("shop-eu", "org/codesensei/eu", "id2")
    other = ProjectPaths("shop-eu").site
    (rival,) = find(on(server, "shop.example.com", place=f"sites-available/{other.name}"))
    assert rival.cause == "the nginx site of the stack org/codesensei/eu (slug shop-eu) serves it"
    assert not rival.removable


@pytest.mark.parametrize(("address", "rival"), [(OWN, True), ("127.0.0.1", False), ("198.51.100.1", False)])
def test_a_site_that_has_the_server_s_address_for_itself(server: Path, address: str, rival: bool) -> None:
    found = find(on(server, "other.example.org", listen=Listen(address, 80)))
    assert [one.thing for one in found] == [f"address {OWN}"] * rival
    assert not any(one.removable for one in found)


def test_all_are_told_at_once(server: Path) -> None:
    found = find(on(server, HOSTS[0]), on(server, HOSTS[1], place="conf.d/old.conf"))
    with pytest.raises(Failure) as told:
        rivals.refuse(found, adopt=False)
    for place in ("sites-enabled/old", "conf.d/old.conf"):
        assert f"the nginx site {server}/nginx/{place}" in told.value.text()


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("*.example.com", True),
        (".example.com", True),
        ("shop.example.*", True),
        (r"~^(?<label>\w+)\.example\.com$", True),
        ("~[", False),
        ("*.example.org", False),
        ("shop", False),
        ("", False),
        ("shop.example.com", False),
    ],
)
def test_what_a_pattern_has_served_is_told(server: Path, pattern: str, told: bool) -> None:
    said = rivals.displaced(Configuration((on(server, pattern),)), PROJECT, HOSTS[:1])
    words = f"{server}/nginx/sites-enabled/old has served shop.example.com as {pattern}; this project does now"
    assert said == [words] * told


@pytest.mark.proves("proxy.patterns")
@pytest.mark.parametrize("other", ["*.example.com", ".example.com"])
def test_a_pattern_has_one_owner(server: Path, other: str) -> None:
    (rival,) = find(on(server, other), hosts=("*.example.com",))
    assert rival.thing == "hostname *.example.com"
    assert find(on(server, "a.example.com"), hosts=("*.example.com",)) == []


@pytest.mark.proves("proxy.patterns")
@pytest.mark.parametrize(
    "other", ["a.example.com", ".a.example.com", "*.a.example.com", "*.example.com", "example.com"]
)
def test_what_others_have_below_a_pattern_is_told(server: Path, other: str) -> None:
    said = rivals.displaced(Configuration((on(server, other),)), PROJECT, ["*.example.com"])
    words = f"sites-enabled/old serves {other}, so this project does not, although it has *.example.com"
    assert [words in text for text in said] == [True] * ("a." in other)
    (told,) = rivals.displaced(Configuration((on(server, "*.example.com"),)), PROJECT, ["*.a.example.com"])
    assert "has served *.a.example.com as *.example.com; this project does now" in told


def test_a_site_without_names_would_be_lost(server: Path) -> None:
    lost, default = on(server, "_"), on(server, "_", place="sites-enabled/default")
    found = rivals.nameless(Configuration((lost, default, on(server, "a.example", place="sites-enabled/a"))), PROJECT)
    assert [rival.file for rival in found] == [lost.file]
    with pytest.raises(Failure, match="has no server_name"):
        rivals.refuse(found, adopt=True)
    # What its owner has made the default stays it.
    assert rivals.nameless(Configuration((replace(lost, default_of=("80",)),)), PROJECT) == []
    base = str(paths.SERVER.nginx_base)
    assert rivals.nameless(Configuration((lost,), (base,)), PROJECT) == []
