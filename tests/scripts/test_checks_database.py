"""Whether the database is there, or may be made."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base.step import Failure
from codesensei.scripts.checks import database
from codesensei.scripts.postgres import ownership, postgresql
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.steps import DatabasePlace
from tests.scripts.examples import PREFLIGHT

PLACE = DatabasePlace(kind="local", name="shop", role="shop", host="", port=5432)
FREE = {"databases": ["shop"], "roles": ["shop"]}


@pytest.fixture
def local(server: Path, make_step: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(postgresql, "clusters", lambda: [])

    def check(place: DatabasePlace = PLACE, adopt: bool = False) -> dict[str, list[str]]:
        return database.check_local(make_step("preflight", data=replace(PREFLIGHT, adopt=adopt)), place)

    return check


@pytest.mark.proves("register.reserved-databases")
@pytest.mark.parametrize("name", ["postgres", "template0", "template1", "pg_monitor", ""])
def test_databases_and_roles_of_postgresql_are_refused_even_with_adopt(local: Any, name: str) -> None:
    for place in (replace(PLACE, name=name), replace(PLACE, role=name)):
        with pytest.raises(Failure, match="never a project's"):
            local(place, adopt=True)
    assert local() == FREE


@pytest.mark.proves("register.database-fixed")
@pytest.mark.parametrize(
    ("changes", "said", "fix"),
    [
        ({"name": "store"}, "this project's database is shop", 'ALTER DATABASE "shop" RENAME TO "store"'),
        ({"role": "store"}, "this project's role is shop", ""),
        ({"port": 5433}, "port 5432", ""),
    ],
)
def test_a_database_does_not_change_and_the_error_says_how_to_move(
    local: Any, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], said: str, fix: str
) -> None:
    project = ProjectPaths("shop")
    (project.memory / "database").mkdir(parents=True)
    ownership.apply(project, ownership.Applied(name="shop", role="shop", port=5432))
    monkeypatch.setattr(postgresql, "clusters", lambda: [postgresql.Cluster("15", "main", 5432, True)])
    monkeypatch.setattr(postgresql, "rows", lambda port, query, name="": [{"1": 1}] if "'shop'" in query else [])
    with pytest.raises(Failure, match=said) as refused:
        local(replace(PLACE, **changes))
    assert fix in refused.value.fix


def test_a_cluster_that_is_down_is_claimed_by_the_step_that_starts_it(
    local: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "clusters", lambda: [postgresql.Cluster("15", "main", 5432, False)])
    assert local() == {}


@pytest.mark.proves("preflight.ports", "database.auto.external")
def test_an_external_database_is_tried_from_here(make_step: Any) -> None:
    step = make_step("preflight", data=PREFLIGHT)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        place = replace(PLACE, kind="external", host="127.0.0.1", port=listening.getsockname()[1])
        database.check_external(step, place)
    with pytest.raises(Failure, match=r"cannot be reached from this server \(127.0.0.1: "):
        database.check_external(step, place)


def test_one_of_two_addresses_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        kinds = (socket.SOCK_STREAM, 6, "")
        found = [
            (socket.AF_INET6, *kinds, ("2001:db8::1", port)),
            (socket.AF_INET, *kinds, ("127.0.0.1", port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *words, **options: found)
        monkeypatch.setattr(database, "DATABASE_WAIT", 0.2)
        database.check_reachable("database.example.com", port)


def test_a_database_host_without_an_address_is_named() -> None:
    with pytest.raises(Failure, match=r"database host database.invalid: its name cannot be resolved") as caught:
        database.check_reachable("database.invalid", 5432)
    assert "docker compose" in caught.value.fix


@pytest.mark.proves("django.database-port")
@pytest.mark.parametrize(
    ("engine", "host", "port", "tried"),
    [
        ("django.db.backends.postgresql", "db.example", "6432", ("db.example", 6432)),
        ("django.contrib.gis.db.backends.postgis", "127.0.0.1", "", ("127.0.0.1", 5432)),
        ("django.db.backends.mysql", "db.example", "", ("db.example", 3306)),
        ("django.db.backends.mysql", "localhost", "", None),
        ("django.db.backends.postgresql", "/run/postgresql", "5432", None),
        ("django.db.backends.postgresql", "", "5432", None),
        ("django.db.backends.postgresql", "one.example,two.example", "5432", None),
        ("an.other.engine", "db.example", "", None),
    ],
)
def test_the_port_of_every_entry_of_the_settings_is_tried(
    monkeypatch: pytest.MonkeyPatch, engine: str, host: str, port: str, tried: tuple[str, int] | None
) -> None:
    def refuse(name: str, number: int, written: str) -> None:
        raise Failure(f"database {name}:{number}", "it cannot be reached", f"check {written}")

    monkeypatch.setattr(database, "check_reachable", refuse)
    if not tried:
        database.check_entry("logs", engine, host, port)
        return
    with pytest.raises(Failure, match=rf"DATABASES\['logs'\], database {tried[0]}:{tried[1]}") as caught:
        database.check_entry("logs", engine, host, port)
    assert "HOST and PORT of DATABASES['logs']" in caught.value.fix
