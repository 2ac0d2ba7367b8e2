"""A broker that somebody else uses: recognised by its configuration, before anything of it is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesensei.scripts.base import broker_program
from codesensei.scripts.base.broker_program import BrokerProgram

DEBIANS = "bind 127.0.0.1 -::1\nport 6379\n# requirepass foobared\nsave 3600 1\n"


def reason(folder: Path, text: str, adopt: bool = False) -> str | None:
    main = folder / "redis.conf"
    main.write_text(text)
    broker = type("There", (BrokerProgram,), {"main_config": main})("redis")
    found = broker_program.reason(broker, adopt)
    return found.cause if found else None


@pytest.mark.parametrize(
    "more",
    [
        "",
        "maxmemory 100mb\n",
        'user ""\n',
        "maxmemory-policy allkeys-lru\n",
        "bind ::1\n",
        "replicaof no one\n",
        "include\nport\nreplicaof\n",
    ],
)
def test_a_broker_as_the_distribution_makes_it_is_the_projects(tmp_path: Path, more: str) -> None:
    assert reason(tmp_path, DEBIANS + more) is None


@pytest.mark.parametrize(
    ("more", "words", "adoptable"),
    [
        ('requirepass "a b"\n', "wants a password", False),
        ("aclfile /etc/redis/users.acl\n", "has users", False),
        ("user anna on >x ~* +@all\n", "has users", False),
        ("port 6380\n", "listens on port 6380, not 6379", False),
        ("replicaof 10.0.0.1 6379\n", "is a copy of another", False),
        ("bind 0.0.0.0\n", "serves other machines too (bind 0.0.0.0)", True),
        ("BIND 127.0.0.1 10.0.0.5\n", "serves other machines too (bind 127.0.0.1 10.0.0.5)", True),
        ("maxmemory 1gb\nmaxmemory-policy allkeys-lru\n", "is a cache", True),
    ],
)
def test_a_broker_of_somebodys_own_is_recognised(tmp_path: Path, more: str, words: str, adoptable: bool) -> None:
    assert words in (reason(tmp_path, DEBIANS + more) or "")
    assert (reason(tmp_path, DEBIANS + more, adopt=True) is None) is adoptable


def test_what_it_includes_counts_too(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "own.conf").write_text(f"requirepass x\ninclude {tmp_path}/redis.conf\n")
    assert "password" in (reason(tmp_path, DEBIANS + f"include {tmp_path}/conf.d/*.conf\n") or "")
    assert reason(tmp_path, DEBIANS + f'include {tmp_path}/conf.d/*.conf\nrequirepass ""\n') is None


def test_without_a_bind_line_it_serves_everybody(tmp_path: Path) -> None:
    assert "(bind *)" in (reason(tmp_path, "port 6379\n") or "")
