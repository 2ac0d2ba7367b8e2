"""What a database is dumped and restored with; pg_dump, pg_restore and psql are played."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codesensei.scripts.backups import postgres
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.postgres import postgresql

LISTED = """;
; Archive created at 2026-11-30 12:00:00 UTC
;     Dumped from database version: 15.12
;     Dumped by pg_dump version: {version} (Debian {version}-1)
;
12; 2615 16417 SCHEMA - tools shop
3596; 0 0 COMMENT - SCHEMA tools shop
2; 3079 16511 EXTENSION - uuid-ossp\x20
3602; 0 0 COMMENT - EXTENSION "uuid-ossp"\x20
3; 3079 16512 EXTENSION - postgis\x20
215; 1259 16390 TABLE public order shop
3438; 0 16617 TABLE DATA public spatial_ref_sys postgres
"""
MAKES = """SET client_encoding = 'UTF8';
CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA tools;
CREATE EXTENSION IF NOT EXISTS postgis WITH SCHEMA "my own";
"""
SETTING = (
    'pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "transaction_timeout"\n'
    "Command was: SET transaction_timeout = 0;\n"
)
DENIED = "pg_restore: error: could not execute query: ERROR:  permission denied for table order\n"


class Programs:
    """PostgreSQL's programs; `server` is the version of the cluster, `dumped_by` that of the dump's pg_dump."""

    def __init__(self, server: int, dumped_by: int) -> None:
        self.server, self.dumped_by = server, dumped_by
        self.told, self.said, self.fails = list[list[str]](), list[str](), ""

    def run(self, argv: Sequence[str], pass_fds: Sequence[int] = (), **_: Any) -> Any:
        words = [*argv[next(i for i, word in enumerate(argv) if "pg_" in word) :]]
        self.told.append(words)
        if words[1] == "--list":
            return subprocess.CompletedProcess(words, 0, LISTED.format(version=f"{self.dumped_by}.2"), "")
        if "-L" in words:
            text = Path(f"/dev/fd/{pass_fds[0]}").read_text()
            self.said.append("restored: " + ", ".join(line.split()[0] for line in text.splitlines()))
        if words[1] == "--file=-":
            return subprocess.CompletedProcess(words, 0, MAKES, "")
        errors = [self.fails] if self.fails else []
        if self.server < 17 <= int(words[0].split("/")[-3]):
            errors = [SETTING, *errors]
        if not errors:
            return subprocess.CompletedProcess(words, 0, "", "")
        if "--exit-on-error" in words:
            return subprocess.CompletedProcess(words, 1, "", errors[0])
        ending = f"\npg_restore: warning: errors ignored on restore: {len(errors)}\n"
        return subprocess.CompletedProcess(words, 1, "", "".join(errors) + ending)

    def sql(self, port: int, text: str, *_: Any) -> str:
        self.said.append(text)
        return f"{self.server}0012" if "server_version_num" in text else ""

    @property
    def last(self) -> tuple[str, bool]:
        """The version of the last program, and whether it was to stop at an error."""
        return self.told[-1][0].split("/")[-3], "--exit-on-error" in self.told[-1]


@pytest.fixture
def play(server: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def play(version: int, dumped_by: int) -> Programs:
        for installed in ("15", "16", "17"):
            place = server / "lib-postgresql" / installed / "bin"
            place.mkdir(parents=True, exist_ok=True)
            for name in ("pg_dump", "pg_restore"):
                (place / name).touch()
        (server / "dump").touch()
        programs = Programs(version, dumped_by)
        monkeypatch.setattr(subprocess, "run", programs.run)
        monkeypatch.setattr(postgresql, "sql", programs.sql)
        monkeypatch.setattr(postgresql, "create_database", lambda *_: None)
        return programs

    return play


def restore(server: Path, *extensions: str) -> None:
    step = Step("shop", "backup", (), None)
    postgres.restore(step, 5432, server / "dump", "codesensei_new_shop", "keeper", [*extensions])


@pytest.mark.proves("backups.versions")
@pytest.mark.parametrize("version", [15, 17])
def test_a_database_is_dumped_by_the_program_of_its_version(
    play: Any, server: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    programs = play(version, version)

    @contextlib.contextmanager
    def session(*_: Any) -> Iterator[Any]:
        yield SimpleNamespace(ask=lambda text, lines: [f"{version}0012", "00000003-1", "{}", "[]"][:lines])

    monkeypatch.setattr(postgres, "session", session)
    assert postgres.dump(5432, "shop", server / "dump") == ({}, [])
    assert programs.last[0] == str(version)
    assert "--snapshot=00000003-1" in programs.told[-1]
    assert "--schema-only" not in programs.told[-1]
    postgres.dump(5432, "shop", server / "dump", schema=server / "schema")
    assert programs.told[-1] == [*programs.told[-2][:-2], "--schema-only", "--", "shop"]
    assert (server / "schema").exists()


@pytest.mark.proves("backups.versions")
@pytest.mark.parametrize(
    ("version", "dumped_by", "chosen"),
    [
        (15, 15, [("15", True)]),
        (17, 15, [("17", True)]),
        (15, 16, [("16", True)]),
        (15, 17, [("17", True), ("17", False)]),
    ],
)
def test_it_is_restored_by_one_that_reads_the_dump_and_that_the_cluster_understands(
    play: Any, server: Path, version: int, dumped_by: int, chosen: list[tuple[str, bool]]
) -> None:
    programs = play(version, dumped_by)
    restore(server)
    listing, *restoring = programs.told
    assert "/17/" in listing[0]
    found = [(words[0].split("/")[-3], "--exit-on-error" in words) for words in restoring]
    assert found == chosen


@pytest.mark.proves("backups.versions")
@pytest.mark.parametrize("dumped_by", [15, 17])
def test_no_other_error_is_passed_over(play: Any, server: Path, dumped_by: int) -> None:
    programs = play(15, dumped_by)
    programs.fails = DENIED
    with pytest.raises(Failure) as caught:
        restore(server)
    assert "permission denied" in caught.value.log


@pytest.mark.proves("backups.versions")
def test_a_dump_that_no_program_here_reads_says_what_is_needed(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "pg_restore: error: unsupported version (1.17) in file header\n"
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1, "", said))
    (server / "dump").touch()
    with pytest.raises(Failure) as caught:
        postgres.contents(server / "dump")
    assert "install the postgresql-client of that version" in caught.value.fix


@pytest.mark.proves("backups.extensions", "database.extensions")
def test_extensions_come_back_where_they_were(play: Any, server: Path) -> None:
    """Their schemas before them; and what somebody has written into their tables, by the role that gets it all."""
    programs = play(15, 15)
    restore(server, "postgis", "hstore", "uuid-ossp")
    read, _, _, _, schemas, made, rest, taken, _ = programs.said
    assert (read, schemas, rest) == ("restored: 2;, 3;", "restored: 12;", "restored: 3596;, 215;, 3438;")
    assert made.startswith(
        f"{postgresql.MAKING}\n"
        'CREATE EXTENSION IF NOT EXISTS "uuid-ossp" SCHEMA tools CASCADE;\n'
        'CREATE EXTENSION IF NOT EXISTS "postgis" SCHEMA "my own" CASCADE;\n'
        'CREATE EXTENSION IF NOT EXISTS "hstore" CASCADE;\n'
        "SELECT format('GRANT %s %s TO %I', "
    )
    assert taken.startswith("SELECT format('REVOKE %s %s FROM %I', ")


@pytest.mark.proves("backups.extensions")
def test_without_extensions_nothing_is_made_or_lent(play: Any, server: Path) -> None:
    programs = play(15, 15)
    restore(server)
    assert [said for said in programs.said if "restored" in said or "EXTENSION" in said or "format" in said] == [
        "restored: 12;, 3596;, 215;, 3438;"
    ]
