"""Root reads an env file as the two others do: what the operator's side wrote comes back."""

from __future__ import annotations

import random
from pathlib import Path

from codesensei.render import envfile as written
from codesensei.scripts.base import envfile

HOSTILE = "\\'\"$`#%\n\r\t ~!=&<>|;()é\U0001f511aA0"


def test_random_values_come_back() -> None:
    chance = random.Random(7)
    for _ in range(300):
        values = {f"NAME_{n}": "".join(chance.choices(HOSTILE, k=chance.randint(0, 40))) for n in range(8)}
        text = written.render(values)
        assert envfile.parse(text) == written.parse(text)


def test_verbatim_words_lose_their_quotes() -> None:
    text = '# a comment\nA=\'bar < baz\'\nB="two words"\nC="a \\"b\\" \\$c \\\\"\n'
    assert envfile.parse(text) == {"A": "bar < baz", "B": "two words", "C": 'a "b" $c \\'}


def test_assignments_keep_what_is_written() -> None:
    assert envfile.assignments("A='x'\nB=\"y\nz\"\n") == {"A": "'x'", "B": '"y\nz"'}


def test_carriage_returns_are_read_as_they_are(tmp_path: Path) -> None:
    """Else `manage` and the filter would know another value than the processes."""
    value = "one\r\ntwo\rthree\n"
    (tmp_path / "x.env").write_bytes(written.render({"A": value}).encode())
    assert envfile.parse(envfile.read(tmp_path / "x.env")) == {"A": value}
