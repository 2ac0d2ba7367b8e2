"""Each attack of docs/SECURITY.md names a test that is there; what has none is told below the table."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.docs.pages import CHECKOUT

PAGE = CHECKOUT / "docs/SECURITY.md"
ATTACKERS = ("user", "stack", "code", "visitor", "repository", "stack file", "network")


@dataclass(frozen=True)
class Attack:
    """One row of the tables."""

    number: int
    who: str
    what: str
    happens: str
    test: str


def attacks() -> Iterator[Attack]:
    """The rows, each with the heading of its table."""
    who = ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("#"):
            who = line.strip("# ")
        elif found := re.fullmatch(r"\| (\d+) \| (.+) \| (.+) \| `(.+)` \|", line):
            yield Attack(int(found[1]), who, found[2], found[3], found[4])


@pytest.mark.proves("docs.security")
@pytest.mark.parametrize("attack", [*attacks()], ids=lambda attack: str(attack.number))
def test_the_test_of_an_attack_is_there(attack: Attack) -> None:
    file, _, name = attack.test.partition("::")
    tree = ast.parse((CHECKOUT / file).read_text())
    assert name.startswith("test_")
    assert name in {item.name for item in ast.walk(tree) if isinstance(item, ast.FunctionDef)}


@pytest.mark.proves("docs.security")
def test_the_tables_are_whole() -> None:
    """Every row that looks like one is read, under its own number."""
    found = list(attacks())
    assert [attack.number for attack in found] == list(range(1, len(found) + 1))
    assert len(found) >= 60
    rows = [line for line in PAGE.read_text().splitlines() if re.match(r"\| \d", line)]
    assert len(rows) == len(found)
    assert len({(attack.who, attack.what) for attack in found}) == len(found)
    for attacker in ATTACKERS:
        assert any(attacker in attack.who for attack in found), attacker
