"""Names, addresses and subnets: pure functions."""

from __future__ import annotations

import ipaddress

import pytest

from tools.sandbox.errors import SandboxError
from tools.sandbox.names import (
    FIRST_SERVER_NUMBER,
    LAST_SERVER_NUMBER,
    POOL,
    Names,
    check_label,
    check_server_name,
    checkout_id,
    choose_number,
    choose_subnet,
)

IPv4 = ipaddress.IPv4Network


def test_a_checkout_is_known_by_its_path() -> None:
    assert checkout_id("/a/b") == checkout_id("/a/b")
    assert checkout_id("/a/b") != checkout_id("/a/c")
    assert len(checkout_id("/a/b")) == 8


def test_an_interface_name_fits_the_kernel() -> None:
    assert len(Names(checkout_id("/some/where")).bridge) <= 15


def test_no_checkout_takes_what_begins_like_anothers() -> None:
    first, second = Names(checkout_id("/one")), Names(checkout_id("/two"))
    assert not second.cgroup("web").startswith(first.cgroup_prefix)
    assert first.table != second.table
    assert first.ipv6_network != second.ipv6_network


def test_the_ipv6_network_is_a_unique_local_one() -> None:
    network = Names("0123abcd").ipv6_network
    assert network.prefixlen == 64
    assert network.subnet_of(ipaddress.IPv6Network("fd00::/8"))


@pytest.mark.parametrize("name", ["web1", "a", "db-2", "x" * 31])
def test_good_server_names(name: str) -> None:
    assert check_server_name(name) == name


@pytest.mark.parametrize("name", ["", "1web", "Web", "web_1", "web-", "../x", "x" * 32, "a b", "web\n"])
def test_bad_server_names(name: str) -> None:
    with pytest.raises(SandboxError, match="cannot be a server's name"):
        check_server_name(name)


@pytest.mark.parametrize("label", ["", "..", "a/b", ".x", "a b"])
def test_bad_labels(label: str) -> None:
    with pytest.raises(SandboxError, match="cannot name a snapshot"):
        check_label(label)


def test_a_subnet_is_in_the_pool_and_free() -> None:
    first = choose_subnet("one", [])
    assert first.subnet_of(POOL)
    assert first.prefixlen == 24
    second = choose_subnet("one", [first])
    assert second != first
    assert not second.overlaps(first)


def test_the_default_route_takes_nothing() -> None:
    assert choose_subnet("one", [IPv4("0.0.0.0/0")]) == choose_subnet("one", [])


def test_half_a_taken_pool_leaves_the_other_half() -> None:
    for preferred in ("one", "two", "three", "four"):
        assert choose_subnet(preferred, [IPv4("198.18.0.0/16")]).subnet_of(IPv4("198.19.0.0/16"))


def test_a_single_address_takes_its_subnet() -> None:
    first = choose_subnet("one", [])
    assert choose_subnet("one", [IPv4(f"{first[7]}/32")]) != first


def test_a_full_pool_is_said() -> None:
    with pytest.raises(SandboxError, match="No free /24"):
        choose_subnet("one", [POOL])


def test_numbers_go_round_and_skip_what_is_taken() -> None:
    assert choose_number(FIRST_SERVER_NUMBER - 1, []) == FIRST_SERVER_NUMBER
    assert choose_number(20, [21, 22]) == 23
    assert choose_number(LAST_SERVER_NUMBER, [FIRST_SERVER_NUMBER]) == FIRST_SERVER_NUMBER + 1


def test_a_number_just_given_back_is_not_the_next() -> None:
    assert choose_number(20, []) == 21


def test_a_full_subnet_is_said() -> None:
    with pytest.raises(SandboxError, match="servers already"):
        choose_number(20, range(FIRST_SERVER_NUMBER, LAST_SERVER_NUMBER + 1))
