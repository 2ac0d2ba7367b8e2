"""Which engines are accepted as they are."""

from __future__ import annotations

import pytest

from tools.engine import versions


@pytest.mark.parametrize(
    ("said", "accepted"),
    [
        ("v3.270.0\n", True),
        ("v3.274.1\n", True),
        ("3.999.0", True),
        ("v3.290.0-alpha.1700000000\n", True),
        ("v3.269.9\n", False),
        ("v4.0.0\n", False),
        ("v2.270.0", False),
        ("v3", False),
        ("", False),
        ("not a version", False),
    ],
)
def test_range(said: str, accepted: bool) -> None:
    """An engine is accepted from 3.270 up to, and without, 4."""
    assert versions.in_range(said) is accepted


def test_pinned_version_is_in_range() -> None:
    """What is installed is accepted."""
    assert versions.in_range(versions.ENGINE)


def test_parse() -> None:
    """A version is found inside what a tool prints; a missing third part is zero."""
    assert versions.parse_version("go version go1.26.6 linux/amd64") == (1, 26, 6)
    assert versions.parse_version("go version go1.27 linux/amd64") == (1, 27, 0)
    assert versions.parse_version("go version devel") is None
