"""What pgBackRest's configuration file holds; tests/host/test_s3.py asks pgBackRest itself."""

from __future__ import annotations

import pytest

from codesensei.wire import ini

# Each is read back as it stands.
HELD = [
    "plain",
    "=",
    "a=b",
    "#a",
    "a#b",
    "a # b",
    ";a",
    "[a]",
    "a]",
    '"a"',
    "'a'",
    "a'b",
    "\\",
    "a\\",
    "\\n",
    "$HOME",
    "${a}",
    "`id`",
    "$(id)",
    "%",
    "%p",
    "a b",
    "a  b",
    "a\tb",
    "a\x01b",
    "a,b",
    "a:b",
    "é",
    "日本",
    "null",
    "{}",
    "x" * 5000,
]


@pytest.mark.proves("continuous.written")
@pytest.mark.parametrize("value", HELD)
def test_what_is_held_stands_for_itself(value: str) -> None:
    assert ini.refusal(value) == ""
    assert ini.render({"global": {"a": value, "b": 7}, "shop": {"c": "d"}}) == (
        f"[global]\na={value}\nb=7\n\n[shop]\nc=d\n"
    )


@pytest.mark.proves("continuous.written")
@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "is empty"),
        (" ", "begins or ends with a blank"),
        (" a", "begins or ends with a blank"),
        ("a\t", "begins or ends with a blank"),
        ("a\r", "begins or ends with a blank"),
        ("a\n", "begins or ends with a blank"),
        ("a\nrepo1-path=/elsewhere", "has a line break or a NUL character"),
        ("a\0b", "has a line break or a NUL character"),
    ],
)
def test_what_cannot_be_held_is_refused_without_its_text(value: str, why: str) -> None:
    with pytest.raises(ini.IniError) as refused:
        ini.render({"global": {"repo1-cipher-pass": value}})
    assert str(refused.value) == f"repo1-cipher-pass {why}"
