"""Whether ufw limits SSH from the machine that deploys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import host, limited
from codesensei.wire import paths

LIMIT = "limit tcp 22 0.0.0.0/0 any 0.0.0.0/0 in"
LIMIT_6 = "limit tcp 22 ::/0 any ::/0 in"


@pytest.fixture
def ufw(server: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """ufw with these rules; the program has connected from `client`."""
    folder = paths.SERVER.ufw

    def has(*rules: str, client: str = "203.0.113.9", port: int = 22, enabled: str = "yes") -> str:
        monkeypatch.setattr(host, "ssh_connection", lambda: host.Connection(client, port))
        (folder / "ufw.conf").write_text(f"# a comment\nENABLED={enabled}\n")
        for name, sixth in (("user.rules", False), ("user6.rules", True)):
            own = [rule for rule in rules if ("::" in rule) == sixth]
            text = "".join(f"\n### tuple ### {rule}\n-A ufw-user-input -j ACCEPT\n" for rule in own)
            (folder / name).write_text(f"*filter\n{text}COMMIT\n")
        found = limited.finding()
        return found.fix if found else ""

    return has


@pytest.mark.proves("look.limited")
@pytest.mark.parametrize(
    "rule",
    [
        LIMIT,
        "limit tcp 22 0.0.0.0/0 any 0.0.0.0/0 OpenSSH - in",
        "limit_log any any 0.0.0.0/0 any 203.0.113.0/24 in",
        "limit tcp 20:25 0.0.0.0/0 any 0.0.0.0/0 in_eth0",
        "limit tcp 80,22 0.0.0.0/0 any 0.0.0.0/0 in",
    ],
)
def test_a_limit_is_told_with_the_rule_that_goes_before_it(ufw: Any, rule: str) -> None:
    assert ufw(rule) == "on the server: ufw insert 1 allow proto tcp from 203.0.113.9 to any port 22"


@pytest.mark.proves("look.limited")
def test_a_limit_for_ipv6(ufw: Any) -> None:
    assert ufw(LIMIT_6) == ""
    assert ufw(LIMIT_6, client="2001:db8::9").endswith("from 2001:db8::9 to any port 22")


@pytest.mark.proves("look.limited")
@pytest.mark.parametrize(
    "rules",
    [
        ("allow tcp 22 0.0.0.0/0 any 203.0.113.9 in", LIMIT),
        ("allow any any 0.0.0.0/0 any 203.0.113.0/24 in", LIMIT),
        ("allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in",),
        ("limit tcp 2222 0.0.0.0/0 any 0.0.0.0/0 in",),
        ("limit udp 22 0.0.0.0/0 any 0.0.0.0/0 in",),
        ("limit tcp 22 0.0.0.0/0 any 198.51.100.0/24 in",),
        ("limit tcp 22 0.0.0.0/0 any 0.0.0.0/0 out",),
        ("not a rule",),
    ],
)
def test_what_does_not_limit_the_program(ufw: Any, rules: tuple[str, ...]) -> None:
    assert ufw(*rules) == ""


@pytest.mark.proves("look.limited")
def test_no_ufw_or_no_connection(ufw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ufw(LIMIT, enabled="no") == ""
    assert ufw(LIMIT)
    monkeypatch.setattr(host, "ssh_connection", lambda: None)
    assert limited.finding() is None
