"""Which plans of migrations are tried, what the product says of them, and what the document says of the trial."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from codesensei.source import open_source, pending
from codesensei.wire.migrations import judge
from tests.source.conftest import asked
from tools.demo.history import begin_history
from tools.trials import migrations
from tools.trials.migrations import PROJECT, WORST, Outcome, verdict
from tools.trials.plans import MODELS, PLANS, VIEWS, Change, Plan, written

RIGHT = Outcome("AddIndex", "safe", False, 1, 400, 0, 90, 90, 0.31, 1.2, (), 60.0)


@dataclasses.dataclass
class Source:
    """The shop's repository, and what the product says of its next commit."""

    path: Path

    def commit(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.path / name).write_text(text)
        for words in (["add", "--all"], ["commit", "--quiet", "--allow-empty", "-m", "Change"]):
            subprocess.run(["git", "-C", str(self.path), *words], check=True)

    def verdicts(self, files: dict[str, str]) -> list[str]:
        """Of each operation that comes with these files."""
        base, cache = self.path.parent, self.path.parent / "cache"
        before = open_source(asked(), cache_dir=cache, base=base)
        self.commit(files)
        found = pending(before, open_source(asked(), cache_dir=cache, base=base), ["."])
        return [one.verdict for one in judge(found.new, lambda _: True)]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Somebody")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "somebody@example.com")
    return Source(begin_history(tmp_path / "shop", PROJECT, "Take orders").path)


def along(way: tuple[Change, ...]) -> Iterator[tuple[Change, dict[str, str]]]:
    """Each change with the files that it writes, one on top of the other."""
    files, number = {name: (PROJECT / name).read_text() for name in (MODELS, VIEWS)}, 2
    for change in way:
        texts = written(change, files, number)
        yield change, texts
        files |= {name: text for name, text in texts.items() if name in files}
        number += len(change.migrations)


@pytest.mark.slow
@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_the_product_says_of_each_plan_what_the_trial_awaits(plan: Plan, source: Source) -> None:
    [(_, texts)] = along((plan.change,))
    assert max(source.verdicts(texts), key=WORST.index) == plan.verdict
    assert bool(plan.way) is (plan.verdict != "safe")


@pytest.mark.slow
@pytest.mark.parametrize("plan", [plan for plan in PLANS if plan.way], ids=lambda plan: plan.name)
def test_the_way_acknowledges_nothing_that_is_safe(plan: Plan, source: Source) -> None:
    for change, texts in along(plan.way):
        found = source.verdicts(texts)
        assert (set(found) <= {"safe"}) is not change.acknowledged


def test_there_are_twenty_plans_at_least_and_each_has_a_name_of_its_own() -> None:
    assert len({plan.name for plan in PLANS}) == len(PLANS) >= 20
    assert {plan.verdict for plan in PLANS} == set(WORST)


def test_an_edit_that_does_not_fit_is_refused() -> None:
    with pytest.raises(AssertionError, match="0 times"):
        written(PLANS[0].change, {MODELS: "", VIEWS: ""}, 2)


@pytest.mark.parametrize(
    ("told", "worst"),
    [
        ("  orders.0002_change: AddField order.size is safe for the serving code", "safe"),
        ("orders.0002_x: A, B are safe for the serving code\norders.0003_x: RunSQL is unknown: only", "unknown"),
        ("orders.0003_x: RunSQL is unknown: x\norders.0003_x: AlterField order.a is DESTRUCTIVE: x", "destructive"),
        ("notes.0002_x: AddField note.size is safe for the serving code", ""),
    ],
)
def test_the_worst_that_a_preview_tells(told: str, worst: str) -> None:
    assert verdict(told) == worst


def test_the_document_counts_requests_and_orders_and_names_what_was_wrong() -> None:
    bad = dataclasses.replace(
        RIGHT, plan="RunSQL", told="unknown", refused=True, failed=3, found=88, reader=6.2, wrong=("2 are gone",)
    )
    lines = migrations.text([RIGHT, bad])
    assert lines[:3] == [
        "2 plans, 1 of them right.",
        "3 of 800 requests failed, and 2 of 180 acknowledged orders are lost.",
        "The longest wait of a reader was 6.20 s.",
    ]
    assert "| AddIndex | safe | no | 1 | 400 | 0 | 90, 90 | 0.31 s | 1.20 s |" in lines
    assert "| RunSQL | unknown | yes | 1 | 400 | 3 | 90, 88 | 6.20 s | 1.20 s |" in lines
    assert lines[-1] == "* RunSQL: 2 are gone"
    assert "What was not right:" not in migrations.text([RIGHT])


def test_an_outcome_is_told_in_a_few_lines() -> None:
    bad = dataclasses.replace(RIGHT, refused=True, deploys=2, wrong=("2 are gone",))
    assert migrations.described(bad).splitlines() == [
        "WRONG AddIndex: safe, refused, then 2 deploys; 0 of 400 requests failed, 90 of 90 orders found; readers waited"
        " up to 0.31 s, writers up to 1.2 s; 60.0 s",
        "    wrong: 2 are gone",
    ]
    assert migrations.described(RIGHT).startswith("right AddIndex: safe, 1 deploys;")
