"""What destroy takes, what it keeps, and that a second run finds nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from codesensei.scripts.backups import postgres, settings
from codesensei.scripts.base import commands, files, host, nginx, register
from codesensei.scripts.base.broker_program import BrokerProgram
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import Failure, write_json
from codesensei.scripts.postgres import hba, ownership, postgresql
from codesensei.scripts.removal import accounts, processes
from codesensei.scripts.steps import broker, destroy
from codesensei.wire import codec, paths
from codesensei.wire.manifest import File
from codesensei.wire.names import backup_units
from codesensei.wire.steps import Destroy, OnDestroy
from tests.scripts.examples import IDENTITY, MANIFEST, STACK

SHOP = paths.ProjectPaths("shop")
Fate = Literal["keep", "drop"]
FOLDERS = """
    units/shop.service.d nginx/sites-enabled nginx/sites-available etc/shop/workers library/toolkit/abc
    srv/shop/releases/x/code srv/shop/venvs/y srv/shop/env srv/shop/shared/media srv/shop/shared/state
    srv/shop/shared/logs srv/shop/shared/uploads memory/shop/proofs memory/shop/database memory/incoming/shop
"""
KEEP = OnDestroy(database="keep", media="keep")
DROP = OnDestroy(database="drop", media="drop")


class Recorded:
    """systemctl, nginx, psql and the broker, as lists of what they were asked."""

    def __init__(self) -> None:
        self.systemd: list[str] = []
        self.statements: list[str] = []
        self.broker: list[str] = []
        self.nginx_fails = False
        self.login = True
        self.keys: str | Exception = "4"
        # All databases with their owners, and those in which the role has something.
        self.databases = {"shop": "shop", "postgres": "postgres"}
        self.holding: list[str] = []

    def systemctl(self, *words: str, check: bool = True) -> Result:
        self.systemd.append(" ".join(words))
        return Result("active" if words[0] == "is-active" else "", "", 0)

    def run(self, argv: list[str], **options: Any) -> Result:
        assert argv == ["nginx", "-t"]
        return Result("", "bad site", int(self.nginx_fails))

    def rows(self, port: int, query: str, database: str = "postgres") -> list[dict[str, Any]]:
        if "pg_shdepend" in query:
            return [{"datname": name} for name in self.holding]
        if "pg_get_userbyid(datdba) IN ('shop')" in query:
            return [{"datname": name} for name, owner in sorted(self.databases.items()) if owner == "shop"]
        if found := re.fullmatch("SELECT 1 FROM pg_database WHERE datname = '(.+)'", query):
            return [{}] if found[1] in self.databases else []
        return [{"rolcanlogin": self.login}]

    def sql(self, port: int, text: str, database: str = "postgres", thing: str = "") -> str:
        for name in re.findall('DROP DATABASE (?:IF EXISTS )?"(.+?)"', text):
            self.databases.pop(name, None)
        if text.startswith("DROP ROLE") and self.holding:
            raise Failure(thing, "psql: ERROR: role cannot be dropped because some objects depend on it")
        self.statements.append(text)
        return ""

    def in_database(self, program: BrokerProgram, number: str, command: str) -> str:
        self.broker.append(f"{number} {command}")
        if isinstance(self.keys, Exception):
            raise self.keys
        return self.keys


@pytest.fixture
def asked(server: Path, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """A deployed project `shop` in the scratch directories."""
    recorded = Recorded()
    monkeypatch.setattr(commands, "run", recorded.run)
    for module in (nginx, processes):
        monkeypatch.setattr(module, "systemctl", recorded.systemctl)
    for name in ("rows", "sql"):
        monkeypatch.setattr(postgresql, name, getattr(recorded, name))
    monkeypatch.setattr(hba, "withdraw", lambda step, port: recorded.statements.append("withdraw"))
    monkeypatch.setattr(broker, "find", lambda: BrokerProgram("redis"))
    monkeypatch.setattr(broker, "in_database", recorded.in_database)
    monkeypatch.setattr(postgresql, "clusters", lambda: [postgresql.Cluster("15", "main", 5432, True)])
    monkeypatch.setattr(accounts, "_remove_user", lambda step, name, comment: True)
    monkeypatch.setattr(host, "mentions", lambda text, but="": False)
    for folder in FOLDERS.split():
        (server / folder).mkdir(parents=True)
    for unit in ("shop.socket", "shop.service", "shop-worker.service"):
        (server / "units" / unit).write_text("[Unit]\nDescription=Shop (codesensei)\n")
    (server / "units/shop-eu.service").write_text("[Unit]\nDescription=Shop EU (codesensei)\n")
    (server / "nginx/sites-available/codesensei-shop.conf").write_text("site")
    (server / "nginx/sites-enabled/codesensei-shop.conf").symlink_to("../sites-available/codesensei-shop.conf")
    (server / "logrotate.d/codesensei-shop").write_text("")
    for name in ("db.sqlite3", "db.sqlite3-wal", "media/photo", "uploads/file"):
        (server / "srv/shop/shared" / name).write_text("data")
    for link in ("current", "previous", "shared/.env", "shared/venv"):
        (server / "srv/shop" / link).symlink_to("releases/x")
    (server / "srv/shop/manage").write_text("")
    (server / "library/shop").symlink_to("toolkit/abc")
    register.claim_slug("shop", STACK, IDENTITY)
    names = {"units": ["shop.socket", "shop.service", "shop-worker.service"], "databases": ["shop"], "roles": ["shop"]}
    register.claim("shop", {**names, "brokers": ["3"]}, user="deploy")
    ownership.apply(SHOP, ownership.Applied(name="shop", role="shop", port=5432))
    return recorded


@pytest.fixture
def end(asked: Recorded, make_step: Any) -> Any:
    def run(on_destroy: OnDestroy, identity: str = IDENTITY) -> Any:
        data = Destroy(stack=STACK, identity=identity, slug="shop", on_destroy=on_destroy)
        step = make_step("destroy", data=data)
        destroy.run(step)
        return step

    return run


def left(server: Path) -> list[str]:
    shared = server / "srv/shop/shared"
    return sorted(str(path.relative_to(shared)) for path in shared.rglob("*") if path.is_file())


@pytest.mark.proves("destroy.goes", "destroy.stays", "destroy.says")
def test_processes_and_configuration_go_and_data_stays(end: Any, asked: Recorded, server: Path) -> None:
    step = end(KEEP)
    assert sorted(path.name for path in (server / "units").iterdir()) == ["shop-eu.service", "shop.service.d"]
    assert "stop shop.socket codesensei-job-shop.service shop-worker.service shop.service" in asked.systemd
    assert list((server / "nginx").rglob("codesensei*")) == []
    assert list((server / "logrotate.d").iterdir()) == []
    assert not (server / "etc/shop").exists()
    assert sorted(path.name for path in (server / "srv/shop").iterdir()) == ["shared"]
    assert left(server) == ["db.sqlite3", "db.sqlite3-wal", "media/photo", "uploads/file"]
    said = "\n".join(step.said)
    for kept in ("kept: database shop", "shared/media", "shared/db.sqlite3", "4 keys in the broker's database 3"):
        assert kept in said
    assert "generated names and secrets end with this stack's state" in said


@pytest.mark.proves("destroy.goes")
def test_the_role_may_not_log_in_and_its_connections_end(end: Any, asked: Recorded) -> None:
    end(KEEP)
    assert all("codesensei_" in text for text in asked.statements[:2])
    assert asked.statements[2:4] == ["withdraw", 'ALTER ROLE "shop" NOLOGIN;']
    assert "pg_terminate_backend" in asked.statements[4]
    assert len(asked.statements) == 5
    assert "3 FLUSHDB" not in asked.broker


@pytest.mark.proves("destroy.stays")
def test_dropping_leaves_nothing(end: Any, asked: Recorded, server: Path) -> None:
    end(DROP)
    assert not (server / "srv/shop").exists()
    assert 'DROP DATABASE "shop" WITH (FORCE);' in asked.statements
    assert asked.statements[-1] == 'DROP ROLE "shop";'
    assert "3 FLUSHDB" in asked.broker
    assert register.entry("shop") is None
    assert register.kept("shop") is None


@pytest.mark.proves("destroy.copies")
@pytest.mark.parametrize("fate", [KEEP, DROP])
def test_copies_of_the_data_that_a_killed_run_has_left_go(
    end: Any, asked: Recorded, server: Path, fate: OnDestroy
) -> None:
    """The stack's role owns them, so it could not be dropped, and nobody would look for them again."""
    asked.databases |= {"codesensei_new_shop": "shop", "codesensei_check_shop": "shop", "codesensei_new_blog": "blog"}
    (SHOP.fetched_folders / "media").mkdir(parents=True)
    step = end(fate)
    assert {*asked.databases} == {"postgres", "codesensei_new_blog"} | ({"shop"} if fate == KEEP else set())
    for what in ("new", "check"):
        assert f"database codesensei_{what}_shop dropped, which an interrupted run has left" in step.said
    assert not SHOP.fetched_folders.exists()


@pytest.mark.proves("destroy.copies")
def test_so_do_their_roles_where_nothing_else_is_left(end: Any, asked: Recorded) -> None:
    step = end(DROP)
    for what in ("new", "check"):
        assert any(f'DROP ROLE IF EXISTS "codesensei_{what}_shop_restore"' in text for text in asked.statements)
    assert not any("interrupted" in line for line in step.said)


@pytest.mark.proves("destroy.copies", "destroy.stays")
@pytest.mark.parametrize("fate", [KEEP, DROP])
def test_databases_that_a_restore_has_kept_share_the_fate_of_the_one_that_served(
    end: Any, asked: Recorded, fate: OnDestroy
) -> None:
    before = "shop-before-20260131-120000"
    others = {"blog-before-20260131-120000": "shop", "shop-before-today": "shop", "shop-before-20260131-120001": "anna"}
    asked.databases |= {before: "shop", **others}
    step = end(fate)
    left = {"postgres", *others}
    assert {*asked.databases} == (left | {"shop", before} if fate == KEEP else left)
    assert any(line.startswith(f"kept: database {before} (") for line in step.said) is (fate == KEEP)


@pytest.mark.proves("destroy.says")
def test_what_keeps_a_role_is_named(end: Any, asked: Recorded) -> None:
    asked.holding = ["others", "shop-too"]
    step = end(DROP)
    assert "kept: role shop, without login: it owns or may do something in others, shop-too" in step.said
    assert register.kept("shop") == register.Kept(stack=STACK, user="", role="shop", database="")


@pytest.mark.proves("destroy.copies", "backups.ended")
def test_a_backup_that_runs_ends_first(end: Any, server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def sweep(project: object, port: int) -> list[str]:
        done.append("sweep")
        return []

    monkeypatch.setattr(settings, "systemctl", lambda *words, check=True: done.append(" ".join(words)))
    monkeypatch.setattr(postgres, "sweep", sweep)
    timer, service = backup_units("shop")
    for name in (timer, service):
        (server / "units" / name).write_text("[Unit]\n")
    end(KEEP)
    assert done == [f"stop {service}", f"disable --now --quiet {timer}", "daemon-reload", "sweep"]


@pytest.mark.proves("destroy.own-only")
@pytest.mark.parametrize("fate", [KEEP, DROP])
def test_names_that_were_only_claimed_are_another_s_in_postgresql(
    end: Any, asked: Recorded, server: Path, fate: OnDestroy
) -> None:
    """Another cluster than the stack's, or the stack's own before its first deploy came so far, may have the names."""
    (server / "memory/shop/database/applied.json").unlink()
    (server / "memory/shop/database/applied.json.copy").unlink()
    end(fate)
    assert asked.statements == []
    assert register.entry("shop") is None
    found = register.kept("shop")
    assert (found.role, found.database) == ("", "") if found else fate == DROP


@pytest.mark.proves("destroy.stays")
def test_what_an_earlier_destroy_kept_stays_this_stacks(end: Any, asked: Recorded, server: Path) -> None:
    """Where the deploy after it has failed before it came to the database."""
    end(KEEP)
    asked.statements.clear()
    register.claim_slug("shop", STACK, IDENTITY)
    register.claim("shop", {"databases": ["shop"], "roles": ["shop"]}, user="deploy")
    step = end(DROP)
    assert asked.statements == []
    assert "kept: database shop in PostgreSQL, as an earlier destroy of this stack has left it" in step.said
    assert register.kept("shop") == register.Kept(stack=STACK, user="", role="shop", database="shop")


def test_sqlite_goes_with_the_database_and_media_with_media(end: Any, server: Path) -> None:
    end(OnDestroy(database="drop", media="keep"))
    assert left(server) == ["media/photo", "uploads/file"]


@pytest.mark.parametrize(("database", "media"), [("drop", "keep"), ("keep", "drop")])
def test_a_directory_with_both_keeps_what_shall_stay(end: Any, server: Path, database: Fate, media: Fate) -> None:
    data = server / "srv/shop/shared/data"
    (data / "deep").mkdir(parents=True)
    for name in ("shop.sqlite", "shop.sqlite-wal", "deep/picture.png"):
        (data / name).touch()
    (data / "away").symlink_to(server)
    end(OnDestroy(database=database, media=media))
    left = {str(path.relative_to(data)) for path in data.rglob("*") if path.is_file() and "away" not in str(path)}
    assert left == ({"deep/picture.png"} if media == "keep" else {"shop.sqlite", "shop.sqlite-wal"})
    assert server.is_dir()


def test_media_alone_can_be_dropped(end: Any, server: Path) -> None:
    end(OnDestroy(database="keep", media="drop"))
    assert left(server) == ["db.sqlite3", "db.sqlite3-wal"]


def test_a_second_run_finds_nothing(end: Any, asked: Recorded, server: Path) -> None:
    end(KEEP)
    asked.systemd.clear()
    asked.statements.clear()
    again = end(KEEP)
    assert again.changes == 0
    assert again.said == ["nothing is left of shop"]
    assert (asked.systemd, asked.statements) == ([], [])
    assert left(server) == ["db.sqlite3", "db.sqlite3-wal", "media/photo", "uploads/file"]


def test_memory_link_and_toolkit_go_last(end: Any, server: Path) -> None:
    end(KEEP)
    assert not (server / "memory/shop").exists()
    assert not (server / "memory/incoming/shop").exists()
    assert not (server / "library/shop").is_symlink()
    assert list((server / "library/toolkit").iterdir()) == []


def test_a_toolkit_that_another_project_uses_stays(end: Any, server: Path) -> None:
    (server / "library/blog").symlink_to("toolkit/abc")
    end(DROP)
    assert (server / "library/toolkit/abc").is_dir()


@pytest.mark.proves("destroy.own-only")
def test_what_is_another_stacks_now_is_left_alone(end: Any, asked: Recorded, server: Path) -> None:
    step = end(DROP, identity="id2")
    assert step.changes == 0
    assert "belongs to the stack org/codesensei/prod now" in step.said[0]
    assert (asked.systemd, asked.statements) == ([], [])
    assert (server / "library/shop").is_symlink()


def test_a_unit_that_was_replaced_by_hand_stays(end: Any, server: Path) -> None:
    (server / "units/shop.service").write_text("[Unit]\nDescription=by hand\n")
    end(DROP)
    assert (server / "units/shop.service").exists()


def test_a_reload_that_nginx_refused_is_done_by_the_next_run(end: Any, asked: Recorded) -> None:
    asked.nginx_fails = True
    with pytest.raises(Failure, match="nginx still serves it"):
        end(DROP)
    assert register.entry("shop") is not None
    asked.nginx_fails = False
    end(DROP)
    assert "reload nginx.service" in asked.systemd
    assert register.entry("shop") is None


@pytest.mark.parametrize("at", range(12))
def test_a_run_that_is_cut_off_anywhere_is_completed_by_the_next(
    end: Any, server: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    remove, count = files.remove_path, 0

    def cut(path: Path) -> bool:
        nonlocal count
        count += 1
        if count == at + 1:
            raise KeyboardInterrupt
        return remove(path)

    monkeypatch.setattr(files, "remove_path", cut)
    with pytest.raises(KeyboardInterrupt):
        end(DROP)
    monkeypatch.setattr(files, "remove_path", remove)
    end(DROP)
    assert not (server / "srv/shop").exists()
    assert not (server / "library/shop").is_symlink()
    assert register.entry("shop") is None
    assert [path.name for path in (server / "units").glob("shop*.service")] == ["shop-eu.service"]


def test_files_of_the_last_manifest_go_too_but_no_foreign_ones(end: Any, server: Path) -> None:
    foreign = server / "foreign"
    foreign.write_text("")
    own = paths.ProjectPaths("shop").worker_script("mail")
    own.write_text("")
    written = tuple(File(path=str(path), content="") for path in (foreign, own))
    write_json(paths.ProjectPaths("shop").live, codec.encode(replace(MANIFEST, files=written)))
    step = end(DROP)
    assert foreign.exists()
    assert f"{own} removed" in step.said


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("0", "nothing"),
        (ConnectionError("ERR index out of range"), "nothing"),
        ("4", "broker database 3 emptied"),
    ],
)
def test_only_a_broker_database_that_tells_its_keys_is_emptied(
    end: Any, asked: Recorded, keys: str | Exception, said: str
) -> None:
    asked.keys = keys
    step = end(DROP)
    emptied = said != "nothing"
    assert asked.broker == ["3 DBSIZE", *(["3 FLUSHDB"] if emptied else [])]
    assert (said in step.said) is emptied
    assert not any("keys in the broker" in line for line in step.said)


def test_a_server_without_a_broker_has_nothing_to_empty(
    end: Any, asked: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find() -> BrokerProgram:
        raise Failure("broker", "neither valkey-server nor redis-server is installed")

    monkeypatch.setattr(broker, "find", find)
    end(DROP)
    assert asked.broker == []
    assert register.entry("shop") is None


@pytest.mark.proves("destroy.stays")
def test_what_is_kept_is_noted_for_the_stack(end: Any) -> None:
    end(KEEP)
    assert register.kept("shop") == register.Kept(stack=STACK, user="deploy", role="shop", database="shop")
