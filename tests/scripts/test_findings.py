"""What a look finds wrong though nobody changed anything: processes, packages, database, services, disks."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from codesensei.scripts.base import host, limited, sites, units
from codesensei.scripts.base.broker_program import BrokerProgram
from codesensei.scripts.base.host import Space
from codesensei.scripts.base.sites import Configuration
from codesensei.scripts.base.step import Failure, write_json
from codesensei.scripts.base.units import UnitState
from codesensei.scripts.postgres import ownership, passwords, postgresql
from codesensei.scripts.postgres.ownership import Applied
from codesensei.scripts.postgres.passwords import Staged
from codesensei.scripts.release import record
from codesensei.scripts.release.release import VariableNotes
from codesensei.scripts.serving import brokers, findings
from codesensei.scripts.serving.live import Live
from codesensei.scripts.steps import look
from codesensei.wire import codec, paths
from codesensei.wire.manifest import RolePassword
from codesensei.wire.steps import Finding, Memory, Seen
from tests.scripts.examples import each
from tests.scripts.manifests import MAIL, PROJECT, WEB, manifest

NAME = "aaaaaaa-bbbbbbb"
STEADY = UnitState(active="active", sub="running", file="enabled", restarts="0")
CLASH = """Traceback (most recent call last):
  File "x.py", line 1
kombu.exceptions.VersionMismatch: Redis transport requires redis-py versions 3.2.0 or later"""

pytestmark = pytest.mark.proves("look.findings")


@pytest.fixture
def states(server: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, UnitState]:
    """A project that is well; a test changes what systemd says of it."""
    states = {WEB: STEADY, MAIL: STEADY}
    monkeypatch.setattr(units, "show_all", each(lambda name: states.get(name, STEADY)))
    monkeypatch.setattr(units, "journal_of", lambda name, since: f"{CLASH}\n" if name == MAIL else "")
    PROJECT.live.parent.mkdir(parents=True)
    write_json(PROJECT.live, codec.encode(manifest()))
    PROJECT.record(NAME).parent.mkdir()
    PROJECT.root.mkdir(parents=True)
    PROJECT.current.symlink_to(f"releases/{NAME}")
    record.begin(PROJECT, NAME, revision="c", settings_module="s", user="deploy")
    return states


def found(clean: Callable[[str], str] | None = str) -> list[Finding]:
    return list(findings.of_project(Live.read(PROJECT), clean))


@pytest.mark.proves("look.drop-ins")
def test_a_drop_in_that_decides_over_a_unit(states: dict[str, UnitState], tmp_path: Path) -> None:
    paths.unit(MAIL).write_text("[Service]\nExecStart=/bin/bash mail.sh\nEnvironment=A=1\nUser=deploy\n")
    folder = tmp_path / f"{MAIL}.d"
    folder.mkdir()
    (folder / "more.conf").write_text("[Service]\nEnvironment=B=2\nNice=5\n# User=root\n")
    (folder / "other.conf").write_text("[Service]\nExecStart=\n ExecStart = /bin/sleep 9\nUser=root\n")
    of_all = tmp_path / "service.d" / "all.conf"
    of_all.parent.mkdir()
    of_all.write_text("[Service]\nUser=root\n")
    drop_ins = " ".join(map(str, (of_all, folder / "more.conf", folder / "other.conf")))
    states[MAIL] = replace(STEADY, drop_ins=drop_ins)
    (told,) = [finding for finding in found() if finding.thing == MAIL]
    assert told.cause == f"{folder}/other.conf decides over ExecStart, User, in the place of what pulumi up writes"
    assert f"rm {folder}/other.conf" in told.fix


@pytest.mark.proves("look.nginx")
def test_an_nginx_that_would_not_start_again(states: dict[str, UnitState], monkeypatch: pytest.MonkeyPatch) -> None:
    said = 'nginx: [emerg] unknown directive "lissen" in /etc/nginx/conf.d/old.conf:3'
    monkeypatch.setattr(sites, "configuration", lambda: Configuration(problem=said))
    (told,) = findings.of_proxy(PROJECT)
    assert told.thing == "/etc/nginx/conf.d/old.conf, line 3"
    assert told.cause.endswith("it goes on with what it has loaded, and would not start again")
    monkeypatch.setattr(sites, "configuration", Configuration)
    assert list(findings.of_proxy(PROJECT)) == []


@pytest.mark.proves("look.nginx")
def test_a_site_that_nginx_no_longer_reads(states: dict[str, UnitState]) -> None:
    link = paths.site_link(PROJECT.site)
    assert link is not None
    others = Configuration(files=("/etc/nginx/nginx.conf",))
    assert list(findings.unread_site(others, PROJECT)) == []
    link.parent.mkdir(parents=True)
    link.symlink_to(paths.site_target(PROJECT.site))
    assert list(findings.unread_site(others, PROJECT)) == [f"nginx does not read {link}"]
    assert list(findings.unread_site(Configuration(files=(str(link),)), PROJECT)) == []
    assert list(findings.unread_site(Configuration(problem="broken"), PROJECT)) == []


@pytest.mark.proves("look.edited")
def test_a_release_that_somebody_has_edited(states: dict[str, UnitState], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "edited", lambda *_: ["a.py", "b.py", "c.py", "d.py"])
    (finding,) = found()
    assert finding.thing == f"release {NAME}"
    assert "changed it by hand since it was made: a.py, b.py, c.py and 1 more" in finding.cause


def test_a_project_that_is_well(states: dict[str, UnitState]) -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("state", "ago", "told"),
    [
        (UnitState(active="activating", sub="auto-restart", restarts="1"), 0, "restarted it 1 time since"),
        (UnitState(active="active", sub="running", restarts="3"), 9000, "it 3 times since"),
        (UnitState(active="active", sub="running", restarts="1"), 5, "it 1 time since"),
        (UnitState(active="active", sub="running", restarts="2"), 9000, ""),
    ],
)
def test_a_process_that_does_not_stay_up(states: dict[str, UnitState], state: UnitState, ago: float, told: str) -> None:
    since = time.clock_gettime(time.CLOCK_MONOTONIC) - ago
    state = states[MAIL] = replace(state, active_enter=str(int(since * 1e6)))
    assert [finding.thing for finding in found()] == ([MAIL] if told else [])
    for finding in found():
        assert told in finding.cause
        assert "requires redis-py versions 3.2.0 or later" in finding.cause
    states[WEB], states[MAIL] = state, STEADY
    for finding in found():
        assert (finding.thing, finding.fix) == (WEB, f"look on the server: journalctl -u {WEB}")


@pytest.mark.proves("secrets.filter")
@pytest.mark.parametrize("is_known", [True, False])
def test_no_secret_of_a_process_that_does_not_stay_up_is_told(
    states: dict[str, UnitState], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_known: bool
) -> None:
    """Where the secrets cannot be read, nothing that the process says is told."""
    states[MAIL] = UnitState(active="activating", sub="auto-restart", restarts="9")
    log = "Traceback (most recent call last):\n  File 'x.py', line 1\nValueError: the key s3cret-value is not valid\n"
    monkeypatch.setattr(units, "journal_of", lambda name, since: log)
    monkeypatch.setattr(host, "space", lambda path: Space(10**12, None))
    write_json(PROJECT.variable_notes(NAME), codec.encode(VariableNotes(secret_names=("API_KEY",))))
    if is_known:
        PROJECT.env_file(NAME).parent.mkdir()
        PROJECT.env_file(NAME).write_text("API_KEY='s3cret-value'\n")
    assert look.run("shop", []) == 0
    (finding,) = codec.from_text(Seen, capsys.readouterr().out, "look").findings
    told = "ValueError: the key [secret] is not valid"
    often = "systemd has restarted it 9 times since it was deployed"
    assert (finding.thing, finding.cause) == (MAIL, f"{often}: {told}" if is_known else often)


def test_processes_that_were_killed_for_memory(states: dict[str, UnitState]) -> None:
    folder = paths.SERVER.cgroups / "system.slice" / WEB
    folder.mkdir(parents=True)
    (folder / "memory.events").write_text("low 0\nhigh 0\noom 2\noom_kill 0\n")
    assert found() == []
    (folder / "memory.events").write_text("low 0\nhigh 0\noom 2\noom_kill 2\n")
    (only,) = found()
    assert (only.thing, only.cause) == (WEB, "2 of its processes were killed because memory ran out")


@pytest.mark.proves("story.memory")
def test_what_one_process_takes_on_average(
    states: dict[str, UnitState], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(paths, "SERVER", replace(paths.SERVER, processes=tmp_path / "proc"))
    folder = paths.SERVER.cgroups / "system.slice" / WEB
    folder.mkdir(parents=True)
    # One has ended meanwhile.
    (folder / "cgroup.procs").write_text("11\n12\n13\n")
    for pid, pss in (("11", 30_000), ("12", 90_000)):
        (paths.SERVER.processes / pid).mkdir(parents=True)
        words = f"Rss:  {2 * pss} kB\nPss:  {pss} kB\nPss_Dirty:  1 kB\n"
        (paths.SERVER.processes / pid / "smaps_rollup").write_text(words)
    (paths.SERVER.processes / "meminfo").write_text("MemAvailable:  500000 kB\nSwapFree:  100000 kB\n")
    look.run("shop", [])
    seen = codec.from_text(Seen, capsys.readouterr().out, "look")
    assert seen.memory == Memory(available=600_000 * 1024, each={WEB: 60_000 * 1024})


def test_packages_of_another_python(states: dict[str, UnitState], tmp_path: Path) -> None:
    record.uses(PROJECT, NAME, "v1")
    venv = PROJECT.venvs / "v1"
    (venv / "lib" / "python3.11").mkdir(parents=True)
    (venv / "bin").mkdir()
    (venv / "bin" / "python").symlink_to(tmp_path / "python3.11")
    (only,) = found()
    assert only.cause == f"its packages were installed for python3.11, and {tmp_path / 'python3.11'} is not there"
    (tmp_path / "python3.11").touch()
    assert found() == []
    (tmp_path / "python3.11").unlink()
    (tmp_path / "python3.13").touch()
    (tmp_path / "python3.11").symlink_to(tmp_path / "python3.13")
    (only,) = found()
    assert only.thing == f"release {NAME}"
    assert only.cause.endswith("and the server's Python is python3.13 now")
    assert "project.rebuild" in only.fix


@pytest.fixture
def database(states: dict[str, UnitState]) -> Path:
    """A project with a local database; returns the socket of its cluster, which is not there yet."""
    place = PROJECT.memory / "database"
    place.mkdir(parents=True, exist_ok=True)
    ownership.apply(PROJECT, Applied(name="shop db", role="shop", port=5433))
    return paths.SERVER.postgresql_sockets / ".s.PGSQL.5433"


def listen(path: Path) -> socket.socket:
    opened = socket.socket(socket.AF_UNIX)
    os.chdir(path.parent)
    opened.bind(path.name)
    opened.listen()
    return opened


def test_a_database_whose_collation_has_changed(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def rows(port: int, query: str) -> list[dict[str, str]]:
        asked.append((port, query))
        return [{"was": "2.36", "now": "2.41"}]

    monkeypatch.setattr(postgresql, "rows", rows)
    assert found() == []
    monkeypatch.chdir(database.parent)
    with listen(database):
        (only,) = found()
    assert asked[0][0] == 5433
    assert "datname = 'shop db' AND datcollversion <> pg_database_collation_actual_version(oid)" in asked[0][1]
    assert only.cause == "it was made with version 2.36 of its collation, and the system has 2.41 now"
    assert 'REINDEX DATABASE "shop db"; ALTER DATABASE "shop db" REFRESH COLLATION VERSION;' in only.fix


def test_an_old_postgresql_that_cannot_tell(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(port: int, query: str) -> None:
        raise Failure("PostgreSQL", "no such function")

    monkeypatch.setattr(postgresql, "rows", refuses)
    monkeypatch.chdir(database.parent)
    with listen(database):
        assert found() == []


@pytest.mark.proves("backups.cut-off", "look.database")
@pytest.mark.parametrize(
    ("role", "is_open", "restoring", "told"),
    [
        (True, True, True, []),
        (True, False, True, ["database shop db takes no connections"]),
        (True, False, False, []),
        (None, True, False, ["role shop is gone"]),
        (False, True, False, ["role shop may not log in"]),
        (True, None, False, ["database shop db is gone"]),
        (None, None, False, ["role shop is gone", "database shop db is gone"]),
    ],
)
def test_what_is_amiss_with_the_database(
    database: Path,
    monkeypatch: pytest.MonkeyPatch,
    role: bool | None,
    is_open: bool | None,
    restoring: bool,
    told: list[str],
) -> None:
    monkeypatch.setattr(postgresql, "rows", lambda port, query: [{"role": role, "open": is_open}])
    monkeypatch.chdir(database.parent)
    if restoring:
        PROJECT.fetched_folders.mkdir(parents=True)
    with listen(database):
        assert list(findings.of_database(PROJECT)) == told


@pytest.mark.parametrize(("serves", "unrepaired"), [({"shop db"}, ["database shop db is gone"]), (set(), [])])
def test_only_a_database_that_serves_is_given_up(
    database: Path, monkeypatch: pytest.MonkeyPatch, serves: set[str], unrepaired: list[str]
) -> None:
    monkeypatch.setattr(postgresql, "rows", lambda port, query: [{"role": None, "open": None}])
    monkeypatch.setattr(findings, "databases_that_serve", lambda project: serves)
    monkeypatch.chdir(database.parent)
    with listen(database):
        found = list(findings.of_database(PROJECT))
    assert [word for word in found if isinstance(word, findings.Unrepaired)] == unrepaired


@pytest.mark.proves("look.login")
@pytest.mark.parametrize(
    ("method", "told"),
    [
        ("scram-sha-256", []),
        ("reject", ["role shop may not log in: of pg_hba.conf, line 3 says reject"]),
        (None, ["role shop may not log in: of pg_hba.conf, no line allows it"]),
    ],
)
def test_a_login_that_pg_hba_refuses(
    database: Path, monkeypatch: pytest.MonkeyPatch, method: str | None, told: list[str]
) -> None:
    rule = {"type": "host", "database": ["all"], "user_name": ["all"], "address": "127.0.0.1", "line_number": 3}
    rules = [{**rule, "netmask": "255.255.255.255", "auth_method": method, "options": None}] if method else []
    monkeypatch.setattr(
        postgresql, "rows", lambda port, query: rules if "hba" in query else [{"role": True, "open": True}]
    )
    monkeypatch.chdir(database.parent)
    with listen(database), socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        login = Applied(name="shop db", role="shop", port=port, host="127.0.0.1", user="deploy")
        monkeypatch.setattr(ownership, "applied", lambda project: login)
        monkeypatch.setattr(findings, "postgresql_answers", lambda port: True)
        assert list(findings.of_database(PROJECT)) == told


@pytest.mark.proves("look.login")
def test_a_cluster_that_does_not_answer_root(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rows(port: int, query: str) -> list[dict[str, str]]:
        raise Failure("PostgreSQL", "psql: pg_hba.conf rejects connection")

    monkeypatch.setattr(postgresql, "rows", rows)
    monkeypatch.chdir(database.parent)
    with listen(database):
        said = "PostgreSQL (port 5433) does not answer root: psql: pg_hba.conf rejects connection"
        assert list(findings.of_database(PROJECT)) == [said]


@pytest.mark.proves("look.database")
def test_a_password_that_somebody_has_changed(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = RolePassword(role="shop", digest="d1")
    live = [{"verifier": "ours"}]
    monkeypatch.setattr(passwords, "live_account", lambda project: account)
    monkeypatch.setattr(passwords, "staged", lambda project, digest: Staged(role="shop", verifier="ours", port=5433))
    monkeypatch.setattr(postgresql, "rows", lambda port, query: live)
    monkeypatch.chdir(database.parent)
    with listen(database):
        assert list(findings.changed_password(PROJECT)) == []
        live[0]["verifier"] = "theirs"
        assert list(findings.changed_password(PROJECT)) == ["role shop has another password"]
        live.clear()
        assert list(findings.changed_password(PROJECT)) == []
        live.append({"verifier": "theirs"})
        monkeypatch.setattr(passwords, "live_account", lambda project: None)
        assert list(findings.changed_password(PROJECT)) == []


@pytest.mark.proves("look.services")
def test_services_that_a_deploy_starts_again(database: Path, states: dict[str, UnitState]) -> None:
    assert list(findings.of_database(PROJECT)) == ["PostgreSQL (port 5433) does not run"]
    states["valkey-server.service"] = states["redis-server.service"] = UnitState(active="inactive")
    assert brokers.stopped(PROJECT) == []
    broker = BrokerProgram("valkey")
    broker.drop_in.parent.mkdir()
    broker.drop_in.touch()
    assert brokers.stopped(PROJECT) == ["valkey-server.service is inactive"]
    assert units.amiss("nginx.service") == []
    states["nginx.service"] = UnitState(active="failed")
    assert units.amiss("nginx.service") == ["nginx.service is failed"]
    states["nginx.service"] = UnitState(active="active", file="disabled")
    assert units.amiss("nginx.service") == ["nginx.service is disabled"]


@pytest.mark.proves("look.services")
@pytest.mark.parametrize("step", ["database", "broker", "proxy"])
def test_the_step_that_starts_a_service_sees_that_it_stopped(
    step: str, database: Path, states: dict[str, UnitState], capsys: pytest.CaptureFixture[str]
) -> None:
    states["valkey-server.service"] = states["nginx.service"] = UnitState(active="inactive")
    BrokerProgram("valkey").drop_in.parent.mkdir()
    BrokerProgram("valkey").drop_in.touch()
    PROJECT.proofs.mkdir(parents=True, exist_ok=True)
    write_json(PROJECT.proofs / f"{step}.json", {"applied": "d1"})
    assert look.run("shop", []) == 0
    (drift,) = codec.from_text(Seen, capsys.readouterr().out, "look").steps[step].drift
    assert "is inactive" in drift or "does not run" in drift


def test_a_full_disk_is_told_with_the_rest(
    states: dict[str, UnitState], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(host, "space", lambda path: Space(1024, None))
    states[MAIL] = UnitState(active="activating", sub="auto-restart", restarts="9")
    assert look.run("shop", []) == 0
    told = codec.from_text(Seen, capsys.readouterr().out, "look").findings
    assert [finding.thing.split()[0] for finding in told] == ["disk", "disk", MAIL]
    PROJECT.live.unlink()
    look.run("shop", [])
    assert codec.from_text(Seen, capsys.readouterr().out, "look").findings == ()


@pytest.mark.proves("look.limited")
def test_a_firewall_that_limits_the_connections_of_a_deploy_is_told(
    states: dict[str, UnitState], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = Finding(thing="ufw", cause="it limits port 22", fix="let the program through")
    monkeypatch.setattr(limited, "finding", lambda: slow)
    monkeypatch.setattr(host, "space", lambda path: Space(10**12, None))
    assert look.run("shop", []) == 0
    assert codec.from_text(Seen, capsys.readouterr().out, "look").findings == (slow,)
