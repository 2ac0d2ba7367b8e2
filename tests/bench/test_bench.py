"""What is read of a deploy's own words, and what the table makes of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from codesensei.scripts.release import phases
from codesensei.scripts.release.phases import describe
from tools.bench import __main__ as bench
from tools.bench.__main__ import Sample, switched, table

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
    assert bench.phases(output) == {
        "build code": 1.5,
        "build packages": 6.0,
        "environment": 0.2,
        "switch web": 1.5,
        "switch workers": 2.5,
    }
    assert bench.phases(" ~  command:remote:Command shop-switch updated (1s) unchanged: x is live\n") == {}


def test_a_deploy_that_switches_to_nothing_is_no_sample() -> None:
    stack: Any = SimpleNamespace(up=lambda: SimpleNamespace(output="Resources: 29 unchanged\n"))
    with pytest.raises(AssertionError, match="switched to nothing"):
        switched(lambda _: None, 0, stack)


def test_the_table_has_the_median_and_what_it_did() -> None:
    found = [Sample(seconds, {"switch web": seconds / 10, "claim": 0.01}, load=1.0) for seconds in (30.0, 10.0, 20.0)]
    assert table({"code": found}).splitlines()[2:] == ["| code | 3 | 20.0 | 10.0 | 30.0 | 1.0 | switch web 2 |"]
