"""Names and values in SQL, the password's verifier, and who may take what exists."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesensei.scripts.base import commands, register, units
from codesensei.scripts.base.commands import Result
from codesensei.scripts.base.step import Failure, read_json, write_json
from codesensei.scripts.postgres import hba, ownership, passwords, postgresql, scram
from codesensei.scripts.release import record
from codesensei.scripts.steps import database
from codesensei.wire import codec
from tests.scripts.examples import ACCOUNT, DATABASE, MANIFEST

PROD = "org/codesensei/prod"


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("shop", '"shop"'),
        ("Shop-1", '"Shop-1"'),
        ('a"b', '"a""b"'),
        ('"; DROP TABLE x; --', '"""; DROP TABLE x; --"'),
        ("back\\slash", '"back\\slash"'),
        ("naïve", '"naïve"'),
        ("", '""'),
    ],
)
def test_identifiers(name: str, quoted: str) -> None:
    assert postgresql.identifier(name) == quoted


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("shop", "'shop'"),
        ("it's", "'it''s'"),
        ("'; DROP TABLE x; --", "'''; DROP TABLE x; --'"),
        ("a\\b", " E'a\\\\b'"),
        ("\\'", " E'\\\\'''"),
        ("line\nbreak", "'line\nbreak'"),
        ("naïve", "'naïve'"),
        ("", "''"),
    ],
)
def test_literals(value: str, quoted: str) -> None:
    assert postgresql.literal(value) == quoted


@pytest.mark.parametrize("quote", [postgresql.identifier, postgresql.literal])
def test_a_nul_is_refused(quote: Any) -> None:
    with pytest.raises(Failure, match="NUL"):
        quote("a\0b")


@pytest.mark.proves("register.reserved-databases")
@pytest.mark.parametrize(
    ("name", "never"),
    [
        ("postgres", True),
        ("template0", True),
        ("template1", True),
        ("pg_read_all_data", True),
        ("public", True),
        ("", True),
        ("x" * 64, True),
        ("é" * 32, True),
        ("x" * 63, False),
        ("shop", False),
        ("pgbouncer", False),
    ],
)
def test_names_that_are_never_a_projects(name: str, never: bool) -> None:
    assert ownership.forbidden(name) is never


# Stored by PostgreSQL 17.12 for CREATE ROLE … PASSWORD with these passwords.
STORED = [
    (
        "simple",
        "SCRAM-SHA-256$4096:0pLnkhbqh3/WbgHzwx842A==$"
        "V581ae3b4vnYi8dwJC8EcIG2OunM+q9/+nYpdcd4b+g=:"
        "8bLsVG9hwjjzriXZn/3UBKnsetIjinn5QdPBigiZW1k=",
    ),
    (
        "pa ss'w\\ord\"$",
        "SCRAM-SHA-256$4096:hCq6ZmFrMc5RWQqRuyR+yg==$"
        "mdadqsYEJIltqmy22ySp2cimqbFOw0Q+Dd6EJsbl+BI=:"
        "3oXZI+FDf+SELaWxAVm0dCYbhw8wGpGRbedDGXQgIk8=",
    ),
    (
        "na\xefve-\xe9",
        "SCRAM-SHA-256$4096:YUBqVXIi57EOahN4Y9ifyw==$"
        "SjhbReQSkemJmnerOICe2g4VrqPnmozrR7jDr+Z3NVg=:"
        "fjhKtVwPNgKDnfIHtH0EVWEQ9CfeOrD27Bi6lZSHZW8=",
    ),
    (
        "I\xadX\u2168",
        "SCRAM-SHA-256$4096:pg8E5Y0RAK+7RLR+4geLsg==$"
        "3QmjgpuW2I1DGHox4Uv67PGeq2hhBfyeJn4vENc/MmE=:"
        "+wLd8svxO/4QPDpg9PNlKpDlOv6Z6IIDHm4c80lS5o4=",
    ),
    (
        "\u06271",
        "SCRAM-SHA-256$4096:C6UKCEVzr+J/1eFGkMDWgw==$"
        "+BpSMqufG6EFRPXwOV8bsKyQlFwN/IR9ZihqLqNWfbo=:"
        "u7JiKbuTebC7XuGLFm8JZs1Rx98Rw34cAyebqvn1A0Y=",
    ),
    (
        "a\xa0b",
        "SCRAM-SHA-256$4096:AOvfS+Z1Ug0XGxAfbQ1T9w==$"
        "s8khV6yZXL51Oc50iMSfFCjDgdf9rfmaccV0lUq6aYg=:"
        "ulbJFkYV0XEyw+PcJsggSIAj+UbeStNN12Olcrg7kls=",
    ),
]


@pytest.mark.parametrize(("password", "stored"), STORED)
def test_verifiers_are_those_of_postgresql(password: str, stored: str) -> None:
    assert scram.matches(stored, password)
    assert not scram.matches(stored, password + "x")


def test_a_verifier_never_holds_the_password_and_differs_each_time() -> None:
    first, second = scram.verifier("canary-7f3a"), scram.verifier("canary-7f3a")
    assert first != second
    assert first.startswith("SCRAM-SHA-256$4096:")
    assert "canary" not in first
    assert scram.matches(first, "canary-7f3a")


@pytest.mark.parametrize("stored", [None, "", "md5a0b1c2", "plain", "SCRAM-SHA-256$x"])
def test_other_stored_passwords_match_nothing(stored: str | None) -> None:
    assert not scram.matches(stored, "plain")


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("plain", "plain"),
        ("I\u00adX", "IX"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("\u0007", "\u0007"),
        ("\u0627\u0031", "\u0627\u0031"),
        ("é", "é"),
    ],
)
def test_saslprep_as_rfc_4013_has_it_and_unchanged_where_it_refuses(text: str, prepared: str) -> None:
    assert scram.saslprep(text) == prepared


class FakeCluster:
    """The answers of a cluster with some roles and databases; keeps the statements it was sent."""

    def __init__(self) -> None:
        self.roles: dict[str, dict[str, Any]] = {}
        self.databases: dict[str, dict[str, Any]] = {}
        self.statements: list[str] = []
        # How PostgreSQL's unit is not as it should be.
        self.amiss: list[str] = []

    def rows(self, port: int, query: str, database: str = "postgres") -> list[dict[str, Any]]:
        for role, facts in self.roles.items():
            if f"rolname = '{role}'" in query:
                return [facts] if "rolsuper" not in query or facts.get("rolsuper") else []
        for name, facts in self.databases.items():
            if f"datname = '{name}'" in query:
                return [facts]
        if "has_schema_privilege" in query:
            return [{"create": True}]
        if "template0" in query:
            return [{"encoding": "SQL_ASCII"}]
        return []

    def sql(self, port: int, text: str, database: str = "postgres", thing: str = "") -> str:
        self.statements.append(text)
        words = text.split("'")
        if text.startswith(("CREATE ROLE", "ALTER ROLE")):
            was = self.roles.get("shop", {}).get("rolpassword")
            password = words[1] if " PASSWORD '" in text else None if " PASSWORD " in text else was
            self.roles["shop"] = {"rolcanlogin": True, "rolpassword": password, "locked": False}
        if text.startswith("CREATE DATABASE"):
            self.databases["shop"] = {"owner": "shop", "encoding": "UTF8", "open": False}
        if "ALLOW_CONNECTIONS true" in text:
            self.databases["shop"]["open"] = True
        return ""


@pytest.fixture
def cluster(server: Any, monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    fake = FakeCluster()
    monkeypatch.setattr(postgresql, "rows", fake.rows)
    monkeypatch.setattr(postgresql, "sql", fake.sql)
    monkeypatch.setattr(postgresql, "clusters", lambda: [postgresql.Cluster("15", "main", 5432, True)])
    monkeypatch.setattr(hba, "check_access", lambda *words: None)
    monkeypatch.setattr(units, "amiss", lambda name: fake.amiss)
    register.claim_slug("shop", PROD, "id1")
    (server / "memory/shop").mkdir()
    (server / "srv/shop").mkdir()
    return fake


@pytest.fixture
def deploy(cluster: FakeCluster, make_step: Any) -> Any:
    def run(password: str = "first", digest: str = "d1", **over: Any) -> Any:
        account = {name: over.pop(name) for name in ("name", "role", "port") if name in over}
        changed = replace(ACCOUNT, digest=digest, **account)
        step = make_step("database", data=replace(DATABASE, account=changed, password=password, **over))
        database.run(step)
        return step

    return run


@pytest.mark.proves("database.encoding", "database.scram")
def test_a_first_deploy_makes_role_and_database_in_utf8_without_the_password(deploy: Any, cluster: FakeCluster) -> None:
    deploy()
    assert "first" not in "".join(cluster.statements)
    assert scram.matches(cluster.roles["shop"]["rolpassword"], "first")
    made = next(text for text in cluster.statements if text.startswith("CREATE DATABASE"))
    assert "TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C.UTF-8'" in made
    assert 'OWNER "shop"' in made


def test_a_second_run_sends_nothing(deploy: Any, cluster: FakeCluster) -> None:
    deploy()
    cluster.statements.clear()
    assert deploy().changes == 0
    assert cluster.statements == []


def test_no_other_role_is_let_in_also_after_a_run_that_was_cut_off(deploy: Any, cluster: FakeCluster) -> None:
    deploy()
    opened = next(text for text in cluster.statements if "ALLOW_CONNECTIONS true" in text)
    assert opened.startswith('REVOKE CONNECT, TEMPORARY ON DATABASE "shop" FROM PUBLIC;')
    cluster.databases["shop"]["open"] = False
    cluster.statements.clear()
    assert deploy().changes == 1
    assert cluster.statements == [opened]


def serve(step: Any) -> None:
    write_json(step.project.live, codec.encode(MANIFEST))


@pytest.mark.proves("database.password")
def test_a_new_password_of_a_serving_role_waits_for_the_switch(deploy: Any, cluster: FakeCluster) -> None:
    serve(deploy())
    cluster.statements.clear()
    assert deploy("second", "d2").changes == 1
    assert deploy("second", "d2").changes == 0
    assert cluster.statements == []
    assert scram.matches(passwords.find("shop", "shop", "d2").staged, "second")


@pytest.mark.proves("database.password")
def test_the_switch_applies_a_password_and_puts_it_back(
    deploy: Any, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(deploy())
    deploy("second", "d2")
    before = passwords.apply("shop", "shop", "d2")
    assert scram.matches(before, "first")
    assert scram.matches(cluster.roles["shop"]["rolpassword"], "second")
    cluster.statements.clear()
    passwords.apply("shop", "shop", "d2")
    assert cluster.statements == []
    passwords.restore("shop", before)
    assert scram.matches(cluster.roles["shop"]["rolpassword"], "first")


def test_a_password_that_was_never_staged_cannot_be_applied(deploy: Any) -> None:
    deploy()
    with pytest.raises(Failure, match="has not been staged"):
        passwords.apply("shop", "shop", "other")


def test_staged_verifiers_are_roots_alone(deploy: Any) -> None:
    step = deploy()
    staged = step.project.memory / "database" / "d1.json"
    assert staged.stat().st_mode & 0o777 == 0o600
    assert staged.parent.stat().st_mode & 0o777 == 0o700
    assert "first" not in staged.read_text()


def test_a_live_password_that_is_the_same_is_kept(deploy: Any, cluster: FakeCluster) -> None:
    serve(deploy())
    live = cluster.roles["shop"]["rolpassword"]
    assert deploy("first", "other-digest").changes == 0
    assert passwords.find("shop", "shop", "other-digest").staged == live


@pytest.mark.proves("register.adopt", "register.refused")
@pytest.mark.parametrize("what", ["role", "database"])
def test_what_exists_and_is_nobodys_is_taken_with_adopt_only(deploy: Any, cluster: FakeCluster, what: str) -> None:
    if what == "role":
        cluster.roles["shop"] = {"rolcanlogin": True, "rolpassword": "SCRAM-SHA-256$4096:x", "locked": False}
    else:
        cluster.databases["shop"] = {"owner": "anna", "encoding": "UTF8", "open": True}
    with pytest.raises(Failure, match=f"{what} shop: it exists in this server's PostgreSQL, and no stack here has it"):
        deploy()
    assert cluster.statements == []
    deploy(adopt=True)
    assert scram.matches(cluster.roles["shop"]["rolpassword"], "first")
    if what == "database":
        assert 'ALTER DATABASE "shop" OWNER TO "shop";' in cluster.statements


def test_a_superuser_is_never_taken(deploy: Any, cluster: FakeCluster) -> None:
    cluster.roles["shop"] = {"rolcanlogin": True, "rolpassword": None, "rolsuper": True, "locked": False}
    with pytest.raises(Failure, match="superuser"):
        deploy(adopt=True)


def test_what_a_destroy_kept_is_taken_up_by_its_stack(deploy: Any, cluster: FakeCluster) -> None:
    deploy()
    cluster.roles["shop"]["rolcanlogin"] = False
    register.forget("shop", register.Kept(stack=PROD, user="deploy", role="shop", database="shop"))
    register.claim_slug("shop", PROD, "id2")
    step = deploy("third", "d3")
    assert any("is used again" in line for line in step.said)
    assert cluster.roles["shop"]["rolcanlogin"]
    assert scram.matches(cluster.roles["shop"]["rolpassword"], "third")


@pytest.mark.proves("look.database")
def test_no_empty_database_takes_the_place_of_one_that_is_lost(
    deploy: Any, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy()
    cluster.databases.clear()
    # The deploy that made it may have failed behind that.
    assert deploy().changes == 1
    monkeypatch.setattr(record, "databases_that_serve", lambda project: {"shop"})
    assert deploy().changes == 0
    cluster.databases.clear()
    cluster.roles.clear()
    with pytest.raises(Failure, match="it is gone from this server") as caught:
        deploy()
    assert "codesensei restore" in caught.value.fix
    assert "createdb -p 5432 -O shop shop" in caught.value.fix
    # A backup is restored for that role.
    assert "shop" in cluster.roles
    assert cluster.databases == {}
    # Another one that the stack file names is a new one.
    deploy(name="other")
    assert any(text.startswith('CREATE DATABASE "other"') for text in cluster.statements)


def test_a_digest_is_never_a_path(deploy: Any) -> None:
    with pytest.raises(Failure, match="digest is not one"):
        deploy(digest="../../x")


def test_a_cluster_of_another_port_is_named(cluster: FakeCluster, make_step: Any) -> None:
    with pytest.raises(Failure, match=r"no cluster of this server has port 5433 \(there is: 15/main at 5432\)"):
        postgresql.ensure_cluster(make_step("database"), 5433)


@pytest.mark.proves("database.cluster")
@pytest.mark.parametrize("port", [5432, 5433])
def test_a_server_without_any_cluster_gets_one(
    server: Path, make_step: Any, monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    """As Debian's package leaves it where the locale of whoever installed it does not exist."""
    ran: list[list[str]] = []

    def run(argv: list[str], **_: Any) -> Result:
        listed = f"15 main {port} {'online' if len(ran) > 1 else 'down'} postgres /data /log\n" if ran else ""
        if argv[0] != "pg_lsclusters":
            ran.append(argv)
        return Result(listed, "", 0)

    monkeypatch.setattr(commands, "run", run)
    for version in ("9.6", "13", "15"):
        programs = server / "lib-postgresql" / version / "bin"
        programs.mkdir(parents=True)
        (programs / "postgres").touch()
    step = make_step("database")
    assert postgresql.ensure_cluster(step, port) == port
    assert ran[0] == ["pg_createcluster", "--locale", "C.UTF-8", "--port", str(port), "15", "main"]
    assert ran[1][-2:] == ["start", "postgresql@15-main.service"]
    assert step.said[0] == "PostgreSQL had no cluster: 15/main made, with the locale C.UTF-8"


def test_clusters_are_read_as_pg_lsclusters_prints_them(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "15 main 5432 online,recovery postgres /var/lib /var/log\n13 old 5433 down postgres /var/lib /var/log\n"
    monkeypatch.setattr(commands, "run", lambda *words, **options: Result(text, "", 0))
    assert postgresql.clusters() == [
        postgresql.Cluster("15", "main", 5432, True),
        postgresql.Cluster("13", "old", 5433, False),
    ]


def rule(line: int, **over: Any) -> dict[str, Any]:
    return {
        "line_number": line,
        "type": "host",
        "database": ["all"],
        "user_name": ["all"],
        "address": "127.0.0.1",
        "netmask": "255.255.255.255",
        "auth_method": "scram-sha-256",
        "error": None,
        **over,
    }


@pytest.mark.parametrize(
    ("rules", "line"),
    [
        ([rule(1)], 1),
        ([rule(1, type="local"), rule(2)], 2),
        ([rule(1, database=["replication"]), rule(2)], 2),
        ([rule(1, user_name=["anna"]), rule(2, user_name=["shop"])], 2),
        ([rule(1, address="10.0.0.0", netmask="255.0.0.0"), rule(2, address="0.0.0.0", netmask="0.0.0.0")], 2),
        ([rule(1, address="::1", netmask="ffff::"), rule(2, address="all", netmask=None)], 2),
        ([rule(1, database=["sameuser"])], 1),
        ([rule(1, error="bad")], None),
        ([], None),
    ],
)
def test_the_rule_that_decides_over_a_password_is_found(rules: list[dict[str, Any]], line: int | None) -> None:
    way = hba.Way(5432, "shop", "shop", "127.0.0.1", "deploy", True)
    found = hba.first_rule(rules, way, lambda rule: hba.over_tcp(rule, "127.0.0.1"))
    assert (found["line_number"] if found else None) == line


def test_the_applied_note_tells_the_port(deploy: Any) -> None:
    note = deploy().project.memory / "database" / "applied.json"
    assert read_json(note, {})["port"] == 5432
    assert not write_json(note, read_json(note, {}))


def test_staged_verifiers_that_nobody_needs_go(deploy: Any) -> None:
    step = deploy()
    write_json(step.project.live, codec.encode(MANIFEST))
    deploy("second", "d2")
    deploy("third", "d3")
    folder = step.project.memory / "database"
    assert {path.name.removesuffix(".copy") for path in folder.iterdir()} == {"applied.json", "d1.json", "d3.json"}
    passwords.prune(step.project, "d3")
    assert {path.name.removesuffix(".copy") for path in folder.iterdir()} == {"applied.json", "d3.json"}


def test_a_role_without_a_password_has_none(deploy: Any, cluster: FakeCluster) -> None:
    step = deploy(password="")
    assert 'CREATE ROLE "shop" LOGIN PASSWORD NULL;' in cluster.statements
    cluster.roles["shop"]["rolpassword"] = None
    write_json(step.project.live, codec.encode(MANIFEST))
    assert deploy(password="").changes == 0
    found = passwords.find("shop", "shop", "d1")
    assert found.live is found.staged is None


def test_the_password_of_a_database_that_was_moved_by_hand_is_in_force_at_once(
    deploy: Any, cluster: FakeCluster
) -> None:
    serve(deploy())
    cluster.databases["store"] = {"owner": "shop", "encoding": "UTF8", "open": True}
    deploy("second", "d2", name="store", adopt=True)
    assert scram.matches(cluster.roles["shop"]["rolpassword"], "second")


@pytest.mark.proves("look.login")
def test_a_role_that_was_kept_from_logging_in_is_let_in_again(deploy: Any, cluster: FakeCluster) -> None:
    deploy()
    cluster.roles["shop"]["locked"] = True
    cluster.statements.clear()
    step = deploy()
    assert cluster.statements == ["ALTER ROLE \"shop\" CONNECTION LIMIT -1 VALID UNTIL 'infinity';"]
    assert step.changes
    cluster.statements.clear()
    assert not deploy().changes
    assert cluster.statements == []


@pytest.mark.proves("look.services")
def test_a_postgresql_that_would_not_start_with_the_server_does_again(
    deploy: Any, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy()
    cluster.amiss = ["postgresql.service is disabled"]
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(postgresql, "systemctl", lambda *words: asked.append(words))
    assert deploy().changes
    assert asked == [("enable", "--now", "--quiet", "postgresql.service")]


@pytest.mark.proves("look.login")
def test_how_the_project_logs_in_is_noted(deploy: Any) -> None:
    applied = ownership.applied(deploy(host="127.0.0.1").project)
    assert applied is not None
    assert (applied.host, applied.user, applied.has_password) == ("127.0.0.1", DATABASE.user, True)
