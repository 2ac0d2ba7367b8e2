"""Options, control groups, firewall rules, layers and leftovers: pure parts of the sandbox."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tools.sandbox.cgroups import hierarchies, is_container_init, namespace_depth
from tools.sandbox.container import Container
from tools.sandbox.errors import SandboxError
from tools.sandbox.image import CLOUD_FILES, FILES, Image, cache_directory
from tools.sandbox.machine import Inheritance
from tools.sandbox.names import Names
from tools.sandbox.network import dropping_chains, own_rules, ruleset
from tools.sandbox.sandbox import is_leftover
from tools.sandbox.setup import Address, write
from tools.sandbox.state import CHANGING, CREATING, READY, Checkout, Record, hold, is_held
from tools.sandbox.storage import Layers, Storage, harvest_packages, seed_packages

RECORD = Record("web", 13, "plain", False, 10, "/image", "overlay", READY)
INHERITED = Inheritance("http://m/d", "http://m/s", "", (("ca.crt", b"1"),), "nameserver 192.0.2.1\n", "", "")


def container(**changes: Any) -> Container:
    values: dict[str, Any] = {
        "machine": "cs-1-web",
        "hostname": "web",
        "root": Path("/root-of-web"),
        "bridge": "cs-1",
        "cgroup": "codesensei-1-web",
        "log": Path("/log"),
    }
    return Container(**{**values, **changes})


def test_nspawn_needs_no_system_bus_and_boots_on_the_bridge() -> None:
    argv = container().argv()
    for option in ("--register=no", "--keep-unit", "--boot", "--network-bridge=cs-1", "--resolv-conf=off"):
        assert option in argv
    assert "--directory=/root-of-web" in argv
    assert not any(option.startswith("--bind") or option == "--capability=all" for option in argv)


def test_only_a_nested_server_gets_more_rights() -> None:
    nested = container(nested=True, binds=((Path("/private"), "/var/lib/x"),))
    assert "--bind=/private:/var/lib/x" in nested.argv()
    assert "--capability=all" in nested.argv()
    assert "SYSTEMD_NSPAWN_API_VFS_WRITABLE" in nested.environment()
    assert "SYSTEMD_NSPAWN_API_VFS_WRITABLE" not in container().environment()


def test_nothing_of_this_environment_gets_into_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "secret")
    assert "PULUMI_CONFIG_PASSPHRASE" not in container().environment()


HYBRID = """\
30 1 0:1 / /sys/fs/cgroup rw - tmpfs tmpfs rw
31 30 0:2 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
32 30 0:3 / /sys/fs/cgroup/systemd rw,nosuid shared:1 - cgroup cgroup rw,name=systemd
33 30 0:4 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""
UNIFIED = "31 30 0:2 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"


def test_hierarchies_of_both_layouts() -> None:
    assert hierarchies(HYBRID) == {
        "systemd": Path("/sys/fs/cgroup/systemd"),
        "unified": Path("/sys/fs/cgroup/unified"),
    }
    assert hierarchies(UNIFIED) == {"unified": Path("/sys/fs/cgroup")}
    assert hierarchies("") == {}


@pytest.mark.parametrize(
    ("numbers", "depth", "expected"),
    [("4711 1", 1, True), ("4711 17", 1, False), ("4711 40 1", 1, False), ("4711 40 1", 2, True), ("1", 1, False)],
)
def test_a_servers_init_is_number_one_exactly_one_level_down(numbers: str, depth: int, expected: bool) -> None:
    status = "Name:\tsystemd\nNSpid:\t" + numbers.replace(" ", "\t") + "\n"
    assert is_container_init(status, depth) is expected


def test_the_depth_of_process_namespaces() -> None:
    assert namespace_depth("NSpid:\t4\t1\n") == 2
    assert namespace_depth("Name:\tx\n") == 1


CHAINS: dict[str, Any] = {
    "nftables": [
        {"metainfo": {}},
        {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "hook": "forward", "policy": "drop"}},
        {"chain": {"family": "ip", "table": "filter", "name": "INPUT", "hook": "input", "policy": "drop"}},
        {"chain": {"family": "inet", "table": "fw", "name": "fwd", "hook": "forward", "policy": "accept"}},
        {"chain": {"family": "bridge", "table": "b", "name": "f", "hook": "forward", "policy": "drop"}},
        {"rule": {"family": "ip", "table": "filter", "chain": "FORWARD", "handle": 7, "comment": "codesensei_1"}},
        {"rule": {"family": "ip", "table": "filter", "chain": "FORWARD", "handle": 8, "comment": "codesensei_2"}},
        {"rule": {"family": "ip", "table": "filter", "chain": "FORWARD", "handle": 9}},
    ]
}


def test_only_chains_that_drop_what_is_forwarded_need_a_rule() -> None:
    assert dropping_chains(CHAINS) == [("ip", "filter", "FORWARD")]


def test_only_own_rules_are_taken_back() -> None:
    assert own_rules(CHAINS, Names("1")) == [("ip", "filter", "FORWARD", 7)]


def test_the_table_masquerades_only_what_leaves_the_subnet() -> None:
    subnet = ipaddress.IPv4Network("198.18.3.0/24")
    assert f"ip saddr {subnet} ip daddr != {subnet} masquerade" in ruleset(Names("1"), subnet)


def test_the_network_file_has_both_addresses_and_no_dhcp() -> None:
    subnet = ipaddress.IPv4Network("198.18.3.0/24")
    text = Address(subnet[10], subnet, ipaddress.IPv6Address("fd00::a")).network_file()
    assert "Address=198.18.3.10/24" in text
    assert "Gateway=198.18.3.1" in text
    assert "Address=fd00::a/64" in text
    assert "DHCP=no" in text


@pytest.mark.parametrize(
    ("record", "held", "expected"),
    [
        (RECORD, False, False),
        (RECORD, True, False),
        (replace(RECORD, status=CREATING), False, True),
        (replace(RECORD, status=CREATING), True, False),
        (replace(RECORD, status=CHANGING), False, True),
        (None, False, True),
        (None, True, False),
    ],
)
def test_leftovers(record: Record | None, held: bool, expected: bool) -> None:
    assert is_leftover(record, held) is expected


def test_a_lock_is_seen_while_it_is_held_and_not_longer(tmp_path: Path) -> None:
    lock = tmp_path / "locks" / "web.lock"
    assert not is_held(lock)
    with hold(lock, 1.0):
        assert is_held(lock)
        with pytest.raises(SandboxError, match="Another run holds"), hold(lock, 0.0):
            pass
    assert not is_held(lock)


def test_records_survive_and_numbers_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.sandbox.state.STATE", tmp_path)
    checkout = Checkout(Path("/some/checkout"))
    assert checkout.server_names() == []
    checkout.server_directory("web").mkdir(parents=True)
    assert checkout.read("web") is None
    checkout.write(RECORD)
    assert checkout.read("web") == RECORD
    assert checkout.mark(RECORD, CHANGING).status == CHANGING
    assert checkout.next_number() == 11
    assert checkout.next_number() == 12


def test_an_images_key_follows_what_it_is_made_from() -> None:
    plain = Image(13, "plain", INHERITED)
    assert plain.key == Image(13, "plain", INHERITED).key
    others = [
        Image(12, "plain", INHERITED),
        Image(13, "cloud", INHERITED),
        Image(13, "plain", replace(INHERITED, mirror="http://n/d")),
        Image(13, "plain", replace(INHERITED, certificates=(("ca.crt", b"2"),))),
        Image(13, "plain", replace(INHERITED, apt_options='Acquire::Check-Date "false";\n')),
    ]
    assert len({image.key for image in (plain, *others)}) == len(others) + 1
    assert Image(13, "plain", replace(INHERITED, resolv_conf="")).key == plain.key


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODESENSEI_CACHE", "/big/disk")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_directory() == Path("/big/disk/sandbox")
    monkeypatch.delenv("CODESENSEI_CACHE")
    assert cache_directory() == Path("/xdg/codesensei/sandbox")


def test_packages_are_shared_without_being_copied(tmp_path: Path) -> None:
    first, second, downloads = tmp_path / "first", tmp_path / "second", tmp_path / "downloads"
    archives = first / "var/cache/apt/archives"
    (archives / "partial").mkdir(parents=True)
    (archives / "a_1_amd64.deb").write_bytes(b"package")
    (archives / "partial/b_1_amd64.deb").write_bytes(b"pack")
    harvest_packages(first, downloads)
    harvest_packages(first, downloads)
    seed_packages(downloads, second)
    seeded = second / "var/cache/apt/archives/a_1_amd64.deb"
    assert seeded.samefile(archives / "a_1_amd64.deb")
    assert [path.name for path in downloads.iterdir()] == ["a_1_amd64.deb"]


def test_layers_that_something_stands_on_are_kept() -> None:
    assert Layers(5, [3], {"a": [1], "b": [4, 3]}).referred() == {1, 3, 4}


def test_snapshots_of_a_copied_server(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "web", tmp_path / "image", "copy")
    (tmp_path / "image/usr").mkdir(parents=True)
    storage.attach()
    file = storage.root / "usr/file"
    file.write_text("one")
    storage.save("a")
    file.write_text("two")
    storage.save("b")
    storage.put_back("a")
    assert file.read_text() == "one"
    storage.put_back("b")
    assert file.read_text() == "two"
    with pytest.raises(SandboxError, match=r"no snapshot 'c' of web \(there is: a, b\)"):
        storage.put_back("c")


def test_a_label_used_again_frees_the_old_copy(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "web", tmp_path / "image", "copy")
    (tmp_path / "image/usr").mkdir(parents=True)
    storage.attach()
    storage.save("a")
    storage.save("a")
    assert [path.name for path in (tmp_path / "web/layers").iterdir()] == ["2"]


def test_a_private_file_is_never_readable_by_others(tmp_path: Path) -> None:
    write(tmp_path, "home/key", "x", 0o600, os.getuid())
    assert (tmp_path / "home/key").stat().st_mode & 0o777 == 0o600


def test_every_file_of_the_cloud_kind_has_a_place() -> None:
    assert {path.name for path in (FILES / "cloud").iterdir()} == set(CLOUD_FILES)
