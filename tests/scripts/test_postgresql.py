"""What is told when PostgreSQL refuses a statement, or cannot be asked."""

from __future__ import annotations

import pytest

from codesensei.scripts.base import commands
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import Failure
from codesensei.scripts.postgres import postgresql

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
