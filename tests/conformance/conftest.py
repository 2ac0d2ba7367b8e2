"""Fixtures: the installed engine, a private sshd, and stacks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance.servers import MissingServer, Sshd, run_sshd
from tests.conformance.stack import Stack
from tools.engine import EngineError, engine_environment, find

StackFactory = Callable[[str], Stack]
# Set where CODESENSEI_PLUGINS names a folder with stand-ins.
STAND_IN_VARIABLE = "CONFORMANCE_OF_STAND_INS"
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here runs the engine."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.engine)


@pytest.fixture(scope="session")
def engine() -> dict[str, str]:
    """The environment in which `pulumi` is the engine under test."""
    try:
        return engine_environment()
    except EngineError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def stand_in(engine: dict[str, str]) -> bool:
    """Whether the plugins are known to be the stand-ins, which fix some faults of the official ones."""
    return find().plugins == "stand-in" or bool(os.environ.get(STAND_IN_VARIABLE))


@pytest.fixture
def only_stand_ins(stand_in: bool) -> None:
    """Skips a test of what the stand-ins do better; tools/plugins/README.md lists it."""
    if not stand_in:
        pytest.skip("a known fault of the official plugins, which only the stand-ins repair (tools/plugins/README.md)")


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """The server that the commands run on."""
    try:
        with run_sshd(tmp_path_factory.mktemp("server") / "sshd") as server:
            yield server
    except MissingServer as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def new_stack(engine: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> StackFactory:
    """Makes an empty stack of this name."""
    return lambda name: Stack(tmp_path_factory.mktemp(name) / "stack", dict(engine))
