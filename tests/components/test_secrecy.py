"""No secret travels but in a wrapper, and each to the smallest resource that needs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from codesensei import remote
from codesensei.config import Stack
from components.environment import secret_parts
from tests.components import recorder, stacks
from tests.config.engine import API_TOKEN

ENVIRONMENT = {"shop-environment.stdin"}
# Where each secret may be, and must be; every other place of every input is searched for it.
PLACES: dict[Callable[[Path], Stack], dict[str, set[str]]] = {
    stacks.example: {
        API_TOKEN: ENVIRONMENT,
        "canary-of-shop-SECRET_KEY": ENVIRONMENT,
        "canary-of-shop-database-password": {*ENVIRONMENT, "shop-database.stdin"},
        "canary-of-shop-digest-key": set(),
    },
    stacks.given: {
        API_TOKEN: ENVIRONMENT,
        stacks.SSH_KEY: {"server-teardown.connection", "server-destroy-check.stdin"},
        stacks.TLS_KEY: {"shop-tls.stdin"},
        stacks.DATABASE_PASSWORD: {*ENVIRONMENT, "shop-database.stdin"},
        "canary-of-shop-digest-key": set(),
    },
    stacks.backed_up: {
        stacks.BACKUP_KEY: {"shop-backups.stdin"},
        "canary-of-shop-backup-password": {"shop-backups.stdin"},
    },
    stacks.generated: {
        "canary-of-shop-SECRET_KEY": ENVIRONMENT,
        "canary-of-shop-database-password": {*ENVIRONMENT, "shop-database.stdin"},
        "canary-of-shop-digest-key": set(),
    },
}


def _texts(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


@pytest.mark.proves("secrets.smallest", "secrets.never")
@pytest.mark.parametrize("make", PLACES, ids=lambda make: make.__name__)
@pytest.mark.parametrize("look", [remote.Look(), remote.Look.again()], ids=["off", "again"])
def test_each_secret_is_in_its_places_and_in_no_other(
    make: Callable[[Path], Stack], look: remote.Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = recorder.run(make(tmp_path), look, monkeypatch)
    for secret, places in PLACES[make].items():
        found = set()
        for resource in run.registered:
            for key, value in resource.inputs.items():
                plain, clear = _texts(recorder.mask(value)), _texts(recorder.opened(value))
                assert secret not in plain, f"{resource.name}.{key}"
                assert quote(secret) not in plain, f"{resource.name}.{key}"
                if secret in clear:
                    found.add(f"{resource.name}.{key}")
        assert found == places
        # The operator must keep the password of the backups, so it is told, as a secret output.
        assert secret not in _texts({name: told for name, told in run.outputs.items() if name != "backupPassword"})


@pytest.mark.parametrize("make", PLACES, ids=lambda make: make.__name__)
def test_the_wrapped_inputs_are_these(
    make: Callable[[Path], Stack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret that leaked into a plain step would hide that step's data from every preview."""
    run = recorder.run(make(tmp_path), remote.Look(), monkeypatch)
    wrapped = {
        f"{resource.name}.{key}"
        for resource in run.registered
        for key, value in resource.inputs.items()
        if value != recorder.mask(value)
    }
    steps = {"shop-database", "shop-environment"} | ({"shop-tls"} if make is not stacks.example else set())
    steps |= {"shop-instance"} if make is stacks.generated else set()
    steps |= {"shop-backups"} if make is stacks.backed_up else set()
    steps -= {"shop-tls"} if make is stacks.backed_up else set()
    connected = {it.name for it in run.registered if it.type.startswith("command:")}
    key = {"server-destroy-check.stdin"} if make is stacks.given else set()
    expected = {f"{step}.stdin" for step in steps} | {
        f"{name}.connection" for name in connected - {"server-destroy-check"}
    }
    assert wrapped == expected | key


@pytest.mark.proves("secrets.never")
@pytest.mark.parametrize("make", PLACES, ids=lambda make: make.__name__)
def test_a_secret_step_shows_and_keeps_nothing(
    make: Callable[[Path], Stack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = recorder.run(make(tmp_path), remote.Look(), monkeypatch)
    for command in run.commands():
        if recorder.is_secret(command.inputs.get("stdin")):
            assert command.inputs["logging"] == "none", command.name
            assert {"stdout", "stderr"} <= set(command.secret_outputs), command.name
        else:
            assert command.inputs["logging"] == "stdout", command.name


def test_a_line_may_be_read_although_its_data_is_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line may have arguments that come from secret data, and a number."""
    look = remote.Look(dict.fromkeys(("environment", "database", "tls"), 2))
    run = recorder.run(stacks.given(tmp_path), look, monkeypatch)
    for step in ("environment", "database", "tls"):
        line = run.find(f"shop-{step}").inputs["create"]
        assert isinstance(line, str)
        assert line.endswith(" repair=2")


def test_only_what_holds_the_password_is_blanked_in_logs(tmp_path: Path) -> None:
    """The database's name is often the slug, and a word of every path."""
    plan = stacks.generated(tmp_path).database
    mapped = replace(plan, variables={"DB_NAME": "name", "DB_HOST": "host", "DB_PASSWORD": "password", "DB": "url"})
    assert secret_parts(mapped.variables) == {"DB_PASSWORD", "DB"}
