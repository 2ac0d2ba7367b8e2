"""Which migrations are applied, as a look asks for them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base.step import Failure
from codesensei.scripts.postgres import migrations, ownership, postgresql
from codesensei.scripts.postgres.ownership import Applied
from codesensei.scripts.release import record
from codesensei.scripts.steps import ask
from codesensei.wire import codec
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.steps import MIGRATIONS, OF_DATABASE, SeenInDatabase
from tests.scripts.examples import FACTS
from tests.scripts.test_rehearsal import POSTGRES

SHOP = ProjectPaths("shop")
LABEL = "books.0003_x"


@pytest.fixture
def asked(server: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What PostgreSQL was asked; it says that one migration is applied."""
    ran: list[tuple[Any, ...]] = []

    def sql(*words: Any) -> str:
        ran.append(words)
        return json.dumps([LABEL])

    monkeypatch.setattr(postgresql, "sql", sql)
    (SHOP.memory / "database").mkdir(parents=True)
    ownership.apply(SHOP, Applied(name="shop", role="keeper", port=5433))
    return ran


@pytest.mark.proves("story.applied", "database.guarded")
def test_the_database_is_asked_for_what_is_named(asked: list[tuple[Any, ...]]) -> None:
    assert migrations.applied(SHOP, []) == ()
    assert asked == []
    assert migrations.applied(SHOP, [LABEL, "it's.0001_x"]) == (LABEL,)
    [(port, statements, database)] = asked
    assert (port, database) == (5433, "shop")
    assert statements.startswith("SET statement_timeout = '3s';\nWITH places AS")
    # As they are: a cast or an operator may be the project's own.
    assert "'SELECT app, name FROM %I.django_migrations'" in statements
    assert "relkind = 'r'" in statements
    assert f"ARRAY['{LABEL}', 'it''s.0001_x']::text[]" in statements


@pytest.mark.proves("story.applied")
def test_what_cannot_be_told_counts_as_not_applied(
    asked: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "sql", lambda *_: "")
    assert migrations.applied(SHOP, [LABEL]) == ()

    def fail(*_: Any) -> str:
        raise Failure("PostgreSQL", "psql: canceling statement due to statement timeout")

    monkeypatch.setattr(postgresql, "sql", fail)
    assert migrations.applied(SHOP, [LABEL]) == ()


@pytest.mark.proves("story.applied")
@pytest.mark.parametrize(("aliases", "told"), [(("default",), (LABEL,)), (("default", "other"), ()), ((), ())])
def test_a_look_tells_it_of_the_only_database(
    asked: list[tuple[Any, ...]], aliases: tuple[str, ...], told: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """In another one the migration may have to run yet."""
    SHOP.record("1111111-2222222").parent.mkdir(parents=True)
    SHOP.root.mkdir(parents=True)
    SHOP.current.symlink_to("releases/1111111-2222222")
    record.begin(SHOP, "1111111-2222222", revision="1" * 40, settings_module="x", user="deploy")
    facts = replace(FACTS, databases=dict.fromkeys(aliases, POSTGRES))
    record.built(SHOP, "1111111-2222222", facts, {})
    assert ask.run("shop", [MIGRATIONS, LABEL]) == 0
    assert answered(capsys) == SeenInDatabase(migrations=told)
    assert ask.run("shop", []) == 0
    assert answered(capsys) == SeenInDatabase()


def answered(capsys: pytest.CaptureFixture[str]) -> SeenInDatabase:
    """What was printed, on a line of its own behind its mark."""
    empty, line = capsys.readouterr().out.splitlines()
    assert empty == ""
    assert line.startswith(OF_DATABASE)
    return codec.from_text(SeenInDatabase, line.removeprefix(OF_DATABASE), "answer")
