"""A copy of the project's database, and that nothing of it is left; PostgreSQL is played."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from codesensei.scripts.backups import copies, postgres, settings
from codesensei.scripts.base.step import Failure
from codesensei.scripts.postgres import ownership, postgresql
from codesensei.scripts.release import jobs
from codesensei.scripts.removal import configuration, database, processes
from codesensei.scripts.serving import certificates
from codesensei.scripts.steps import build, destroy, recover
from codesensei.wire.paths import ProjectPaths

SHOP = ProjectPaths("shop")
COPY = "codesensei_rehearsal_shop"
MB = 1 << 20


class Cluster:
    """Which databases there are, and what was asked of them."""

    def __init__(self, data: Path) -> None:
        self.databases = {"shop"}
        self.extensions, self.bytes, self.data, self.fails = ["plpgsql", "citext"], 100 * MB, data, ""
        self.done: list[str] = []

    def dump(self, port: int, name: str, into: Path) -> tuple[dict[str, int], list[str]]:
        into.write_bytes(b"PGDMP")
        return {}, ["citext"]

    def restore(self, step: Any, port: int, file: Path, name: str, role: str, extensions: list[str]) -> None:
        step.say("nobody hears this")
        assert (file.read_bytes(), file.parent.stat().st_mode & 0o777) == (b"PGDMP", 0o700)
        self.databases.add(name)
        self.done.append(f"restore {name} for {role} at {port} with {', '.join(extensions)}")
        if self.fails == "restore":
            raise Failure("dump", "pg_restore ended with status 1")

    def drop(self, port: int, name: str) -> None:
        self.databases.discard(name)

    def sql(self, port: int, text: str, database: str = "postgres", thing: str = "") -> str:
        if text == "SHOW data_directory;":
            return f"{self.data}\n"
        if "django_migrations" in text:
            return "t\n"
        self.done.append(f"{text} in {database}")
        return ""

    def rows(self, port: int, query: str, database: str) -> list[dict[str, str]]:
        return [{"extname": name} for name in self.extensions]


@pytest.fixture
def cluster(server: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    fake = Cluster(server)
    for name in ("dump", "drop", "restore"):
        monkeypatch.setattr(postgres, name, getattr(fake, name))
    monkeypatch.setattr(postgres, "size", lambda port, name: fake.bytes)
    monkeypatch.setattr(postgres, "exists", lambda port, name: name in fake.databases)
    for name in ("sql", "rows"):
        monkeypatch.setattr(postgresql, name, getattr(fake, name))
    there = postgresql.Cluster("15", "main", 5433, online=True)
    monkeypatch.setattr(postgresql, "clusters", lambda: [there])
    (SHOP.memory / "database").mkdir(parents=True)
    ownership.apply(SHOP, ownership.Applied(name="shop", role="owner", port=5433))
    return fake


def original(step: Any) -> copies.Original:
    found = copies.original(step)
    assert found is not None
    return found


@pytest.mark.proves("migrations.rehearsal.copy")
@pytest.mark.parametrize("ends", ["well", "with an error"])
def test_a_copy_is_there_for_as_long_as_it_is_needed(cluster: Cluster, make_step: Any, ends: str) -> None:
    step = make_step("build")
    step.said = []

    def use() -> None:
        with original(step).copied() as name:
            assert (name, cluster.databases) == (COPY, {"shop", COPY})
            # What it was made of takes no more room.
            assert [*SHOP.rehearsal.iterdir()] == []
            if ends != "well":
                raise KeyError

    if ends == "well":
        use()
    else:
        with pytest.raises(KeyError):
            use()
    assert cluster.databases == {"shop"}
    assert not SHOP.rehearsal.exists()
    assert cluster.done == [f"restore {COPY} for owner at 5433 with citext", f"ANALYZE; in {COPY}"]
    assert (step.said, step.changes) == ([], 0)


@pytest.mark.proves("migrations.rehearsal.copy")
def test_half_a_copy_is_dropped(cluster: Cluster, make_step: Any) -> None:
    cluster.fails = "restore"
    with pytest.raises(Failure, match="pg_restore"), original(make_step("build")).copied():
        pass
    assert cluster.databases == {"shop"}
    assert not SHOP.rehearsal.exists()


class Stopped(Exception):
    """The step has come to what follows."""


def stop(*_: object, **__: object) -> None:
    raise Stopped


def build_again(step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "refuse_missing", stop)
    with pytest.raises(Stopped):
        build.run(step)


def recover_it(step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert recover.run("shop", []) == 0


def destroy_it(step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the role is dropped, which owns the copy."""
    for module in (processes, settings, configuration, certificates):
        monkeypatch.setattr(module, "remove", lambda *_: None)
    monkeypatch.setattr(database, "remove", stop)
    entry = SimpleNamespace(names={})
    step.data = SimpleNamespace(on_destroy=SimpleNamespace(database="drop", media="keep"))
    with pytest.raises(Stopped):
        destroy._remove_all(step, entry)  # type: ignore[arg-type]


@pytest.mark.proves("migrations.rehearsal.copy")
@pytest.mark.parametrize("next_step", [build_again, recover_it, destroy_it])
def test_what_a_killed_step_has_left_is_dropped(
    cluster: Cluster, make_step: Any, monkeypatch: pytest.MonkeyPatch, next_step: Any
) -> None:
    monkeypatch.setattr(jobs, "end_orphans", lambda step: None)
    cluster.databases.add(COPY)
    SHOP.rehearsal.mkdir()
    (SHOP.rehearsal / "dump").write_bytes(b"PGDMP")
    SHOP.rehearsal_socket.mkdir()
    data = SimpleNamespace(user="deploy", directory=".", settings_module="config.settings", sandbox={})
    next_step(make_step("build", "1234567-89abcde", "0" * 40, data=data), monkeypatch)
    assert cluster.databases == {"shop"}
    assert not SHOP.rehearsal.exists()
    assert not SHOP.rehearsal_socket.exists()


def test_where_nothing_is_left_nobody_is_asked(
    cluster: Cluster, make_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "clusters", stop)
    copies.sweep(make_step("build"))


@pytest.mark.proves("migrations.rehearsal.bounds")
def test_there_must_be_room(cluster: Cluster, make_step: Any, monkeypatch: pytest.MonkeyPatch, server: Path) -> None:
    needed = 250 * MB + 512 * MB
    free = {server: needed, SHOP.memory: needed}
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=free[place]))
    assert original(make_step("build")).why_not() == ""
    for place in free:
        free[place] -= MB
        said = original(make_step("build")).why_not()
        assert said == f"761 MB are free on the disk of {place}, and a copy of 100 MB needs 762 MB"
        free[place] += MB


@pytest.mark.proves("migrations.rehearsal.bounds")
@pytest.mark.parametrize(("name", "reaches"), [("postgres_fdw", True), ("postgis", False), ("pg_net", True)])
def test_an_extension_may_reach_out(cluster: Cluster, make_step: Any, name: str, reaches: bool) -> None:
    cluster.extensions.append(name)
    assert original(make_step("build")).why_not() == (
        f"its extension {name} may reach out of a copy" if reaches else ""
    )


def test_whether_anything_was_migrated(cluster: Cluster, make_step: Any) -> None:
    assert original(make_step("build")).has_migrations()


def test_a_stack_without_a_database_here(server: Path, make_step: Any) -> None:
    SHOP.memory.mkdir(parents=True)
    assert copies.original(make_step("build")) is None
    SHOP.rehearsal.mkdir()
    copies.sweep(make_step("build"))
    assert not SHOP.rehearsal.exists()
