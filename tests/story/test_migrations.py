"""Migrations in the story: what each means for the code that serves, and what a reviewer has to decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from codesensei.source import Pending, SourceError
from codesensei.story import of_database, of_migrations
from codesensei.story.migrations import Migrations
from codesensei.wire.columns import Field
from codesensei.wire.migrations import Migration, Operation
from codesensei.wire.rehearsal import Rehearse
from codesensei.wire.steps import NOTHING_ASKED, AskedOfDatabase
from codesensei.wire.table_locks import Table
from tests.story.parts import REVISION
from tests.story.test_release import checkout, served

DROP = Operation(name="RemoveField", model="book", field="price")
INDEX = Operation(name="AddIndex", model="book")
ADD = Operation(name="AddField", model="book", field="isbn", after=Field(kind="CharField", null=True))
SAFE = "safe for the serving code"
UP = "`pulumi up` refuses what is not safe, and prints how to do it in two deploys; or acknowledge it:"
KEY = "project.acknowledgeMigrations"


def migration(name: str, *operations: Operation) -> Migration:
    return Migration(app="books", name=name, operations=operations)


def told(monkeypatch: pytest.MonkeyPatch, found: Pending | None, acknowledged: Sequence[str] = ()) -> tuple[str, ...]:
    monkeypatch.setattr("codesensei.story.served.at", lambda *_: found and checkout(REVISION))
    monkeypatch.setattr("codesensei.story.migrations.pending", lambda *_: found)
    return of_migrations(served(), checkout(), ["."], acknowledged).entries


@pytest.mark.proves("story.migrations")
def test_what_is_not_safe_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Pending(new=(migration("0003_index", ADD, INDEX), migration("0004_drop", DROP, INDEX)))
    unsafe = (
        "books.0004_drop: RemoveField book.price is DESTRUCTIVE: the serving code still reads and writes the column"
    )
    safe = (
        "books.0003_index: AddField book.isbn, AddIndex book are safe for the serving code",
        "books.0004_drop: AddIndex book is safe for the serving code",
    )
    assert told(monkeypatch, found) == (unsafe, UP, f"{KEY}: [books.0004_drop]", *safe)
    assert told(monkeypatch, found, ["books.0004_drop"]) == (unsafe, "acknowledged: books.0004_drop", *safe)


@pytest.mark.proves("story.migrations")
def test_what_the_code_cannot_live_with_is_refused_until_all_of_it_is_acknowledged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def judged(found: Pending, *acknowledged: str) -> tuple[bool, bool, bool]:
        told(monkeypatch, found)
        section = of_migrations(served(), checkout(), ["."], acknowledged)
        return section.harmful, section.unfit, section.refused

    drops = Pending(new=(migration("0004_drop", DROP),), gone=(migration("0005_drop", DROP),))
    assert judged(Pending(new=(migration("0003_index", INDEX),))) == (False, False, False)
    assert judged(drops, "books.0004_drop") == (True, True, True)
    assert judged(drops, "books.0004_drop", "books.0005_drop") == (True, True, False)
    assert judged(Pending(gone=drops.gone)) == (False, True, True)


@pytest.mark.proves("story.unknown")
def test_a_commit_that_nobody_knows_makes_its_migrations_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codesensei.story.served.at", lambda *_: None)
    assert of_migrations(served(), checkout(), ["."], []).unknown
    told(monkeypatch, Pending())
    assert not of_migrations(served(), checkout(), ["."], []).unknown
    assert not of_migrations(served(), checkout(REVISION), ["."], []).unknown


@pytest.mark.proves("migrations.rehearsal.preview")
def test_a_rehearsal_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is not refused runs at all."""
    first, some = "`pulumi up` runs them on a copy of the database first", ", if it has at most 1.0 GB"
    small = {"books_book": Table(rows=3, size=24_576)}

    def announced(
        rehearse: Rehearse, *operations: Operation, acknowledged: Sequence[str] = (), **more: Any
    ) -> list[str]:
        found = Pending(new=(migration("0004_x", *operations),) if operations else (), gone=(migration("0005_y", ADD),))
        told(monkeypatch, found)
        section = of_migrations(served(), checkout(), ["."], acknowledged, rehearse=rehearse, postgresql=True, **more)
        return [entry for entry in section.entries if "copy" in entry]

    drop = ["books.0004_x"]
    assert announced("auto", DROP, acknowledged=drop) == [first + some]
    assert announced("always", DROP, acknowledged=drop) == [first]
    assert announced("never", DROP, acknowledged=drop) == []
    assert announced("auto", DROP) == []
    assert announced("auto", Operation(name="RunPython")) == [first + some]
    assert announced("auto", ADD) == []
    assert announced("always", ADD) == [first]
    assert announced("always") == []
    book = replace(INDEX, table="books_book")
    # Only the server knows, where nobody has asked it.
    unsure = ", if a table whose size is not known is large, and the database has at most 1.0 GB"
    assert announced("auto", book) == [first + unsure]
    assert announced("auto", book, tables={"books_book": LARGE}) == [first + some]
    assert announced("auto", book, Operation(name="RunPython")) == [first + some]
    assert announced("always", book) == [first]
    assert announced("auto", book, tables=small) == []


@pytest.mark.proves("story.migrations")
def test_going_back_over_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Pending(gone=(migration("0003_index", INDEX), migration("0004_drop", DROP)))
    first, second, key, third = told(monkeypatch, found)
    assert first.startswith("books.0004_drop: RemoveField book.price is DESTRUCTIVE for ")
    assert second.startswith("`pulumi up` refuses to go back")
    assert key == f"{KEY}: [books.0004_drop]"
    assert third == "books.0003_index stays applied, which 3333333 can live with"


@pytest.mark.proves("story.migrations")
def test_many_are_counted_and_the_way_out_is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Pending(new=tuple(migration(f"{number:04}_x", DROP) for number in range(30)))
    entries = told(monkeypatch, found)
    assert entries[10] == "and 20 more"
    assert entries[11] == UP
    assert all(f"books.{number:04}_x" in " ".join(entries[12:]) for number in range(30))


@pytest.mark.proves("story.migrations")
def test_nothing_is_told_where_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, Pending()) == ()
    assert of_migrations(served(), checkout(REVISION), ["."], ()).entries == ()


@pytest.mark.proves("story.migrations")
def test_what_cannot_be_known_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    (entry,) = told(monkeypatch, None)
    assert "does not have their commit" in entry

    def fail(*_: object) -> None:
        raise SourceError("the repository", "is damaged", "clone it again")

    monkeypatch.setattr("codesensei.story.served.at", fail)
    (entry,) = of_migrations(served(), checkout(), ["."], ()).entries
    assert entry.endswith("the repository: is damaged")


@pytest.mark.proves("story.migrations")
def test_a_migration_that_does_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    (entry,) = told(monkeypatch, Pending(changed=("books.0001_first",)))
    assert entry.startswith("books.0001_first is another than the one that is applied")


@pytest.mark.proves("story.migrations", "migrations.defaults")
def test_a_default_that_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    column = Operation(name="AddField", model="book", field="language", after=Field(kind="CharField", filled=True))
    told(monkeypatch, Pending(new=(migration("0003_language", column, INDEX),)))
    stays = of_migrations(served(), checkout(), ["."], (), keeps=True)
    assert stays.entries == (
        "books.0003_language: AddIndex book is safe for the serving code",
        "books.0003_language: AddField book.language is safe for the serving code, which gets the default from the"
        " database",
    )
    assert not stays.harmful
    assert of_migrations(served(), checkout(), ["."], ()).harmful


@pytest.mark.proves("story.migrations", "migrations.defaults")
def test_going_back_while_the_default_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    column = Operation(name="AddField", model="book", field="language", after=Field(kind="CharField", filled=True))
    told(monkeypatch, Pending(gone=(migration("0003_language", column),)))
    there = of_migrations(served(), checkout(), ["."], (), keeps=True, kept=["books.0003_language"])
    assert there.entries == ("books.0003_language stays applied, which 3333333 can live with",)
    assert of_migrations(served(), checkout(), ["."], (), keeps=True).unfit


@pytest.mark.proves("migrations.defaults")
def test_a_default_that_a_failed_deploy_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    was = Field(kind="CharField", length=9, column="language")
    about: dict[str, Any] = {"model": "book", "field": "language", "table": "books_book"}
    added = Operation(name="AddField", after=replace(was, filled=True), **about)
    altered = Operation(name="AlterField", before=was, after=replace(was, length=10), **about)
    told(monkeypatch, Pending(new=(migration("0003_language", added), migration("0004_longer", altered))))
    labels = ["books.0003_language"]
    there = of_migrations(served(), checkout(), ["."], (), keeps=True, kept=labels, applied=labels)
    assert there.entries[0] == (
        "books.0004_longer: AlterField book.language is DESTRUCTIVE: the serving code leaves the value to the default"
        " that stays in the database, and this drops it"
    )
    assert not of_migrations(served(), checkout(), ["."], (), keeps=True, applied=labels).refused


@pytest.mark.proves("backups.destructive", "story.migrations")
def test_what_waits_for_a_backup(monkeypatch: pytest.MonkeyPatch) -> None:
    def entries(*operations: Operation) -> tuple[tuple[str, ...], bool]:
        told(monkeypatch, Pending(new=(migration("0004_drop", *operations),)))
        found = of_migrations(served(), checkout(), ["."], ["books.0004_drop"], backup="there is one")
        return found.entries, found.refused

    waits = "`pulumi up` refuses what is destructive until there is one"
    assert entries(DROP)[0][1:] == ("acknowledged: books.0004_drop", waits)
    assert entries(DROP)[1]
    assert not any(waits in entry for entry in entries(INDEX, Operation(name="RunSQL"))[0])
    assert not entries(INDEX)[1]


@pytest.mark.proves("migrations.held")
def test_work_on_rows_under_a_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = told(monkeypatch, Pending(new=(migration("0003_fill", ADD, Operation(name="RunPython")),)))
    assert entries[0].startswith("books.0003_fill: AddField book.isbn locks its table until RunPython has ended, and")


LARGE = Table(rows=41_210_332, size=3_435_973_837)
BUILDS = Operation(name="AddIndex", model="book", table="books_book")


@pytest.mark.proves("migrations.locks.preview")
def test_what_waits_is_told_with_its_size_and_what_to_do_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    told(monkeypatch, Pending(new=(migration("0004_isbn_index", BUILDS),)))
    safe = "books.0004_isbn_index: AddIndex book is safe for the serving code"

    def entries(**known: Any) -> tuple[str, ...]:
        return of_migrations(served(), checkout(), ["."], (), **known).entries

    assert entries() == (safe,)
    assert entries(postgresql=True, tables={"books_book": LARGE}) == (
        "books.0004_isbn_index: AddIndex on books_book (41,210,332 rows, 3.2 GB): writes wait while the index is built",
        "  instead: use AddIndexConcurrently in a migration with atomic = False",
        safe,
    )
    assert entries(postgresql=True, tables={"books_book": Table(rows=3, size=24_576)}) == (safe,)
    assert "on books_book (size not known): writes wait" in entries(postgresql=True)[0]


@pytest.mark.proves("migrations.locks.preview")
def test_what_the_server_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    fill = (Operation(name="RemoveField", model="shelf", table="books_shelf"), Operation(name="RunPython"))
    found = Pending(new=(migration("0003_fill", *fill), migration("0004_index", BUILDS, ADD)))
    monkeypatch.setattr("codesensei.story.migrations.at", lambda *_: checkout(REVISION))
    monkeypatch.setattr("codesensei.story.migrations.pending", lambda *_: found)
    asked = AskedOfDatabase(tables=("books_shelf", "books_book"), migrations=("books.0003_fill", "books.0004_index"))
    assert of_database("1" * 40, checkout(), ["."]) == asked
    assert of_database(checkout().revision, checkout(), ["."]) == NOTHING_ASKED
    monkeypatch.setattr("codesensei.story.migrations.at", lambda *_: None)
    assert of_database("1" * 40, checkout(), ["."]) == NOTHING_ASKED

    def fail(*_: object) -> None:
        raise SourceError("the repository", "is damaged", "clone it again")

    monkeypatch.setattr("codesensei.story.migrations.at", fail)
    assert of_database("1" * 40, checkout(), ["."]) == NOTHING_ASKED


@pytest.mark.proves("story.applied")
def test_what_a_failed_deploy_has_applied_does_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither it nor what it would hold up is told as if it would run."""
    found = Pending(new=(migration("0003_index", INDEX), migration("0004_drop", DROP), migration("0005_isbn", ADD)))
    told(monkeypatch, found)

    def of(*applied: str) -> Migrations:
        labels = [f"books.{name}" for name in applied]
        return of_migrations(served(), checkout(), ["."], (), applied=labels, postgresql=True, rehearse="always")

    after = of("0003_index", "0004_drop", "0002_other")
    rehearsed, safe, applied = after.entries
    assert "on a copy of the database first" in rehearsed
    assert safe == "books.0005_isbn: AddField book.isbn is safe for the serving code"
    assert applied == (
        "2 applied already, by a deploy that does not serve, so not run again: books.0003_index, books.0004_drop"
    )
    assert (after.harmful, after.refused) == (False, False)
    everything = of("0003_index", "0004_drop", "0005_isbn")
    (entry,) = everything.entries
    assert entry.startswith("3 applied already")
    assert of().refused
