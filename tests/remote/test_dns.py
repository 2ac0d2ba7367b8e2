"""What is said of a hostname that comes, from what DNS answers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from codesensei.remote import dns
from codesensei.remote.dns import NO_RECORD, NOT_KNOWN, remarks

pytestmark = pytest.mark.proves("story.site.dns")
NAME, SERVER = "www.shop.example.com", "203.0.113.7"
NONE = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
AGAIN = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


class Resolver:
    """Answers from a table; a name that is not in it has no record."""

    def __init__(self) -> None:
        self.records: dict[str, tuple[str, ...] | Exception] = {SERVER: (SERVER,), "10.1.2.3": ("10.1.2.3",)}
        self.asked: list[str] = []
        self.hangs: set[str] = set()
        self.released = threading.Event()

    def getaddrinfo(self, name: str, *_: Any, **__: Any) -> list[Any]:
        self.asked.append(name)
        if name in self.hangs:
            self.released.wait()
        found = self.records.get(name, NONE)
        if isinstance(found, Exception):
            raise found
        return [(0, 0, 0, "", (address, 0)) for address in found]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    made = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", made.getaddrinfo)
    yield made
    made.released.set()


@pytest.mark.parametrize(
    ("records", "host", "remark"),
    [
        ((SERVER,), SERVER, None),
        (("203.0.113.9", SERVER), SERVER, None),
        (NONE, SERVER, NO_RECORD),
        ((), SERVER, NO_RECORD),
        (AGAIN, SERVER, NOT_KNOWN),
        (OSError("broken"), SERVER, NOT_KNOWN),
        (UnicodeError("label too long"), SERVER, NOT_KNOWN),
        (("203.0.113.9",), SERVER, "leads to 203.0.113.9, not to the server"),
        (("203.0.113.9", "203.0.113.8", "2001:db8::1"), SERVER, "leads to 203.0.113.8, 203.0.113.9, not to the server"),
        # The server may well have this address, too.
        (("2001:db8::1",), SERVER, None),
        # Visitors come by another address.
        (("203.0.113.9",), "10.1.2.3", None),
        (NONE, "10.1.2.3", NO_RECORD),
        (("203.0.113.9",), "server.example.com", "leads to 203.0.113.9, not to the server"),
        (("203.0.113.5",), "server.example.com", None),
        (("fe80::1%eth0",), "v6.example.com", "leads to fe80::1, not to the server"),
        (("203.0.113.9",), "unknown.example.com", None),
    ],
)
def test_where_a_hostname_leads(records: Any, host: str, remark: str | None, resolver: Resolver) -> None:
    resolver.records |= {NAME: records, "server.example.com": ("203.0.113.5",), "v6.example.com": ("2001:db8::7",)}
    assert remarks([NAME], host) == ({NAME: remark} if remark else {})


def test_of_a_pattern_a_name_below_it_is_asked(resolver: Resolver) -> None:
    resolver.records["codesensei-probe.example.com"] = (SERVER,)
    assert remarks(["*.example.com"], SERVER) == {}
    assert remarks(["*.example.org"], SERVER) == {"*.example.org": NO_RECORD}


def test_nothing_is_asked_where_no_name_comes(resolver: Resolver) -> None:
    assert remarks([], SERVER) == remarks([SERVER, "[2001:db8::1]"], SERVER) == {}
    assert resolver.asked == []


@pytest.mark.slow
def test_it_is_bounded_and_one_name_does_not_wait_for_another(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns, "SECONDS", 0.5)
    names = [f"{number}.example.com" for number in range(10)]
    resolver.hangs = {*names}
    resolver.records[NAME] = ("203.0.113.9",)
    started = time.monotonic()
    found = remarks([*names, NAME], SERVER)
    assert time.monotonic() - started < 2
    assert found == {**dict.fromkeys(names, NOT_KNOWN), NAME: "leads to 203.0.113.9, not to the server"}
