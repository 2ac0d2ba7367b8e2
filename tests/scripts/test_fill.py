"""A new database made of another one; PostgreSQL is played."""

from __future__ import annotations

import errno
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.backups import fill, postgres
from codesensei.scripts.base.step import Failure, write_json
from codesensei.scripts.hardening import harden
from codesensei.scripts.postgres import hba, ownership, postgresql
from codesensei.scripts.serving import nginx_unit
from codesensei.scripts.steps import claim, database, destroy
from codesensei.wire import codec, steps
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.steps import Fill
from tests.scripts.examples import DATABASE, MANIFEST

SHOP, BASE = ProjectPaths("shop"), ProjectPaths("staging")
CONTENT = b"PGDMP and more"
SHA = hashlib.sha256(CONTENT).hexdigest()
LISTED = "3; 3079 16400 EXTENSION - citext \n4; 3079 16401 EXTENSION - plperlu \n215; 1259 16390 TABLE public order x\n"
COUNTS = {"public.order": 3}


class Cluster:
    """Which databases there are, and what was done, in words."""

    def __init__(self) -> None:
        self.databases = {"staging": COUNTS}
        self.done: list[str] = []
        self.fails = ""

    def dump(self, port: int, name: str, into: Path) -> tuple[dict[str, int], list[str]]:
        self.done.append(f"dump {name} at {port}")
        into.write_bytes(CONTENT)
        return dict(self.databases[name]), ["citext"]

    def drop(self, port: int, name: str) -> None:
        self.databases.pop(name, None)

    def restore(self, step: Any, port: int, file: Path, name: str, role: str, extensions: list[str]) -> None:
        assert name not in self.databases
        assert file.read_bytes() == CONTENT
        assert file.parent.stat().st_mode & 0o777 == 0o700
        self.databases[name] = {} if self.fails == "half" else COUNTS
        self.done.append(f"restore {name} for {role} with {', '.join(extensions)}")
        if self.fails == "restore":
            raise Failure("dump", "pg_restore ended with status 1", "")
        if self.fails == "disk":
            raise OSError(errno.ENOSPC, "No space left on device")

    def sql(self, port: int, text: str, database: str = "postgres", thing: str = "") -> str:
        _, _, old, _, _, new = text.rstrip(";").replace('"', "").split()
        self.databases[new] = self.databases.pop(old)
        return ""


@pytest.fixture
def cluster(server: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    fake = Cluster()
    for name in ("dump", "drop", "restore"):
        monkeypatch.setattr(postgres, name, getattr(fake, name))
    monkeypatch.setattr(postgres, "contents", lambda file: LISTED)
    monkeypatch.setattr(postgres, "size", lambda port, name: 1)
    monkeypatch.setattr(postgres, "exists", lambda port, name: name in fake.databases)
    monkeypatch.setattr(postgres, "count", lambda port, name: fake.databases[name])
    monkeypatch.setattr(postgresql, "sql", fake.sql)
    for project in (SHOP, BASE):
        (project.memory / "database").mkdir(parents=True)
    ownership.apply(BASE, ownership.Applied(name="staging", role="staging", port=5433))
    return fake


def sent() -> Path:
    return Path(claim.login_user().pw_dir) / SHOP.sent_dump(SHA)


def make(step: Any, wanted: Fill) -> None:
    fill.make(step, 5432, "shop", "shop", wanted, sent())


@pytest.mark.proves("review-stack.data")
def test_a_copy_takes_its_name_when_it_is_whole(cluster: Cluster, make_step: Any) -> None:
    step = make_step("database")
    make(step, Fill(project="staging"))
    assert cluster.done == ["dump staging at 5433", "restore codesensei_new_shop for shop with citext"]
    assert cluster.databases == {"staging": COUNTS, "shop": COUNTS}
    assert step.said[-1] == "database shop filled from that of staging (3 rows in 1 tables)"
    assert not (SHOP.memory / "fill").exists()


@pytest.mark.proves("review-stack.data")
@pytest.mark.parametrize("how", ["restore", "half", "disk"])
def test_half_a_copy_is_none_and_the_next_run_begins_again(cluster: Cluster, make_step: Any, how: str) -> None:
    cluster.fails = how
    said = r"pg_restore ended|1 tables of the copy differ: public\.order has 3 rows there|No space left"
    with pytest.raises((Failure, OSError), match=said):
        make(make_step("database"), Fill(project="staging"))
    assert set(cluster.databases) == {"staging"}
    assert not (SHOP.memory / "fill").exists()
    # Cut off by a power failure, it was not even dropped.
    cluster.fails, cluster.databases["codesensei_new_shop"] = "", {}
    make(make_step("database"), Fill(project="staging"))
    assert cluster.databases["shop"] == COUNTS


@pytest.mark.proves("review-stack.data-production")
def test_the_data_of_production_are_not_copied(cluster: Cluster, make_step: Any) -> None:
    write_json(BASE.live, codec.encode(replace(MANIFEST, production=True)))
    with pytest.raises(Failure, match="staging is production, and its data are not for code under review"):
        make(make_step("database"), Fill(project="staging"))
    assert cluster.done == []
    write_json(BASE.live, codec.encode(MANIFEST))
    make(make_step("database"), Fill(project="staging"))


@pytest.mark.proves("review-stack.data")
def test_there_is_nothing_to_copy(cluster: Cluster, make_step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failure, match=r"database of other.*this server's PostgreSQL has none"):
        make(make_step("database"), Fill(project="other"))
    monkeypatch.setattr(postgres, "size", lambda port, name: 1 << 60)
    with pytest.raises(Failure, match="there is no room for a copy"):
        make(make_step("database"), Fill(project="staging"))
    assert cluster.done == []


@pytest.mark.proves("review-stack.dump")
def test_a_dump_that_was_sent(cluster: Cluster, make_step: Any) -> None:
    with pytest.raises(Failure, match="it is not on this server"):
        make(make_step("database"), Fill(dump=SHA))
    sent().write_bytes(CONTENT + b"!")
    with pytest.raises(Failure, match="it is not the one that was sent"):
        make(make_step("database"), Fill(dump=SHA))
    sent().unlink()
    (sent().parent / "other").write_bytes(CONTENT)
    sent().symlink_to("other")
    with pytest.raises(Failure, match="it is not on this server"):
        make(make_step("database"), Fill(dump=SHA))
    sent().unlink()
    assert cluster.done == []
    sent().write_bytes(CONTENT)
    make(make_step("database"), Fill(dump=SHA))
    # One that no project may have is left out.
    assert cluster.done == ["restore codesensei_new_shop for shop with citext"]


@pytest.mark.proves("review-stack.data", "review-stack.dump")
def test_only_a_database_that_is_not_there_is_filled(
    cluster: Cluster, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    there: list[dict[str, object]] = []
    monkeypatch.setattr(fill, "make", lambda step, port, name, role, wanted, at: made.append((name, wanted, at)))
    monkeypatch.setattr(postgresql, "create_database", lambda *words: made.append("empty"))
    for name in ("_role", "_contents"):
        monkeypatch.setattr(database, name, lambda *words: None)
    monkeypatch.setattr(postgresql, "ensure_cluster", lambda step, port: port)
    monkeypatch.setattr(ownership, "claim", lambda *words: None)
    monkeypatch.setattr(postgresql, "start_at_boot", lambda step: None)
    monkeypatch.setattr(hba, "check_access", lambda *words: None)
    rows = [{"owner": "shop", "encoding": "UTF8", "open": True}]
    monkeypatch.setattr(
        postgresql, "rows", lambda port, query, *rest: [{"create": True}] if "privilege" in query else there
    )
    wanted = Fill(dump=SHA)
    sent().write_bytes(CONTENT)
    part = sent().with_name(f"{sent().name}.part")
    part.write_bytes(b"")
    database.run(make_step("database", data=replace(DATABASE, fill=wanted)))
    assert made == [("shop", wanted, sent())]
    assert not sent().exists()
    assert not part.exists()
    there += rows
    database.run(make_step("database", data=replace(DATABASE, fill=wanted)))
    there.clear()
    database.run(make_step("database", data=DATABASE))
    assert made == [("shop", wanted, sent()), "empty"]


@pytest.mark.proves("review-stack.dump")
def test_a_dump_that_was_sent_for_nothing_goes_with_the_stack(server: Path, make_step: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(nginx_unit, "free", lambda step: None)
    monkeypatch.setattr(harden, "say_what_stays", lambda step: None)
    (server / "library/toolkit").mkdir()
    sent().write_bytes(CONTENT)
    keep = steps.OnDestroy(database="drop", media="drop")
    destroy.run(make_step("destroy", data=steps.Destroy(stack="x", identity="1", slug="shop", on_destroy=keep)))
    assert not sent().exists()
