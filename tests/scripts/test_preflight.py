"""What is refused before anything is changed: each with its owner and a fix."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import host, register
from codesensei.scripts.base.step import Failure, write_json
from codesensei.scripts.postgres import ownership, postgresql
from codesensei.scripts.steps import preflight

PROD = "org/codesensei/prod"


@pytest.fixture
def fine(server: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which everything is as it should be, and the claimed slug."""
    monkeypatch.setattr(host, "system", lambda: host.System("debian", "12", "Debian GNU/Linux 12 (bookworm)"))
    monkeypatch.setattr(host, "runs_systemd", lambda: True)
    monkeypatch.setattr(host, "space", lambda path: host.Space(10**12, 10**9))
    monkeypatch.setattr(host, "available_memory", lambda: 10**10)
    monkeypatch.setattr(host, "listeners", lambda ports: [])
    monkeypatch.setattr(preflight, "_user_is_plain", lambda *words: None)
    monkeypatch.setattr(preflight, "UNIT_FOLDERS", (str(server / "units"),))
    monkeypatch.setattr(preflight, "served_names", lambda: {})
    monkeypatch.setattr(postgresql, "clusters", lambda: [])
    (server / "units").mkdir()
    register.claim_slug("shop", PROD, "id1")
    return server


@pytest.fixture
def check(fine: Path, make_step: Any) -> Any:
    def run(**over: Any) -> Any:
        plan = {"kind": "generated", "name": "shop", "role": "shop", "host": "127.0.0.1", "port": 5432}
        data: dict[str, Any] = {
            "stack": PROD,
            "identity": "id1",
            "slug": "shop",
            "user": "deploy",
            "shareUser": False,
            "loginUser": "root",
            "adopt": False,
            "allowUnsupported": False,
            "units": ["shop.service", "shop-worker.service"],
            "hostnames": ["shop.example.com"],
            "database": plan,
            "brokerNumbers": [0],
            "ports": [80, 443],
            **over,
        }
        step = make_step("preflight", **data)
        preflight.run(step)
        return step

    return run


def test_all_names_are_claimed_at_once_and_then_unchanged(check: Any) -> None:
    assert check().changes == 1
    entry = register.entries()["shop"]
    assert entry.user == "deploy"
    assert entry.names == {
        "units": ("shop-worker.service", "shop.service"),
        "hostnames": ("shop.example.com",),
        "brokers": ("0",),
        "databases": ("shop",),
        "roles": ("shop",),
    }
    assert check().changes == 0


@pytest.mark.proves("os.refused")
def test_an_unsupported_system_is_refused_by_name_unless_allowed(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "system", lambda: host.System("debian", "11", "Debian GNU/Linux 11 (bullseye)"))
    with pytest.raises(Failure, match=r"bullseye.*not supported"):
        check()
    check(allowUnsupported=True)


@pytest.mark.proves("preflight.room")
@pytest.mark.parametrize(
    ("fact", "value", "reason"),
    [
        ("runs_systemd", lambda: False, "not process 1"),
        ("space", lambda path: host.Space(10**6, 10**6), "MiB are free"),
        ("space", lambda path: host.Space(10**12, 10), "10 inodes are free"),
        ("available_memory", lambda: 10**6, "MiB are available"),
    ],
)
def test_a_machine_without_room_is_refused(
    check: Any, monkeypatch: pytest.MonkeyPatch, fact: str, value: Any, reason: str
) -> None:
    monkeypatch.setattr(host, fact, value)
    with pytest.raises(Failure, match=reason):
        check()


def test_a_file_system_that_makes_inodes_as_needed_is_fine(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "space", lambda path: host.Space(10**12, None))
    check()


@pytest.mark.proves("os.port-80", "preflight.ports")
def test_who_holds_a_port_is_named_unless_it_is_nginx(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "listeners", lambda ports: [host.Listener("0.0.0.0", 80, "apache2", 812)])
    with pytest.raises(Failure, match=r"port 80: the process apache2 \(812\)"):
        check()
    monkeypatch.setattr(host, "listeners", lambda ports: [host.Listener("0.0.0.0", 80, "nginx", 812)])
    check()


@pytest.mark.parametrize("user", ["root", "postgres", "www-data", "systemd-network", "csb-12345678"])
def test_accounts_of_the_system_are_no_app_users(check: Any, user: str) -> None:
    with pytest.raises(Failure, match="belongs to the system"):
        check(user=user, loginUser="debian")


@pytest.mark.proves("user.refused")
def test_the_login_user_is_no_app_user(check: Any) -> None:
    with pytest.raises(Failure, match="logs in as this user"):
        check(user="debian", loginUser="debian")


@pytest.mark.proves("user.shared")
def test_a_second_project_says_that_it_shares_the_user(check: Any) -> None:
    register.claim_slug("blog", "org/codesensei/blog", "id2")
    register.claim("blog", {}, user="deploy")
    with pytest.raises(Failure, match="the project blog runs as this user"):
        check()
    check(shareUser=True)
    # Once it does, the first project's own next deploy is not refused for it.
    check()


def test_the_user_of_a_deployed_project_does_not_change_by_itself(check: Any, fine: Path) -> None:
    check()
    (fine / "srv/shop/shared").mkdir(parents=True)
    with pytest.raises(Failure, match=r"runs as deploy.*media"):
        check(user="other")
    check(user="other", adopt=True)


@pytest.mark.proves("register.reserved-units")
@pytest.mark.parametrize(
    "unit", ["ssh.service", "nginx.service", "systemd-logind.service", "postgresql@15-main.service"]
)
def test_units_of_the_system_are_refused_even_with_adopt(check: Any, unit: str) -> None:
    with pytest.raises(Failure, match="belongs to the system"):
        check(units=[unit], adopt=True)


@pytest.mark.proves("register.reserved-units")
def test_a_unit_that_somebody_else_wrote_is_never_taken(check: Any, fine: Path) -> None:
    (fine / "units/shop.service").write_text("[Unit]\nDescription=by hand\n")
    with pytest.raises(Failure, match="was not written by codesensei"):
        check(adopt=True)


@pytest.mark.proves("register.adopt")
def test_a_unit_of_ours_that_the_register_does_not_know_is_adopted_only(check: Any, fine: Path) -> None:
    (fine / "units/shop.service").write_text("[Unit]\nDescription=Shop (codesensei)\n")
    with pytest.raises(Failure, match="no longer knows"):
        check()
    check(adopt=True)
    check()


def test_a_hostname_that_another_site_serves_names_the_file(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {Path("/etc/nginx/conf.d/old.conf"): {"shop.example.com"}}
    monkeypatch.setattr(preflight, "served_names", lambda: found)
    with pytest.raises(Failure, match=r"/etc/nginx/conf.d/old.conf"):
        check(adopt=True)


@pytest.mark.proves("register.refused")
def test_a_refusal_claims_nothing(check: Any) -> None:
    register.claim_slug("blog", "org/codesensei/blog", "id2")
    register.claim("blog", {"brokers": ["0"]})
    with pytest.raises(Failure, match="broker database 0: it belongs to the stack org/codesensei/blog"):
        check()
    assert register.entries()["shop"].names == {}


def test_a_slug_that_was_taken_over_meanwhile_is_refused(check: Any) -> None:
    register.claim_slug("shop", "org/codesensei/other", "id2", adopt=True)
    with pytest.raises(Failure, match="belongs to the stack org/codesensei/other now"):
        check()


@pytest.mark.proves("register.reserved-databases")
@pytest.mark.parametrize("name", ["postgres", "template0", "template1", "pg_monitor", ""])
def test_databases_and_roles_of_postgresql_are_refused_even_with_adopt(check: Any, name: str) -> None:
    plan = {"kind": "local", "name": "shop", "role": "shop", "host": "", "port": 5432}
    for key in ("name", "role"):
        with pytest.raises(Failure, match="never a project's"):
            check(database={**plan, key: name}, adopt=True)


@pytest.mark.proves("register.database-fixed")
def test_a_database_name_does_not_change_and_the_error_says_how_to_move(
    check: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = check()
    note = ownership.applied(step.project)
    note.parent.mkdir(parents=True)
    write_json(note, {"name": "shop", "role": "shop", "port": 5432})
    monkeypatch.setattr(postgresql, "clusters", lambda: [postgresql.Cluster("15", "main", 5432, True)])
    monkeypatch.setattr(postgresql, "rows", lambda port, query, name="": [{"1": 1}] if "'shop'" in query else [])
    with pytest.raises(Failure) as refused:
        check(database={"kind": "local", "name": "store", "role": "shop", "host": "", "port": 5432})
    assert 'ALTER DATABASE "shop" RENAME TO "store"' in refused.value.fix
    for over, said in (({"role": "store"}, "this project's role is shop"), ({"port": 5433}, "port 5432")):
        plan = {"kind": "local", "name": "shop", "role": "shop", "host": "", "port": 5432, **over}
        monkeypatch.setattr(postgresql, "rows", lambda port, query, name="": [{"1": 1}] if "'shop'" in query else [])
        with pytest.raises(Failure, match=said):
            check(database=plan)


def test_a_cluster_that_is_down_is_claimed_by_the_step_that_starts_it(
    check: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "clusters", lambda: [postgresql.Cluster("15", "main", 5432, False)])
    check()
    assert "databases" not in register.entries()["shop"].names


@pytest.mark.proves("preflight.ports", "database.auto.external")
def test_an_external_database_is_tried_from_here(check: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        plan = {"kind": "external", "name": "x", "role": "x", "host": "127.0.0.1", "port": port}
        check(database=plan)
    with pytest.raises(Failure, match=r"cannot be reached from this server \(127.0.0.1: "):
        check(database=plan)
    assert "databases" not in register.entries()["shop"].names


def test_a_database_host_without_an_address_is_named(check: Any) -> None:
    plan = {"kind": "external", "name": "x", "role": "x", "host": "database.invalid", "port": 5432}
    with pytest.raises(Failure, match=r"database host database.invalid: its name cannot be resolved"):
        check(database=plan)


SUDOERS = """\
Defaults env_reset
#includedir {folder}
root ALL=(ALL:ALL) ALL
%sudo   ALL=(ALL:ALL) ALL
User_Alias OPS = anna, \\
    bert : NIGHT = carl
User_Alias ALLOPS = OPS
ALLOPS web = /usr/bin/systemctl
dora, emil HOST = NOPASSWD: /bin/ls
#1234567 ALL = ALL
"frank" ALL = ALL
# gina ALL = ALL
Cmnd_Alias HANNA = /bin/ls
Host_Alias IDA = a, b
"""


@pytest.mark.proves("user.refused")
@pytest.mark.parametrize(
    ("user", "groups", "rules"),
    [
        ("deploy", ["deploy"], 0),
        ("root", [], 1),
        ("deploy", ["sudo"], 1),
        ("anna", [], 1),
        ("bert", [], 1),
        ("carl", [], 0),
        ("dora", [], 1),
        ("emil", [], 1),
        ("frank", [], 1),
        ("gina", [], 0),
        ("HANNA", [], 0),
        ("IDA", [], 0),
        ("included", [], 1),
        ("backup", [], 0),
    ],
)
def test_sudo_rules_are_found_for_a_user_and_its_groups(
    tmp_path: Path, user: str, groups: list[str], rules: int
) -> None:
    folder = tmp_path / "sudoers.d"
    folder.mkdir()
    (folder / "one").write_text("included ALL=(ALL) ALL\n")
    (folder / "two.dpkg-old").write_text("backup ALL=(ALL) ALL\n")
    path = tmp_path / "sudoers"
    path.write_text(SUDOERS.format(folder=folder))
    assert len(list(preflight.sudo_rules(user, groups, path))) == rules


def test_a_rule_for_everybody_counts(tmp_path: Path) -> None:
    path = tmp_path / "sudoers"
    path.write_text("ALL ALL=(root) NOPASSWD: /usr/bin/reboot\n")
    assert [line for _, line in preflight.sudo_rules("deploy", [], path)] == [path.read_text().strip()]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("server { server_name a.example.com B.example.com; }", {"a.example.com", "b.example.com"}),
        ("server_name\n  a.example.com\n  'c.example.com';", {"a.example.com", "c.example.com"}),
        ("# server_name a.example.com;\nserver_name _;", set()),
        ("server_names_hash_max_size 64; server_name_in_redirect on;", set()),
    ],
)
def test_server_names_are_read_from_sites(text: str, names: set[str]) -> None:
    assert preflight.server_names(text) == names


def test_our_own_sites_are_not_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "sites-enabled").mkdir()
    for name in ("codesensei-shop.conf", "old"):
        (tmp_path / "sites-enabled" / name).write_text("server { server_name shop.example.com; }")
    assert list(preflight.served_names(tmp_path)) == [tmp_path / "sites-enabled/old"]
