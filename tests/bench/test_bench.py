"""What is read of a deploy's own words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from codesensei.scripts.release import phases
from codesensei.scripts.release.phases import describe
from tools.bench import product
from tools.bench.product import Product
from tools.bench.tool import ToolError

STEPS = {"build": 7.5, "environment": 0.2}


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> str:
    """What the product itself says of a deploy."""
    runs = {name: SimpleNamespace(seconds=seconds, result="changed") for name, seconds in STEPS.items()}
    monkeypatch.setattr(phases, "_steps", lambda _: runs)
    release: Any = SimpleNamespace(record=SimpleNamespace(seconds={"code": 1.5, "packages": 6.0}))
    project: Any = None
    return describe(project, release, {"web": 1.5, "workers": 2.5})


@pytest.mark.parametrize("result", ["created (9s)", "updated (9s) [diff: ~create,stdin];"])
def test_the_phases_of_a_deploy_are_read_as_it_says_them(words: str, result: str) -> None:
    output = f" ~  command:remote:Command shop-switch updating (8s) {words}\n ~  Command shop-switch {result} {words}\n"
    assert product.phases(output) == {
        "build code": 1.5,
        "build packages": 6.0,
        "environment": 0.2,
        "switch web": 1.5,
        "switch workers": 2.5,
    }
    assert product.phases(" ~  command:remote:Command shop-switch updated (1s) unchanged: x is live\n") == {}


def test_a_deploy_that_switches_to_nothing_is_no_sample() -> None:
    made: Any = Product.__new__(Product)
    unchanged = SimpleNamespace(output="Resources: 29 unchanged\n")
    made.stack = SimpleNamespace(up=lambda: unchanged, preview=lambda: unchanged, up_without_changes=lambda: unchanged)
    assert made.run("nothing") == made.run("preview") == unchanged.output
    with pytest.raises(ToolError, match="switched to nothing"):
        made.run("code")
