"""What PostgreSQL's configuration files hold; tests/host/test_s3.py asks PostgreSQL itself."""

from __future__ import annotations

import pytest

from codesensei.scripts.postgres import conf

QUOTED = {
    "": "''",
    "plain": "'plain'",
    " a ": "' a '",
    "it's": "'it''s'",
    "''": "''''''",
    "\\": r"'\\'",
    "\\'": r"'\\'''",
    "\\n": r"'\\n'",
    "a\nb": r"'a\nb'",
    "a\rb": r"'a\rb'",
    "a\tb": "'a\tb'",
    "#": "'#'",
    '"a"': "'\"a\"'",
    "$a `b` %p": "'$a `b` %p'",
    "é日本": "'é日本'",
}


@pytest.mark.proves("continuous.written")
@pytest.mark.parametrize(("value", "text"), QUOTED.items())
def test_values(value: str, text: str) -> None:
    assert conf.quote(value) == text


@pytest.mark.proves("continuous.written")
def test_what_no_file_holds_and_a_command_s_percent_signs() -> None:
    with pytest.raises(ValueError, match="NUL"):
        conf.quote("a\0b")
    assert conf.command("a %p %% b") == "a %%p %%%% b"
