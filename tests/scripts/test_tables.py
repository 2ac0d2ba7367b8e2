"""Sizes of tables, as a look asks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base.step import Failure
from codesensei.scripts.postgres import ownership, postgresql, tables
from codesensei.scripts.postgres.ownership import Applied
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.table_locks import Table

SHOP = ProjectPaths("shop")


@pytest.mark.proves("migrations.locks.preview")
def test_the_role_of_the_project_asks_for_what_is_named(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[Any, ...]] = []

    def sql(*words: Any) -> str:
        ran.append(words)
        return '{"books_book": {"rows": 25000, "size": 9437184}}'

    monkeypatch.setattr(postgresql, "sql", sql)
    assert tables.ask(SHOP, ["books_book"]) == {}
    (SHOP.memory / "database").mkdir(parents=True)
    ownership.apply(SHOP, Applied(name="shop", role="keeper", port=5433))
    assert tables.ask(SHOP, []) == {}
    assert ran == []
    assert tables.ask(SHOP, ["books_book", "it's"]) == {"books_book": Table(rows=25_000, size=9 << 20)}
    [(port, statements, database)] = ran
    assert (port, database) == (5433, "shop")
    settings, _, query = statements.partition("\n")
    assert settings == "SET statement_timeout = '3s'; SET ROLE \"keeper\";"
    assert "ARRAY['books_book', 'it''s']::text[]" in query


@pytest.mark.proves("migrations.locks.preview")
@pytest.mark.parametrize("said", ["", '{"books_book": 3}'])
def test_what_cannot_be_told_stays_unknown(said: str, server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (SHOP.memory / "database").mkdir(parents=True)
    ownership.apply(SHOP, Applied(name="shop", role="shop", port=5432))
    monkeypatch.setattr(postgresql, "sql", lambda *_: said)
    assert tables.ask(SHOP, ["books_book"]) == {}

    def fail(*_: Any) -> str:
        raise Failure("PostgreSQL", "psql: canceling statement due to statement timeout")

    monkeypatch.setattr(postgresql, "sql", fail)
    assert tables.ask(SHOP, ["books_book"]) == {}
