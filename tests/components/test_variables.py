"""What the program itself puts among a project's variables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codesensei import remote
from codesensei.wire import codec, digests, envfile
from codesensei.wire.steps import Environment, Instance
from tests.components import recorder, stacks
from tests.components.recorder import GENERATED, Run

PARTS = "{DB_HOST: host, DB_PORT: port, DB_NAME: name, DB_USER: user, DB_PASSWORD: password}"
MAPPED = f"  codesensei:database: {{env: {PARTS}}}\n"
BROKER = "{CELERY_BROKER_URL: url}"
PASSWORD = f"{GENERATED}shop-database-password"


def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str = MAPPED, broker: str = BROKER) -> Run:
    """The stack that has everything generated, with this for its database and its broker."""
    assert stacks.GENERATED.count(MAPPED) == stacks.GENERATED.count(BROKER) == 1
    monkeypatch.setattr(stacks, "GENERATED", stacks.GENERATED.replace(MAPPED, database).replace(BROKER, broker))
    return recorder.run(stacks.generated(tmp_path), remote.Look(), monkeypatch)


def variables_of(run: Run) -> dict[str, str]:
    """What the project reads."""
    stdin = recorder.opened(run.find("shop-environment").inputs["stdin"])
    return envfile.parse(codec.from_text(Environment, stdin, "step environment").content)


@pytest.mark.proves("database.env")
@pytest.mark.parametrize(
    ("mapping", "found"),
    [
        (
            MAPPED,
            {
                "DB_HOST": "127.0.0.1",
                "DB_PORT": "5432",
                "DB_NAME": "shop",
                "DB_USER": "shop",
                "DB_PASSWORD": PASSWORD,
            },
        ),
        ("  codesensei:database: {env: {X: url}}\n", {"X": f"postgres://shop:{PASSWORD}@127.0.0.1:5432/shop"}),
    ],
)
def test_the_database_has_the_names_that_the_project_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mapping: str, found: dict[str, str]
) -> None:
    variables = variables_of(declared(tmp_path, monkeypatch, mapping))
    assert {name: variables[name] for name in found} == found
    assert "DATABASE_URL" not in variables


@pytest.mark.proves("database.auto.generated")
def test_without_a_url_one_is_generated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = declared(tmp_path, monkeypatch, "")
    assert variables_of(run)["DATABASE_URL"] == f"postgres://shop:{PASSWORD}@127.0.0.1:5432/shop"
    made = run.find("shop-database-password")
    assert (made.type, made.inputs["length"], made.inputs["special"]) == (
        "random:index/randomPassword:RandomPassword",
        64,
        False,
    )


OWN_PASSWORD = f"{GENERATED}shop-broker-password"


@pytest.mark.proves("broker.env")
def test_the_broker_is_one_of_the_stack_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = declared(tmp_path, monkeypatch)
    assert variables_of(run)["CELERY_BROKER_URL"] == f"redis://:{OWN_PASSWORD}@127.6.1.161:637/0"
    stdin = recorder.opened(run.find("shop-environment").inputs["stdin"])
    assert "CELERY_BROKER_URL" in codec.from_text(Environment, stdin, "step environment").secret_names
    sent = codec.from_text(Instance, recorder.opened(run.find("shop-instance").inputs["stdin"]), "step instance")
    assert (sent.number, sent.password) == (417, OWN_PASSWORD)
    assert "\nbind 127.6.1.161\nport 637\n" in sent.config
    # 0 to 15 are what people write into URLs.
    assert {key: run.find("shop-broker-number").inputs[key] for key in ("min", "max")} == {"min": 16, "max": 1023}
    preflight = codec.plain(run.find("server-preflight").inputs["stdin"])
    assert 417 in preflight["brokerNumbers"]


@pytest.mark.proves("broker.parts")
@pytest.mark.parametrize(
    ("mapping", "found"),
    [
        ("{X_HOST: host, X_PORT: port, X_DB: number}", {"X_HOST": "127.0.0.1", "X_PORT": "6379", "X_DB": "417"}),
        (
            "{X_HOST: host, X_PORT: port, X_DB: number, X_PASSWORD: password}",
            {"X_HOST": "127.6.1.161", "X_PORT": "637", "X_DB": "0", "X_PASSWORD": OWN_PASSWORD},
        ),
    ],
)
def test_the_parts_of_the_broker_are_told_in_variables_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mapping: str, found: dict[str, str]
) -> None:
    """Without a variable for the password, the shared broker is meant, which has none."""
    run = declared(tmp_path, monkeypatch, broker=mapping)
    told = variables_of(run)
    assert {name: told[name] for name in told if name.startswith("X_")} == found
    own = "X_PASSWORD" in found
    assert any(it.name == "shop-instance" for it in run.commands()) == own
    component = next(it for it in run.registered if it.type.endswith(":Provisioning"))
    assert ("every user of the server can read and change it" in str(component.inputs)) != own


@pytest.mark.proves("env.generated")
def test_a_generated_secret_is_one_that_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other input of a random resource would replace it, and the value with it."""
    run = declared(tmp_path, monkeypatch)
    assert variables_of(run)["SECRET_KEY"] == f"{GENERATED}shop-SECRET_KEY"
    made = run.find("shop-SECRET_KEY")
    assert made.inputs == {"length": 64, "special": False}
    assert made.urn.endswith("::shop-SECRET_KEY")


@pytest.mark.proves("config.python-path")
@pytest.mark.parametrize(("given", "found"), [("", "../src:apps"), ("    PYTHONPATH: /opt/libs\n", "/opt/libs")])
def test_import_roots_begin_where_processes_and_jobs_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, found: str
) -> None:
    """What the stack file says itself stays."""
    monkeypatch.setattr(stacks, "GENERATED", f"{stacks.GENERATED}  codesensei:env:\n    A: a\n{given}")
    settings = replace(recorder.code().settings, django_directory="web", python_path=("src", "web/apps"))
    run = recorder.run(stacks.generated(tmp_path), remote.Look(), monkeypatch, settings=settings)
    assert variables_of(run)["PYTHONPATH"] == found


@pytest.mark.proves("errors.marks")
def test_a_preview_shows_a_value_without_pulumi_s_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"{stacks.GENERATED}  codesensei:env: {{GREETING: 'a <{{% url %}} b'}}\n"
    run = recorder.run(stacks.loaded(tmp_path, text), remote.Look(), monkeypatch)
    assert run.find("shop", "Environment").inputs["env"] == {"GREETING": "a <{ % url %} b"}
    assert variables_of(run)["GREETING"] == "a <{% url %} b"


@pytest.mark.proves("preview.shown")
@pytest.mark.parametrize(
    ("text", "component", "shown"),
    [
        (
            "database: {lockTimeout: 9, migrationTimeout: 60, keepDefaults: false, rehearse: never, dumpKeep: 1}",
            ("shop", "Release"),
            {"lockTimeout": 9.0, "migrationTimeout": 60.0, "keepDefaults": False, "rehearse": "never", "dumpKeep": 1.0},
        ),
        ("onDestroy: {media: drop}", ("server", "Server"), {"onDestroy": {"media": "drop"}}),
        ("allowUnsupported: true", ("server", "Server"), {"allowUnsupported": True}),
        ("tls: {acme: {email: ops@example.com}}", ("shop", "EdgeProxy"), {"email": "ops@example.com"}),
        (
            "backups: {to: 's3:https://s3.example.com/shop', accessKey: a, region: e, secretKey: {secure: 'clear:k'}}",
            ("shop", "Backups"),
            {"accessKey": "a", "region": "e", "secretKey": digests.keyed(f"{GENERATED}shop-digest-key", "k")},
        ),
    ],
)
def test_a_preview_shows_what_the_stack_file_says_beyond_the_usual(
    text: str, component: tuple[str, str], shown: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def inputs(text: str) -> dict[str, object]:
        return recorder.run(stacks.loaded(tmp_path, text), remote.Look(), monkeypatch).find(*component).inputs

    given = inputs(f"{stacks.SMALL}  codesensei:domains: [shop.example.com]\n  codesensei:{text}\n")
    assert {key: given.get(key) for key in shown} == shown
    if component[1] != "Backups":
        assert not {*shown} & {*inputs(stacks.SMALL)}
