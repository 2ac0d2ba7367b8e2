"""What each kind of deploy costs, held against kept numbers: a slower way to deploy shows in review."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.host.costs import SAYING, SETTINGS, cost, differences, to_text
from tests.host.debians import each_debian
from tools.demo.history import git
from tools.trials.stack import Stack

pytestmark = pytest.mark.host

KEPT = Path(__file__).with_name("costs.json")
BASE = "main~2"


@each_debian(12)
def test_a_deploy_costs_what_is_kept(stack: Stack) -> None:
    settings = {SETTINGS: git(stack.repository, "show", f"{BASE}:{SETTINGS}") + SAYING}
    first, second = (stack.commit(settings | {"note.txt": note}, BASE) for note in ("first\n", "second\n"))
    stack.set("project.source.revision", first)
    stack.up()
    found = {}
    stack.set("project.source.revision", second)
    found["code"] = cost(stack, stack.up)
    stack.set("project.source.revision", first)
    found["rollback"] = cost(stack, stack.up)
    stack.set("env.GREETING", "Good evening")
    found["variable"] = cost(stack, stack.up)
    assert stack.site.greets("Good evening")
    found["nothing"] = cost(stack, stack.up_without_changes)
    wrong = differences(found, json.loads(KEPT.read_text()))
    fix = f"where that is what the change is for, {KEPT.name} becomes\n{to_text(found)}"
    assert not wrong, f"{'; '.join(wrong)}\n{fix}"
