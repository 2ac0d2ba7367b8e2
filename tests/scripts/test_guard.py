"""What is refused before a migration runs, and which older release is not brought back."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base.step import Failure
from codesensei.scripts.release import defaults, guard, jobs, record
from codesensei.scripts.release.jobs import Job, JobResult
from codesensei.scripts.release.release import Release
from codesensei.wire.paths import ProjectPaths
from tests.scripts.examples import FACTS, NAME, REVISION, database_facts

SHOP = ProjectPaths("shop")
RELEASE = Release(SHOP, NAME, "deploy", ".", "config.settings")
POSTGRES = database_facts("django.db.backends.postgresql", "shop")
DROP = {"name": "RemoveField", "model": "book", "field": "price"}
ADD = {"name": "AddField", "model": "book", "field": "note", "after": {"kind": "TextField", "null": True}}
CODE, SQL = {"name": "RunPython"}, {"name": "RunSQL"}
DROP_PRICE = "books.0003_drop_price"
FILLED = {"kind": "TextField", "filled": True}
DEFAULT = {"name": "AddField", "model": "book", "field": "note", "after": FILLED}
NEXT = "books.0004_next"


class Django:
    """What it would do, and what is applied."""

    def __init__(self) -> None:
        self.plan: dict[str, Any] = {}
        self.asked: list[str] = []
        self.serving: dict[str, Any] | None = None
        self.plans(DROP)

    def plans(self, *operations: dict[str, Any]) -> None:
        self.plan = {
            "migrations": [{"app": "books", "name": "0003_drop_price", "operations": list(operations)}],
            "applied": ["books.0001_initial"],
            "known": ["books.0001_initial", "books.0002_price", DROP_PRICE],
        }

    def run(self, step: Any, release: Release, job: Job) -> JobResult:
        self.asked.append(job.argv[-1])
        assert list(job.argv[-3:-1]) == [str(guard.ASK), guard.QUERY]
        if release.name == "old":
            assert release.settings_module == RELEASE.settings_module
            return JobResult(int(self.serving is None), "", Path("log"), answer=json.dumps(self.serving or {}))
        return JobResult(0, "", Path("log"), answer=json.dumps(self.plan))


@pytest.fixture
def django(server: Path, monkeypatch: pytest.MonkeyPatch) -> Django:
    found = Django()
    monkeypatch.setattr(jobs, "run_job", found.run)
    SHOP.record(NAME).parent.mkdir(parents=True)
    SHOP.current.parent.mkdir(parents=True, exist_ok=True)
    os.symlink("releases/old", SHOP.current)
    record.begin(SHOP, NAME, revision=REVISION, settings_module="config.settings", user="deploy")
    record.built(SHOP, NAME, replace(FACTS, databases={"default": POSTGRES, "logs": POSTGRES}), {})
    return found


Refuse = Callable[..., list[str]]


@pytest.fixture
def refuse(make_step: Any) -> Refuse:
    def refuse(*acknowledged: str, aliases: tuple[str, ...] = ("default",)) -> list[str]:
        refuse.step = make_step("build")  # type: ignore[attr-defined]
        return [*guard.refuse(refuse.step, RELEASE, aliases, acknowledged).warnings]  # type: ignore[attr-defined]

    return refuse


@pytest.mark.proves("migrations.destructive", "migrations.asked")
def test_a_destructive_migration_is_refused_with_its_fix(django: Django, refuse: Refuse) -> None:
    with pytest.raises(Failure, match=re.escape(DROP_PRICE)) as caught:
        refuse()
    assert "nothing was migrated" in caught.value.cause
    assert f"{DROP_PRICE}: RemoveField book.price is DESTRUCTIVE: the serving code still reads" in caught.value.cause
    assert "instead: deploy code that no longer uses it first" in caught.value.cause
    assert caught.value.fix.endswith(f"project.acknowledgeMigrations: [{DROP_PRICE}]")


@pytest.mark.proves("backups.dump")
def test_only_where_something_is_destroyed_the_database_is_dumped(django: Django, make_step: Any) -> None:
    found = []
    for operation in (ADD, SQL, DROP):
        django.plans(operation)
        found.append(guard.refuse(make_step("build"), RELEASE, ["default"], [DROP_PRICE]).destroys)
    assert found == [False, False, True]


INDEX = {"name": "AddIndex", "model": "book", "table": "books_book"}
SIZES = {"large": {"books_book": {"rows": 1, "size": 8 << 20}}, "small": {"books_book": {"rows": 1, "size": 1 << 20}}}


@pytest.mark.proves("migrations.rehearsal")
@pytest.mark.parametrize(
    ("operation", "size", "is_risky"),
    [
        (ADD, "large", False),
        (CODE, "small", True),
        ({**CODE, "inert": True}, "small", False),
        (SQL, "small", True),
        (DROP, "small", True),
        (INDEX, "small", False),
        (INDEX, "large", True),
    ],
)
def test_which_plan_is_worth_a_rehearsal(
    django: Django, make_step: Any, operation: dict[str, Any], size: str, is_risky: bool
) -> None:
    django.plans(operation)
    django.plan |= {"keeps": True, "tables": SIZES[size]}
    found = guard.refuse(make_step("build"), RELEASE, ["default"], [DROP_PRICE])
    assert found.risky == ({"default"} if is_risky else frozenset())
    django.plan["applied"] = []
    assert guard.refuse(make_step("build"), RELEASE, ["default"], [DROP_PRICE]).risky == frozenset()


@pytest.mark.proves("migrations.unknown")
@pytest.mark.parametrize("operation", [SQL, {"name": "books.ops.LoadData"}])
def test_what_is_unknown_is_refused_too(django: Django, refuse: Refuse, operation: dict[str, Any]) -> None:
    django.plans(operation, ADD)
    with pytest.raises(Failure, match=f"{operation['name']} is unknown"):
        refuse()
    assert refuse(DROP_PRICE) == []


@pytest.mark.proves("migrations.run-python")
def test_what_is_safe_goes_on_and_python_is_listed(django: Django, refuse: Refuse) -> None:
    django.plans(CODE, ADD)
    assert refuse() == []
    assert refuse.step.said == [f"{DROP_PRICE} runs Python code on the data"]  # type: ignore[attr-defined]
    django.plans({**CODE, "inert": True}, ADD)
    assert refuse() == []
    assert not hasattr(refuse.step, "said"), "nothing"  # type: ignore[attr-defined]


@pytest.mark.proves("migrations.acknowledged")
def test_what_is_acknowledged_runs(django: Django, refuse: Refuse) -> None:
    assert refuse(DROP_PRICE, "books.0002_price") == []
    [said] = refuse.step.said  # type: ignore[attr-defined]
    assert said.startswith(f"acknowledged: {DROP_PRICE}: RemoveField book.price is DESTRUCTIVE")


@pytest.mark.proves("migrations.acknowledged")
def test_a_name_that_is_no_migration_is_told(django: Django, refuse: Refuse) -> None:
    told = (
        f"project.acknowledgeMigrations names books.0003_drop_prise, which is no migration; did you mean {DROP_PRICE}?"
    )
    with pytest.raises(Failure, match=re.escape(told)):
        refuse("books.0003_drop_prise")
    django.plan["migrations"] = []
    assert refuse("books.0003_drop_prise") == [told]


@pytest.mark.proves("migrations.fresh")
def test_nothing_is_refused_where_no_migration_is_applied(django: Django, refuse: Refuse) -> None:
    django.plan["applied"] = []
    assert refuse() == []


@pytest.mark.proves("migrations.fresh")
def test_nothing_is_asked_before_the_first_release(django: Django, refuse: Refuse) -> None:
    SHOP.current.unlink()
    assert refuse() == []
    assert django.asked == []


@pytest.mark.proves("migrations.asked")
def test_each_database_is_asked(django: Django, refuse: Refuse) -> None:
    with pytest.raises(Failure):
        refuse(aliases=("default", "logs"))
    assert django.asked == ["default", "logs"]


@pytest.mark.proves("migrations.rollback")
def test_an_older_release_is_refused_where_its_columns_are_gone(django: Django, refuse: Refuse, make_step: Any) -> None:
    refuse(DROP_PRICE)
    django.plan = {"applied": ["books.0001_initial", DROP_PRICE], "known": ["books.0001_initial"]}
    with pytest.raises(Failure, match="it is older than migrations that are applied") as caught:
        guard.refuse_older(make_step("build"), RELEASE, ())
    assert f"{DROP_PRICE}: RemoveField book.price is DESTRUCTIVE" in caught.value.cause
    guard.refuse_older(make_step("build"), RELEASE, (DROP_PRICE,))


@pytest.mark.proves("migrations.rollback")
@pytest.mark.parametrize(
    "plan",
    [
        # It has the migration; somebody has undone it by hand.
        {"applied": [DROP_PRICE], "known": [DROP_PRICE]},
        {"applied": ["books.0001_initial"], "known": ["books.0001_initial"]},
    ],
)
def test_a_release_that_can_live_with_it_is_brought_back(
    django: Django, refuse: Refuse, make_step: Any, plan: dict[str, Any]
) -> None:
    refuse(DROP_PRICE)
    django.plan = plan
    guard.refuse_older(make_step("build"), RELEASE, ())
    assert len(django.asked) == 2


@pytest.mark.proves("migrations.rollback")
def test_what_is_not_destructive_is_no_reason_to_ask(django: Django, refuse: Refuse, make_step: Any) -> None:
    django.plans(ADD, SQL)
    refuse(DROP_PRICE)
    django.asked = []
    guard.refuse_older(make_step("build"), RELEASE, ())
    assert django.asked == []


def kept() -> defaults.KeptDefaults:
    return defaults.kept(SHOP, "default")


@pytest.mark.proves("migrations.defaults")
def test_a_column_whose_default_stays_goes_on_and_is_noted(django: Django, refuse: Refuse) -> None:
    django.plans(DEFAULT)
    django.plan["keeps"] = True
    assert refuse() == []
    [said] = refuse.step.said  # type: ignore[attr-defined]
    assert said == f"{DROP_PRICE}: AddField book.note is safe: its default stays in the database"
    [(label, why)] = kept().migrations.items()
    assert label == DROP_PRICE
    assert why.startswith("AddField book.note is DESTRUCTIVE: each row that the serving code writes fails")
    assert defaults.labels(SHOP) == (DROP_PRICE,)


@pytest.mark.proves("migrations.defaults", "migrations.writes")
def test_it_is_refused_where_none_may_stay(django: Django, make_step: Any) -> None:
    django.plans(DEFAULT)
    for keeps, wanted in ((False, True), (True, False)):
        django.plan["keeps"] = keeps
        with pytest.raises(Failure, match="Django keeps no Python default"):
            guard.refuse(make_step("build"), RELEASE, ["default"], (), keep_defaults=wanted)
    assert kept() == defaults.KeptDefaults()


@pytest.fixture
def staying(django: Django, refuse: Refuse) -> Django:
    """A migration is applied whose default stays, and another one comes."""
    django.plans(DEFAULT)
    django.plan["keeps"] = True
    refuse()
    defaults.note(refuse.step, "default", [("book", "note")], [])  # type: ignore[attr-defined]
    django.plans(ADD)
    django.plan["applied"].append(DROP_PRICE)
    django.plan["migrations"][0]["name"] = NEXT.partition(".")[2]
    django.serving = {"known": [DROP_PRICE]}
    return django


@pytest.mark.proves("migrations.defaults", "migrations.rollback")
def test_once_both_sides_of_a_deploy_know_the_column_its_default_is_due(
    staying: Django, refuse: Refuse, make_step: Any
) -> None:
    assert refuse() == []
    assert kept() == defaults.KeptDefaults(due=(("book", "note"),))
    staying.plan = {"applied": [DROP_PRICE], "known": []}
    with pytest.raises(Failure, match=f"{DROP_PRICE}: AddField book.note is DESTRUCTIVE"):
        guard.refuse_older(make_step("build"), RELEASE, ())
    defaults.note(refuse.step, "default", [], [("book", "note")])  # type: ignore[attr-defined]
    assert kept() == defaults.KeptDefaults()


@pytest.mark.proves("migrations.defaults")
@pytest.mark.parametrize("side", ["serving", "next", "failing"])
def test_a_side_that_does_not_know_the_column_still_gets_the_default(
    staying: Django, refuse: Refuse, make_step: Any, side: str
) -> None:
    if side == "serving":
        staying.serving = {"known": ["books.0001_initial"]}
    elif side == "failing":
        staying.serving = None
    else:
        staying.plan["known"].remove(DROP_PRICE)
    assert refuse() == []
    assert kept().columns == (("book", "note"),)
    assert [*kept().migrations] == [DROP_PRICE]
    guard.refuse_older(make_step("build"), RELEASE, ())


@pytest.mark.proves("migrations.defaults")
def test_a_default_that_the_serving_code_needs_is_not_dropped(staying: Django, refuse: Refuse) -> None:
    """Once it is due, the column may change."""
    field = {"kind": "CharField", "length": 9, "column": "note"}
    sides = {"before": field, "after": {**field, "length": 10}}
    staying.plan["migrations"][0]["operations"] = [
        {"name": "AlterField", "model": "book", "field": "note", "table": "book", **sides}
    ]
    staying.serving = {"known": []}
    with pytest.raises(Failure, match="the default that stays in the database, and this drops it"):
        refuse()
    staying.serving = {"known": [DROP_PRICE]}
    assert refuse() == []


@pytest.mark.proves("migrations.defaults")
def test_a_migration_that_never_ran_holds_nothing_up(staying: Django, refuse: Refuse) -> None:
    staying.plan["applied"].remove(DROP_PRICE)
    staying.plan["known"] = [NEXT]
    assert refuse() == []
    assert kept() == defaults.KeptDefaults(due=(("book", "note"),))


@pytest.mark.proves("migrations.held")
def test_work_on_rows_under_a_lock_is_warned_of(django: Django, refuse: Refuse) -> None:
    django.plans(ADD, CODE)
    [warning] = refuse()
    assert warning.startswith(f"{DROP_PRICE}: AddField book.note locks its table until RunPython has ended")
    django.plan["migrations"][0]["atomic"] = False
    assert refuse() == []
    django.plan.update(applied=[], migrations=[{**django.plan["migrations"][0], "atomic": True}])
    assert refuse() == []


BUILDS = {"name": "AddIndex", "model": "book", "table": "books_book"}


@pytest.mark.proves("migrations.locks", "migrations.locks.small")
def test_what_waits_for_a_large_table_is_warned_of_with_its_size(django: Django, refuse: Refuse) -> None:
    django.plans(BUILDS)
    assert refuse() == []
    django.plan["keeps"] = True
    [warning] = refuse()
    assert warning == (
        f"{DROP_PRICE}: AddIndex on books_book (size not known): writes wait while the index is built; use"
        " AddIndexConcurrently in a migration with atomic = False"
    )
    django.plan["tables"] = {"books_book": {"rows": 25_000, "size": 9 << 20}}
    [warning] = refuse()
    assert "AddIndex on books_book (25,000 rows, 9.0 MB): writes wait" in warning
    django.plan["tables"] = {"books_book": {"rows": 25_000, "size": 1 << 20}}
    assert refuse() == []
    # Nothing serves from these tables.
    django.plan.update(applied=[], tables={})
    assert refuse() == []


@pytest.mark.proves("migrations.locks")
def test_what_is_refused_is_told_before_what_waits(django: Django, refuse: Refuse) -> None:
    django.plans(BUILDS, DROP)
    django.plan["keeps"] = True
    with pytest.raises(Failure):
        refuse()
    assert any("writes wait" in line for line in refuse(DROP_PRICE))
