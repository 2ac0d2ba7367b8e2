"""When a plan is rehearsed, what is said of it, and what is refused; the copy and the run on it are played."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base.step import Failure
from codesensei.scripts.release import jobs, record, rehearsal
from codesensei.scripts.release.jobs import JobResult
from codesensei.scripts.release.record import DatabaseFacts
from codesensei.scripts.release.rehearsal import Ran, Rehearsal, Rehearsed
from codesensei.scripts.release.release import Release
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.rehearsal import AUTO_SECONDS, AUTO_SIZE
from codesensei.wire.rehearsal import Rehearse as Wanted
from tests.scripts.examples import FACTS, NAME, REVISION, database_facts

SHOP = ProjectPaths("shop")
RELEASE = Release(SHOP, NAME, "deploy", ".", "config.settings")
POSTGRES = database_facts("django.db.backends.postgresql", "shop")
ENDED = Rehearsed(joined=True, took={"books.0002_x": 0.2})
FAILED = Failure("manage.py migrate", "IntegrityError: no", "fix the migration and deploy again", "the log")


@dataclass
class Original:
    """The project's database, of which copies are made."""

    name: str = "shop"
    role: str = "shop"
    port: int = 5432
    bytes: int = 41 << 20
    migrated: bool = True
    against: str = ""
    fails: Failure | OSError | None = None
    there: list[str] = field(default_factory=list)
    copies: int = 0

    def size(self) -> int:
        return self.bytes

    def has_migrations(self) -> bool:
        return self.migrated

    def why_not(self) -> str:
        return self.against

    @contextlib.contextmanager
    def copied(self) -> Iterator[str]:
        if self.fails:
            raise self.fails
        self.copies += 1
        self.there.append("the copy")
        try:
            yield "the copy"
        finally:
            self.there.remove("the copy")


@dataclass
class Runs:
    """How the run on the copy ends."""

    said: Rehearsed = ENDED
    failure: Failure | None = None
    is_over: bool = False
    result: str = ""
    given: list[tuple[Mapping[str, Any], Path, float]] = field(default_factory=list)

    def __call__(self, copy: Mapping[str, Any], only_socket: Path, seconds: float) -> Ran:
        self.given.append((copy, only_socket, seconds))
        done = JobResult(int(self.failure is not None), "", Path("log"), self.result)
        return Ran(done, self.said, self.failure, self.is_over)


Rehearse = Callable[..., list[str]]


@pytest.fixture
def rehearse(server: Path, monkeypatch: pytest.MonkeyPatch, make_step: Any) -> Rehearse:
    """Rehearse a plan; returns what was said."""
    SHOP.record(NAME).parent.mkdir(parents=True)
    relayed = contextlib.nullcontext(Path("/run/codesensei/rehearsal-shop"))
    monkeypatch.setattr(rehearsal, "_relayed", lambda *_: relayed)

    def rehearse(
        runs: Runs,
        original: Original | None,
        wanted: Wanted = "auto",
        risky: bool = True,
        facts: DatabaseFacts = POSTGRES,
    ) -> list[str]:
        record.begin(SHOP, NAME, revision=REVISION, settings_module="config.settings", user="deploy")
        record.built(SHOP, NAME, replace(FACTS, databases={"default": facts}), {})
        step = make_step("build")
        step.said = []
        rehearsal.rehearse(step, RELEASE, "default", "", Rehearsal(wanted, original), runs, is_risky=risky)
        return list(step.said)

    return rehearse


@pytest.mark.proves("migrations.rehearsal")
def test_what_it_took_is_told(rehearse: Rehearse) -> None:
    took = {"books.0002_x": 0.24, "books.0003_y": 12.3, "books.0004_z": 1, "books.0005_a": 0.1, "books.0006_b": 0.1}
    said = Rehearsed(joined=True, took=took, closed={"order": 0.6, "tag": 0.4}, readable={"book": 11.9})
    original = Original()
    runs = Runs(said)
    assert rehearse(runs, original) == [
        "copying the database (41 MB) to rehearse the migrations",
        "rehearsed on a copy (41 MB): books.0003_y 12.3 s, books.0004_z 1.0 s, books.0002_x 0.2 s, 2 more 0.2 s,"
        " requests to order would wait up to about 0.6 s, writes to book would wait up to about 11.9 s",
    ]
    copy = {"name": "the copy", "folder": "/run/postgresql", "port": 5432}
    assert runs.given == [(copy, Path("/run/codesensei/rehearsal-shop"), AUTO_SECONDS)]
    assert (original.there, original.copies) == ([], 1)


def test_what_it_has_asked_for_in_vain_is_told(rehearse: Rehearse) -> None:
    said = rehearse(Runs(Rehearsed(joined=True, tried=("mail.example.com:25",))), Original())
    assert said[-1] == "rehearsed on a copy (41 MB): no migration, without mail.example.com:25, which they asked for"


@pytest.mark.proves("migrations.rehearsal")
@pytest.mark.parametrize(
    ("at", "thing"), [("books.0003_y", "migration books.0003_y"), ("", "manage.py migrate")], ids=["one", "none"]
)
def test_what_fails_is_refused(rehearse: Rehearse, at: str, thing: str) -> None:
    original = Original()
    with pytest.raises(Failure) as caught:
        rehearse(Runs(replace(ENDED, at=at), FAILED), original)
    assert caught.value.thing == f"rehearsal of {thing} (release {NAME})"
    assert caught.value.cause == "IntegrityError: no\nthat was on a copy of the database: nothing was migrated"
    assert caught.value.fix.startswith("fix the migration and deploy again; or, to leave the rehearsal out, set")
    assert caught.value.log == "the log"
    assert original.there == []


@pytest.mark.proves("migrations.rehearsal")
def test_what_takes_too_long_is_refused_whatever_it_asked_for(rehearse: Rehearse) -> None:
    """What stays applied of a real one would not be true of the copy."""
    failure = Failure("manage.py migrate", "books.0003_y took longer: rolled back\napplied before it: x", "batches")
    said = replace(ENDED, at="books.0003_y", tried=("mail.example.com:25",))
    with pytest.raises(Failure, match=r"books\.0003_y took longer: rolled back\nthat was on a copy"):
        rehearse(Runs(said, failure, is_over=True), Original())


UNDECIDED = {
    "kept away": (
        Runs(replace(ENDED, at="books.0003_y", away="Connection refused"), FAILED),
        "books.0003_y needs more than a copy: Connection refused",
    ),
    "asked in vain": (
        Runs(replace(ENDED, tried=("mail.example.com:25",)), FAILED),
        "manage.py migrate needs more than a copy: it asked for mail.example.com:25, and failed: IntegrityError: no",
    ),
    "ended by somebody": (Runs(Rehearsed()), "the copy was not reached: the run was ended"),
    "not reached": (Runs(Rehearsed(), FAILED), "the copy was not reached: IntegrityError: no"),
}


@pytest.mark.proves("migrations.rehearsal.undecided", "migrations.rehearsal.always")
@pytest.mark.parametrize("how", UNDECIDED)
def test_what_decides_nothing_is_a_warning_or_with_always_an_error(rehearse: Rehearse, how: str) -> None:
    runs, why = UNDECIDED[how]
    assert rehearse(runs, Original())[-1] == f"warning: the migrations are not rehearsed: {why}"
    with pytest.raises(Failure, match=re.escape(f"{why}, so nothing was migrated")):
        rehearse(runs, Original(), "always")


@pytest.mark.proves("migrations.rehearsal.bounds")
def test_ten_minutes_are_enough_unasked(rehearse: Rehearse) -> None:
    runs = Runs(ENDED, FAILED, result="timeout")
    assert rehearse(runs, Original())[-1].endswith("took longer than 10 minutes, and no more is spent unasked")
    with pytest.raises(Failure, match="IntegrityError"):
        rehearse(runs, Original(), "always")
    assert [seconds for *_, seconds in runs.given] == [600, jobs.LONGEST_SECONDS]


@pytest.mark.proves("migrations.rehearsal.bounds", "migrations.rehearsal.always")
def test_a_large_database_is_copied_only_where_it_is_asked_for(rehearse: Rehearse) -> None:
    original = Original(bytes=AUTO_SIZE)
    rehearse(Runs(), original)
    assert original.copies == 1
    original.bytes += 1 << 29
    assert rehearse(Runs(), original) == [
        "the migrations are not rehearsed: the database has 1.5 GB, and database.rehearse: auto copies up to 1.0 GB;"
        " always copies any"
    ]
    assert original.copies == 1
    rehearse(Runs(), original, "always")
    assert original.copies == 2


@pytest.mark.proves("migrations.rehearsal.bounds", "migrations.rehearsal.always")
@pytest.mark.parametrize(
    ("original", "why"),
    [
        (Original(against="there is no room"), "there is no room"),
        (Original(fails=Failure("dump", "it is torn", "")), "dump: it is torn"),
        (Original(fails=OSError(28, "No space left on device", "/x")), "/x: No space left on device"),
    ],
)
def test_what_cannot_be_copied_is_told(rehearse: Rehearse, original: Original, why: str) -> None:
    assert rehearse(Runs(), original)[-1] == f"warning: the migrations are not rehearsed: {why}"
    with pytest.raises((Failure, OSError), match=re.escape(why.rpartition(": ")[2])) as caught:
        rehearse(Runs(), original, "always")
    # With what there is to do about it.
    assert original.fails in (None, caught.value)


@pytest.mark.proves("migrations.rehearsal", "migrations.rehearsal.always")
def test_which_plans_are_rehearsed(rehearse: Rehearse) -> None:
    original = Original()
    assert rehearse(Runs(), original, risky=False) == []
    assert rehearse(Runs(), original, "never") == []
    assert original.copies == 0
    rehearse(Runs(), original, "always", risky=False)
    assert original.copies == 1
    original.migrated = False
    assert rehearse(Runs(), original, "always", risky=False) == []


@pytest.mark.proves("migrations.rehearsal")
@pytest.mark.parametrize(
    ("facts", "is_own"),
    [
        (POSTGRES, True),
        (replace(POSTGRES, host="localhost", port="5432"), True),
        (replace(POSTGRES, host="/var/run/postgresql"), True),
        (replace(POSTGRES, engine="psqlextra.backend"), True),
        (replace(POSTGRES, host="db.example.com"), False),
        (replace(POSTGRES, name="other"), False),
        (replace(POSTGRES, port="5433"), False),
        (replace(POSTGRES, engine="django.db.backends.mysql"), False),
    ],
)
def test_only_the_own_database_is_copied(rehearse: Rehearse, facts: DatabaseFacts, is_own: bool) -> None:
    original, why = Original(), "the database is not the stack's own in this server's PostgreSQL"
    said = rehearse(Runs(), original, facts=facts)
    assert (original.copies, said == [f"the migrations are not rehearsed: {why}"]) == (int(is_own), not is_own)
    if not is_own:
        with pytest.raises(Failure, match=why):
            rehearse(Runs(), original, "always", facts=facts)


def test_without_a_database_of_its_own_there_is_nothing_to_copy(rehearse: Rehearse) -> None:
    assert rehearse(Runs(), None)[0].startswith("the migrations are not rehearsed: the database is not")


@pytest.mark.proves("migrations.rehearsal.kept-away")
@pytest.mark.parametrize(
    ("host", "role", "place"),
    [
        ("", "deploy", "/run/postgresql/.s.PGSQL.5432"),
        ("/mnt/sockets", "deploy", "/mnt/sockets/.s.PGSQL.5432"),
        ("/mnt/sockets", "shop", "5432"),
        ("127.0.0.1", "deploy", "5432"),
    ],
)
def test_the_way_to_the_copy(server: Path, monkeypatch: pytest.MonkeyPatch, host: str, role: str, place: str) -> None:
    """Who has no password over PostgreSQL's own socket has none here; the others log in at the port, as ever."""
    started: list[list[str]] = []

    @contextlib.contextmanager
    def popen(argv: list[str], **_: object) -> Iterator[None]:
        started.append(argv)
        yield

    bound: list[str] = []
    monkeypatch.setattr(subprocess, "Popen", popen)

    def bind(_: socket.socket, path: str) -> None:
        """A scratch directory's path may be too long for a socket."""
        bound.append(path)
        Path(path).touch()

    monkeypatch.setattr(socket.socket, "bind", bind)
    monkeypatch.setattr(socket.socket, "listen", lambda self, *_: None)
    monkeypatch.setattr(os, "chown", lambda *_: None)
    with rehearsal._relayed(RELEASE, Original(role=role), "the copy", replace(POSTGRES, host=host)) as folder:
        assert folder == SHOP.rehearsal_socket
        assert bound == [f"{folder}/.s.PGSQL.5432"]
        assert (folder / ".s.PGSQL.5432").stat().st_mode & 0o777 == 0o600
    assert not folder.exists()
    assert started[0][:4] == ["setpriv", "--reuid=deploy", "--regid=deploy", "--clear-groups"]
    assert started[0][-2:] == ["the copy", place]
