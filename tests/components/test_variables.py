"""What the program itself puts among a project's variables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codesensei import remote
from codesensei.wire import codec, envfile
from codesensei.wire.steps import Environment
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


@pytest.mark.proves("broker.env")
def test_the_broker_has_a_number_of_the_stack_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = declared(tmp_path, monkeypatch)
    assert variables_of(run)["CELERY_BROKER_URL"] == "redis://127.0.0.1:6379/417"
    # 0 to 15 are what people write into URLs.
    assert {key: run.find("shop-broker-number").inputs[key] for key in ("min", "max")} == {"min": 16, "max": 1023}
    preflight = codec.plain(run.find("server-preflight").inputs["stdin"])
    assert 417 in preflight["brokerNumbers"]


@pytest.mark.proves("broker.parts")
def test_the_parts_of_the_broker_are_told_in_variables_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = variables_of(declared(tmp_path, monkeypatch, broker="{X_HOST: host, X_PORT: port, X_DB: number}"))
    assert {name: told[name] for name in told if name.startswith("X_")} == {
        "X_HOST": "127.0.0.1",
        "X_PORT": "6379",
        "X_DB": "417",
    }


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
