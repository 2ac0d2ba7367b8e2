"""What a frozen dataclass of ours does as Python's own, and that every frozen one is ours."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Callable
from dataclasses import field
from typing import Any

import pytest

from codesensei.wire import quick
from tools.contract import CHECKOUT


def make(decorator: Any) -> tuple[type[Any], type[Any]]:
    """The same two classes, by Python's decorator or by ours."""

    @decorator(frozen=True)
    class Door:
        name: str
        secret: str = field(default="", repr=False)
        note: str = field(default="", compare=False)
        places: list[str] = field(default_factory=list)

        def __str__(self) -> str:
            return self.name

    @decorator(frozen=True, kw_only=True)
    class House(Door):
        rooms: int
        height: float = 2.5

    return Door, House


THEIRS, OURS = make(dataclasses.dataclass), make(quick.dataclass)
USES: dict[str, Callable[[type[Any], type[Any]], object]] = {
    "a positional argument": lambda door, _: door("front").name,
    "a default": lambda door, _: door("front").secret,
    "a default of each one's own": lambda door, _: door("a").places is door("a").places,
    "inherited fields": lambda _, house: vars(house("front", rooms=3)),
    "str": lambda door, _: str(door("front")),
    "repr": lambda door, house: repr([door("front", "hidden"), house("back", rooms=2)]),
    "equal": lambda door, _: (
        door("a", "x") == door("a", "x"),
        door("a") == door("b"),
        door("a", "x") == door("a", "y"),
    ),
    "equal but for what is not compared": lambda door, _: door("a", note="x") == door("a", note="y"),
    "another class": lambda door, house: door("a") == house("a", rooms=0),
    "no dataclass": lambda door, _: door("a") == "a",
    "replace": lambda door, house: repr(dataclasses.replace(house("a", rooms=1), rooms=2)).replace(
        "make.<locals>.", ""
    ),
    "fields": lambda _, house: [(each.name, each.kw_only) for each in dataclasses.fields(house)],
    "as a dict": lambda _, house: dataclasses.asdict(house("a", rooms=1)),
    "match": lambda _, house: house.__match_args__,
    "hash": lambda door, _: hash(door("a", places=())) == hash(door("a", note="x", places=())),
    "no hash": lambda door, _: hash(door("a")),
    "nothing given": lambda door, _: door(),
    "an unknown name": lambda door, _: door("a", colour="red"),
    "too many": lambda door, _: door("a", "b", "c", [], "e"),
    "the same twice": lambda door, _: door("a", name="b"),
    "a name needed": lambda _, house: house("a"),
    "assigned": lambda door, _: setattr(door("a"), "name", "b"),
    "another name assigned": lambda door, _: setattr(door("a"), "other", "b"),
    "deleted": lambda door, _: delattr(door("a"), "name"),
}


@pytest.mark.parametrize("use", USES)
def test_it_does_what_python_s_own_does(use: str) -> None:
    """The same result, or an error of the same kind."""

    def tried(classes: tuple[type[Any], type[Any]]) -> object:
        try:
            return USES[use](*classes)
        except (TypeError, AttributeError) as error:
            return type(error)

    assert tried(OURS) == tried(THEIRS)


def test_one_that_is_not_frozen_is_python_s_own() -> None:
    """It can be changed."""

    @quick.dataclass
    class Step:
        changes: int = 0

    step = Step()
    step.changes += 1
    assert step == Step(1)


def test_every_frozen_one_is_ours() -> None:
    """Each other one would make every start of Python slower."""
    words = ["git", "grep", "--untracked", "-lE", r"^ *@dataclass\(frozen=True", "--", "codesensei", "components"]
    files = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout.split()
    assert len(files) > 80
    theirs = [name for name in files if "from dataclasses import dataclass" in (CHECKOUT / name).read_text()]
    assert theirs == []
