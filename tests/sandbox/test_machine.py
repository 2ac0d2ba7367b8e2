"""What this machine has, lacks and passes on to its servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.sandbox import machine

ALL = "Name:\tx\nCapEff:\t000001fffeffffff\n"
NO_SYS_ADMIN = "Name:\tx\nCapEff:\t00000000a80425fb\n"


def test_a_machine_that_can() -> None:
    assert machine.why_not_here("Linux", 0, ALL) is None


@pytest.mark.parametrize(
    ("system", "uid", "status", "says"),
    [("Darwin", 0, "", "need Linux"), ("Linux", 1000, ALL, "need root"), ("Linux", 0, NO_SYS_ADMIN, "CAP_SYS_ADMIN")],
)
def test_a_machine_that_cannot_is_told_the_fix(system: str, uid: int, status: str, says: str) -> None:
    reason = machine.why_not_here(system, uid, status)
    assert reason is not None
    assert says in reason
    assert "make demo SERVER=user@host" in reason
    assert "\n" not in reason


def test_missing_packages_are_named_once(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.touch()
    required = {"no-such-program-1": "b", "no-such-program-2": "b", "/no/such/file": "a", "sh": "c", str(there): "d"}
    assert machine.missing_packages(required) == ["a", "b"]


DEB822 = """\
Types: deb deb-src
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
URIs: https://other.example/x
Suites: stable
Enabled: no
"""


def test_deb822_sources() -> None:
    found = list(machine.parse_deb822_sources(DEB822))
    assert found == [
        machine.Source("http://mirror.example/debian", "bookworm"),
        machine.Source("http://mirror.example/debian", "bookworm-updates"),
        machine.Source("http://mirror.example/debian-security", "bookworm-security"),
    ]


def test_one_line_sources() -> None:
    text = (
        "# deb http://no/ x main\ndeb [arch=amd64 signed-by=/k] https://m.example/debian trixie main\ndeb-src x y z\n"
    )
    assert list(machine.parse_one_line_sources(text)) == [machine.Source("https://m.example/debian", "trixie")]


def test_only_the_directories_files_with_a_known_suffix_count(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/a.sources").write_text(DEB822)
    (tmp_path / "sources.list.d/b.list.disabled").write_text("deb http://no.example/ bookworm main\n")
    assert "http://no.example/" not in {source.uri for source in machine.machine_sources(tmp_path)}
    assert len(machine.machine_sources(tmp_path)) == 3


def test_mirrors_are_those_of_the_machines_own_release() -> None:
    sources = [
        machine.Source("https://other.example/x", "stable"),
        machine.Source("http://m.example/debian/", "bookworm"),
        machine.Source("http://m.example/security", "bookworm-security"),
    ]
    assert machine.mirrors(sources, "bookworm") == ("http://m.example/debian", "http://m.example/security")


@pytest.mark.parametrize("sources", [[], [machine.Source("cdrom:[x]", "bookworm")]])
def test_without_a_usable_mirror_it_is_debians_own(sources: list[machine.Source]) -> None:
    assert machine.mirrors(sources, "bookworm") == (machine.DEFAULT_MIRROR, machine.DEFAULT_SECURITY_MIRROR)


def test_server_sources_have_updates_and_security() -> None:
    found = list(machine.parse_deb822_sources(machine.server_sources("http://m/d", "http://m/s", "trixie")))
    assert found == [
        machine.Source("http://m/d", "trixie"),
        machine.Source("http://m/d", "trixie-updates"),
        machine.Source("http://m/s", "trixie-security"),
    ]


def test_only_options_about_reaching_the_mirror_are_taken_over() -> None:
    dump = 'Acquire::http::Proxy "http://p:3128";\nDPkg::Post-Invoke:: "rm x";\nAcquire::Check-Date "false";\n'
    assert machine.server_apt_options(dump) == 'Acquire::http::Proxy "http://p:3128";\nAcquire::Check-Date "false";\n'


def test_a_stub_resolver_is_passed_over(tmp_path: Path) -> None:
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("nameserver 127.0.0.53\nsearch example\n")
    real.write_text("# written by x\nnameserver 192.0.2.1\nnameserver ::1\nsearch example\n")
    assert machine.resolver([stub, real]) == "nameserver 192.0.2.1\nsearch example\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://127.0.0.1:3128", True),
        ("nameserver ::1", True),
        ("http://localhost/", True),
        ("http://user@localhost:1", True),
        ("http://10.0.0.1:3128", False),
        ("http://localhost.example:3128", False),
        ("nameserver fd00::1", False),
    ],
)
def test_loopback(text: str, expected: bool) -> None:
    assert machine.is_loopback(text) is expected


def test_the_environment_of_servers() -> None:
    variables = {"http_proxy": "http://p:1", "https_proxy": "http://127.0.0.1:2", "SECRET": "x"}
    assert machine.environment_file(False, variables) == 'http_proxy="http://p:1"\n'
    trusting = machine.environment_file(True, {})
    assert 'SSL_CERT_FILE="/etc/ssl/certs/ca-certificates.crt"' in trusting
    assert 'UV_NATIVE_TLS="1"' in trusting
