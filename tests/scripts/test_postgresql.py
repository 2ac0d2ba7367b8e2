"""What PostgreSQL is given, and what is told when it refuses a statement, or cannot be asked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codesensei.scripts.backups import postgres
from codesensei.scripts.base import commands
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.postgres import postgresql
from codesensei.scripts.steps import database

GUARDS = (
    "SET search_path = pg_catalog;\nSELECT set_config(name, 'view, foreign-table', false) FROM pg_settings"
    " WHERE name = 'restrict_nonsystem_relation_kind' \\g /dev/null\n"
)
CASES = [
    (
        'psql: error: connection to server on socket "/var/run/postgresql/.s.PGSQL.5432" failed: No such file or'
        " directory\n\tIs the server running locally and accepting connections on that socket?\n",
        'psql: connection to server on socket "/var/run/postgresql/.s.PGSQL.5432" failed: No such file or directory',
        "pg_lsclusters",
    ),
    (
        'psql:<stdin>:7: ERROR:  could not extend file "base/5/2608": No space left on device\n'
        "HINT:  Check free disk space.\n",
        'psql: could not extend file "base/5/2608": No space left on device',
        "free some space",
    ),
    (
        "psql: error: connection to server failed: FATAL:  the database system is starting up\n",
        "psql: connection to server failed: FATAL:  the database system is starting up",
        "pg_lsclusters",
    ),
    (
        'psql: error: connection failed: FATAL:  pg_hba.conf rejects connection for host "[local]"\n',
        'psql: connection failed: FATAL:  pg_hba.conf rejects connection for host "[local]"',
        "local all postgres peer",
    ),
    ("", "psql ended with status 2", "pg_lsclusters"),
]


@pytest.mark.proves("errors.four")
@pytest.mark.parametrize(("said", "cause", "fix"), CASES)
def test_psql_and_its_words_are_named(said: str, cause: str, fix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "run", lambda *words, **options: Result("", said, 2))
    with pytest.raises(Failure) as caught:
        postgresql.sql(5432, "ALTER ROLE shop PASSWORD 'a secret';", thing="role shop")
    assert (caught.value.thing, caught.value.cause) == ("role shop", cause)
    assert fix in caught.value.fix


@pytest.mark.parametrize(("versions", "program"), [((), "psql"), (("9.6", "15", "17"), "17/bin/psql")])
def test_the_newest_psql_is_asked(
    versions: tuple[str, ...], program: str, server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Debian's own `psql` would do, which takes longer to find it than a question takes."""
    for version in versions:
        programs = server / "lib-postgresql" / version / "bin"
        programs.mkdir(parents=True)
        (programs / "psql").touch()
    asked: list[list[str]] = []

    def run(argv: list[str], **_: Any) -> Result:
        asked.append(argv)
        return Result("", "", 0)

    monkeypatch.setattr(commands, "run", run)
    postgresql.sql(5432, "SELECT 1;")
    [argv] = asked
    assert argv[argv.index("--init-groups") + 1].endswith(program)


@pytest.mark.proves("database.guarded")
def test_every_statement_of_the_superuser_is_guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tried on a real server by tests/host/test_database.py."""
    given: list[str] = []

    def run(*_: Any, input: str, **__: Any) -> Result:
        given.append(input)
        return Result("{}\n", "", 0)

    monkeypatch.setattr(commands, "run", run)
    postgres.count(5432, "shop")
    [text] = given
    guards, _, counts = text.partition(postgres.COUNTS)
    assert counts == "\n"
    assert guards.endswith(GUARDS)


@pytest.mark.proves("database.guarded")
def test_so_is_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ask(text: str, _: int) -> list[str]:
        asked.append(text)
        return ["{}", "[]"]

    @contextlib.contextmanager
    def session(*_: Any) -> Iterator[Any]:
        yield SimpleNamespace(ask=ask)

    monkeypatch.setattr(postgres, "session", session)
    postgres.counted(5432, "shop", "an-id")
    assert asked[0].startswith(f"{GUARDS}BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;\nSET TRANSACTION SNAPSHOT")


@pytest.mark.proves("database.extensions")
def test_an_extension_that_the_stack_asks_for_comes_into_the_public_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(postgresql, "rows", lambda _, q, *__: [{"trusted": True, "count": 1}] if "bool_or" in q else [])
    monkeypatch.setattr(postgresql, "sql", lambda _, text, *__: made.append(text))
    database._extension(Step("shop", "database", (), None), 5432, "shop", "keeper", "hstore")
    assert made == [f'{postgresql.MAKING}SET ROLE "keeper";\nCREATE EXTENSION "hstore" CASCADE;']
    assert postgresql.MAKING.startswith("SET search_path = public;\nSELECT set_config(name, '', false)")
