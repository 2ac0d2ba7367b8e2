"""Logins over the socket and over loopback, as pg_hba.conf decides over them."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import files
from codesensei.scripts.base.step import Failure
from codesensei.scripts.postgres import hba, postgresql

PEER = {"type": "local", "database": ["all"], "user_name": ["all"], "auth_method": "peer", "options": None}
OTHERS = "# comment\nlocal all all peer\n"


class Cluster:
    """A cluster with these rules; our own line in its file is the first of them."""

    def __init__(self, folder: Path, *rules: dict[str, Any]) -> None:
        self.file = folder / "pg_hba.conf"
        self.file.write_text(OTHERS)
        self.others = rules
        self.reloads = 0

    def rows(self, port: int, query: str, database: str = "postgres") -> list[dict[str, Any]]:
        ours = {**PEER, "auth_method": "scram-sha-256"} if hba.MARK in self.file.read_text() else None
        rules = [*([ours] if ours else []), *self.others]
        return [{"line_number": number, "error": None, **rule} for number, rule in enumerate(rules, 1)]

    def sql(self, port: int, text: str, database: str = "postgres", thing: str = "") -> str:
        self.reloads += "pg_reload_conf" in text
        return str(self.file)


@pytest.fixture
def log_in(tmp_path: Path, make_step: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / ".s.PGSQL.5432"))
    listening.listen()

    def run(*rules: dict[str, Any], user: str = "deploy", role: str = "shop", password: bool = True) -> Cluster:
        cluster = Cluster(tmp_path, *rules)
        monkeypatch.setattr(postgresql, "rows", cluster.rows)
        monkeypatch.setattr(postgresql, "sql", cluster.sql)
        monkeypatch.setattr(files, "user_id", lambda name: tmp_path.stat().st_uid)
        way = hba.Way(5432, "shop", role, str(tmp_path), user, password)
        for changes in (1, 0):
            step = make_step("database")
            hba.check_access(step, way)
            assert step.changes in (changes, 0)
        return cluster

    yield run
    listening.close()


@pytest.mark.parametrize(
    ("rule", "over"),
    [
        (PEER, {"role": "deploy", "password": False}),
        (PEER, {"role": "deploy"}),
        ({**PEER, "options": ["map=apps"]}, {}),
        ({**PEER, "auth_method": "scram-sha-256"}, {}),
        ({**PEER, "auth_method": "trust"}, {"password": False}),
    ],
)
def test_what_lets_the_project_in_is_left_as_it_is(log_in: Any, rule: dict[str, Any], over: dict[str, Any]) -> None:
    assert log_in(rule, **over).file.read_text() == OTHERS


def test_a_password_over_the_socket_gets_a_line_of_its_own_once(log_in: Any) -> None:
    cluster = log_in(PEER)
    line = 'local "shop" "shop" scram-sha-256 # codesensei: shop\n'
    assert cluster.file.read_text() == line + OTHERS
    assert cluster.reloads == 1


def test_its_line_goes_with_the_project(log_in: Any, make_step: Any) -> None:
    cluster = log_in(PEER)
    hba.withdraw(make_step("destroy"), 5432)
    assert cluster.file.read_text() == OTHERS
    step = make_step("destroy")
    hba.withdraw(step, 5432)
    assert step.changes == 0


@pytest.mark.parametrize(
    ("rules", "over", "line"),
    [
        ((PEER,), {"password": False}, 'local "shop" "shop" peer'),
        (({**PEER, "auth_method": "md5"},), {"role": "deploy", "password": False}, 'local "shop" "deploy" peer'),
        ((PEER,), {"role": "/x"}, 'local "shop" "/x" scram-sha-256'),
        ((), {"password": False}, 'local "shop" "shop" peer'),
    ],
)
def test_who_cannot_get_in_is_told_the_line(log_in: Any, rules: Any, over: dict[str, Any], line: str) -> None:
    with pytest.raises(Failure, match="cannot log in as") as refused:
        log_in(*rules, **over)
    assert f"add above it: {line}; then" in refused.value.fix


def test_a_directory_without_a_socket_is_named(make_step: Any, tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"it has no socket .*/\.s\.PGSQL\.5432") as refused:
        hba.check_access(make_step("database"), hba.Way(5432, "shop", "shop", str(tmp_path), "deploy", True))
    assert "/var/run/postgresql" in refused.value.fix


def test_over_tcp_the_address_decides_that_takes_the_connection(
    make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = [
        {"type": "host", "address": "127.0.0.1", "netmask": "255.255.255.255", "auth_method": "scram-sha-256"},
        {"type": "host", "address": "::1", "netmask": ":".join(["ffff"] * 8), "auth_method": "reject"},
    ]
    common = {"database": ["all"], "user_name": ["all"], "error": None}
    found = [{**common, **rule, "line_number": number} for number, rule in enumerate(rules, 1)]
    monkeypatch.setattr(postgresql, "rows", lambda *words: found)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        hba.check_access(make_step("database"), hba.Way(port, "shop", "shop", "127.0.0.1", "deploy", True))
    with pytest.raises(Failure, match=f"does not listen on 127.0.0.1:{port}"):
        hba.check_access(make_step("database"), hba.Way(port, "shop", "shop", "127.0.0.1", "deploy", True))
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listening:
        way = hba.Way(listening.getsockname()[1], "shop", "shop", "::1", "deploy", True)
        with pytest.raises(Failure, match="a password over ::1 does not work for shop: line 2 says reject"):
            hba.check_access(make_step("database"), way)
