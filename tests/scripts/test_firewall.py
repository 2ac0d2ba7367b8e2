"""Which ports the step `proxy` opens in ufw."""

from __future__ import annotations

import pytest

from codesensei.scripts.steps.proxy import closed_ports

STATUS = """Status: active
Logging: on (low)
Default: deny (incoming), allow (outgoing), disabled (routed)
New profiles: skip

To                         Action      From
--                         ------      ----
22/tcp (OpenSSH)           ALLOW IN    Anywhere
{rule}
22/tcp (OpenSSH (v6))      ALLOW IN    Anywhere (v6)
"""


@pytest.mark.parametrize(
    ("rule", "ports"),
    [
        ("", ["80", "443"]),
        ("80,443/tcp (Nginx Full)    ALLOW IN    Anywhere", []),
        ("80/tcp                     DENY IN     Anywhere", ["443"]),
        ("80/tcp                     ALLOW IN    10.0.0.0/8", ["443"]),
        ("8080/tcp                   ALLOW IN    Anywhere", ["80", "443"]),
        ("10.0.0.80 22/tcp           ALLOW IN    10.0.0.443", ["80", "443"]),
    ],
)
def test_a_port_that_no_rule_speaks_of_is_opened(rule: str, ports: list[str]) -> None:
    assert closed_ports(STATUS.format(rule=rule)) == ports


@pytest.mark.parametrize("status", ["Status: inactive\n", STATUS.replace("deny (incoming)", "allow (incoming)"), ""])
def test_nothing_is_opened_where_nothing_is_closed(status: str) -> None:
    assert closed_ports(status) == []
