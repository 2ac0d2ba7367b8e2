"""Directives of systemd, and what is left of them when a stack loosens some."""

from __future__ import annotations

import pytest

from codesensei.wire import sandbox

SHARED = "/srv/codesensei/shop/shared"


@pytest.mark.proves("processes.sandbox")
def test_nothing_is_loose_by_itself() -> None:
    found = sandbox.directives({}, [SHARED])
    assert found == {"ReadWritePaths": SHARED, **sandbox.DIRECTIVES}
    assert (found["ProtectSystem"], found["NoNewPrivileges"], found["CapabilityBoundingSet"]) == ("strict", "yes", "")


@pytest.mark.proves("processes.loosened")
@pytest.mark.parametrize(
    ("name", "words", "value"),
    [
        ("PrivateDevices", (), None),
        ("CapabilityBoundingSet", (), None),
        ("ReadWritePaths", ("/mnt/x", "/y"), f"{SHARED} /mnt/x /y"),
        ("ProtectSystem", ("full",), "full"),
        ("ProtectHome", ("read-only",), "read-only"),
        ("RestrictNamespaces", ("user", "pid"), "user pid"),
        ("RestrictAddressFamilies", ("AF_PACKET",), "AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET"),
        ("SystemCallFilter", ("@mount",), "@system-service @mount"),
    ],
)
def test_one_is_loosened_and_no_other(name: str, words: tuple[str, ...], value: str | None) -> None:
    usual, found = sandbox.directives({}, [SHARED]), sandbox.directives({name: words}, [SHARED])
    assert found.get(name) == value
    assert {key: text for key, text in found.items() if key != name} == {
        key: text for key, text in usual.items() if key != name
    }


@pytest.mark.proves("processes.loosened")
def test_more_privileges_need_more_than_one_directive() -> None:
    """systemd of Debian 12 has each of them imply it, and the key alone would do nothing there."""
    found = sandbox.directives({"NoNewPrivileges": ()}, [SHARED])
    assert found.keys() == {"ReadWritePaths", *sandbox.DIRECTIVES} - sandbox.WITH_PRIVILEGES
    assert found["ProtectSystem"] == "strict"


@pytest.mark.proves("processes.loosened")
def test_what_is_loosened_can_be_used() -> None:
    """ProtectSystem=strict would keep the server's own /tmp read-only, and ProtectHome=yes drops a path below /home."""
    open_tmp = sandbox.directives({"PrivateTmp": ()}, [SHARED])
    assert "PrivateTmp" not in open_tmp
    assert open_tmp["ReadWritePaths"] == f"{SHARED} /tmp /var/tmp"
    home = {"ReadWritePaths": ("/home/deploy/x",)}
    assert sandbox.directives(home, [SHARED])["ProtectHome"] == "read-only"
    assert "ProtectHome" not in sandbox.directives({**home, "ProtectHome": ()}, [SHARED])


@pytest.mark.proves("processes.places")
def test_a_unit_is_opened_in_its_own_line() -> None:
    text = f"ReadWritePaths={SHARED} /mnt/x\nProtectHome=yes\nExecStart=/x\n"
    assert sandbox.opened(text, ["/opt/y"]) == text.replace(f"{SHARED} ", f"{SHARED} -/opt/y ")
    assert "ProtectHome=read-only\n" in sandbox.opened(text, ["/home/deploy/x"])
    assert sandbox.opened("RestrictSUIDSGID=yes\nRemoveIPC=yes\n", [], sets_id=True) == "RemoveIPC=yes\n"
    assert sandbox.opened("[Socket]\n", ["/home/deploy/x"]) == "[Socket]\n"
