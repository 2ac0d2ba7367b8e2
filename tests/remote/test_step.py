"""The line of a step: its form, its quoting, and its number."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import yaml

from codesensei.config.server import ServerConfig
from codesensei.remote import Access, Look
from codesensei.remote.state import parted
from codesensei.remote.step import line_of
from codesensei.wire.codec import to_text
from codesensei.wire.steps import BUILD, PREFLIGHT, SWITCH, StepKind

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeg8v5YoCtgoPJ83jBCs53tPoFqv/okNt4s5bQHsXEI"
RUN = "/usr/local/lib/codesensei/shop/run"


@dataclass(frozen=True, kw_only=True)
class Example:
    """Data of a step."""

    a: str


def access(user: str = "root", **repairs: int) -> Access:
    server = ServerConfig.model_validate({"host": "203.0.113.7", "user": user, "hostKey": KEY})
    return Access(server, "shop", "agent.sock", Look(repairs))


@pytest.mark.parametrize(
    ("user", "step", "args", "repair", "line"),
    [
        ("root", PREFLIGHT, [], 0, f"{RUN} preflight 1"),
        ("admin", PREFLIGHT, [], 0, f"sudo -n {RUN} preflight 1"),
        ("root", BUILD, ["4f2a9c1-8be", "9c1e"], 0, f"{RUN} build 1 4f2a9c1-8be 9c1e"),
        ("root", SWITCH, ["a", "b"], 7, f"{RUN} switch 1 a b repair=7"),
        ("root", BUILD, ["it's; rm -rf /"], 0, f"{RUN} build 1 'it'\"'\"'s; rm -rf /'"),
        ("root", BUILD, ["$(id)", ""], 0, f"{RUN} build 1 '$(id)' ''"),
    ],
)
def test_lines(user: str, step: StepKind[object], args: list[str], repair: int, line: str) -> None:
    assert line_of(access(user, **{step.name: repair}), step, args) == line
    words = shlex.split(line)[2 + (user != "root") * 2 :]
    assert parted(words) == (["1", *args], repair)


@pytest.mark.parametrize(
    ("words", "number"),
    [(["switch", "1", "a", "repair=7"], 7), (["switch", "1", "a", "mend=3"], 3), (["switch", "1", "a"], 0)],
)
def test_the_number_of_a_line_is_no_word_of_it_also_under_its_earlier_name(words: Sequence[str], number: int) -> None:
    assert parted(words) == (["switch", "1", "a"], number)


@pytest.mark.parametrize("text", [to_text(Example(a="1")), to_text(Example(a="x\ny"))])
def test_the_engine_takes_it_for_text(text: str) -> None:
    """What it can read as an object it shows whole, however little of it changed."""
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(text)
    try:
        found = next(iter(yaml.safe_load_all(text)))
    except yaml.YAMLError:
        return
    assert not isinstance(found, dict | list)
