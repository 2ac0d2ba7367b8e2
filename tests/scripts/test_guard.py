"""What is refused before a migration runs, and which older release is not brought back."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base.step import Failure
from codesensei.scripts.release import guard, jobs, record
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


class Django:
    """What it would do, and what is applied."""

    def __init__(self) -> None:
        self.plan: dict[str, Any] = {}
        self.asked: list[str] = []
        self.plans(DROP)

    def plans(self, *operations: dict[str, Any]) -> None:
        self.plan = {
            "migrations": [{"app": "books", "name": "0003_drop_price", "operations": list(operations)}],
            "applied": ["books.0001_initial"],
            "known": ["books.0001_initial", "books.0002_price", DROP_PRICE],
        }

    def run(self, step: Any, release: Release, job: Job) -> JobResult:
        self.asked.append(job.argv[-1])
        assert list(job.argv[-2:-1]) == [str(guard.ASK)]
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
        return list(guard.refuse(refuse.step, RELEASE, aliases, acknowledged))  # type: ignore[attr-defined]

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
def test_only_before_something_is_destroyed_the_database_is_dumped(django: Django, make_step: Any) -> None:
    dumped: list[str] = []
    for operation in (ADD, SQL, DROP):
        django.plans(operation)
        name = str(operation["name"])
        list(guard.refuse(make_step("build"), RELEASE, ["default"], [DROP_PRICE], partial(dumped.append, name)))
    assert dumped == ["RemoveField"]


@pytest.mark.proves("migrations.unknown")
@pytest.mark.parametrize("operation", [SQL, {"name": "books.ops.LoadData"}])
def test_what_is_unknown_is_refused_too(django: Django, refuse: Refuse, operation: dict[str, Any]) -> None:
    django.plans(ADD, operation)
    with pytest.raises(Failure, match=f"{operation['name']} is unknown"):
        refuse()
    assert refuse(DROP_PRICE) == []


@pytest.mark.proves("migrations.run-python")
def test_what_is_safe_goes_on_and_python_is_listed(django: Django, refuse: Refuse) -> None:
    django.plans(ADD, CODE)
    assert refuse() == []
    assert refuse.step.said == [f"{DROP_PRICE} runs Python code on the data"]  # type: ignore[attr-defined]


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
