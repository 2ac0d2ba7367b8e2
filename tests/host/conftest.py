"""Servers and deployed stacks, made once and put back for each test that changes them.

The servers belong to a checkout that exists for these tests alone. With CODESENSEI_KEEP_SERVERS=1 they stay when the
tests end and are used again, with the program as it was then, until a run without it removes them.
"""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.debians import RELEASES
from tests.host.desks import Desk
from tools.sandbox import Sandbox, Server
from tools.trials.stack import CHECKOUT, Stack

DEPLOYED = "deployed"
KEEP = os.environ.get("CODESENSEI_KEEP_SERVERS") == "1"


# First, for xdist reads the groups in this hook too.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of a Debian release share its server: `-n 2 --dist loadgroup` runs the two side by side.

    A test of both releases is `full` on one of them: `make test` has the time for one, and shares them out evenly.
    """
    alike: dict[str, list[tuple[int, pytest.Item]]] = {}
    for item in items:
        if isinstance(item, pytest.Function) and item.path.parent == Path(__file__).parent:
            parameters: dict[str, Any] = dict(item.callspec.params) if hasattr(item, "callspec") else {}
            debian = parameters.pop("deployed", parameters.pop("debian", RELEASES[0]))
            item.add_marker(pytest.mark.xdist_group(f"debian-{debian}"))
            if item.get_closest_marker("full") is None:
                name = f"{item.path.name} {item.originalname} {sorted(map(repr, parameters.items()))}"
                alike.setdefault(name, []).append((debian, item))
    tests = Counter(found[0][0] for found in alike.values() if len(found) == 1)
    for pair in (found for found in alike.values() if len(found) > 1):
        chosen = min(pair, key=lambda one: tests[one[0]])
        tests[chosen[0]] += 1
        for other in pair:
            if other is not chosen:
                other[1].add_marker(pytest.mark.full)


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """The directory of this run, which no other run uses at the same time."""
    path = CHECKOUT / ".codesensei" / "host" / os.environ.get("PYTEST_XDIST_WORKER", "main")
    path.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield path


@pytest.fixture(scope="session")
def sandbox(place: Path) -> Iterator[Sandbox]:
    """The servers of this run; what a killed one has left is removed first."""
    made = Sandbox(place)
    if not KEEP:
        made.down_all()
    yield made
    if not KEEP:
        made.down_all()


@pytest.fixture(scope="session")
def fresh(sandbox: Sandbox) -> Callable[[int], Server]:
    """A function that gives a server with nothing on it, put back at each call."""

    def give(debian: int) -> Server:
        name = f"fresh-{debian}"
        known = [server for server in sandbox.servers() if server.name == name]
        server = sandbox.up(name, debian)
        if known:
            server.restore("fresh")
        else:
            server.snapshot("fresh")
        return server

    return give


@pytest.fixture(scope="session")
def first_deploys(sandbox: Sandbox, place: Path) -> Callable[[int], Stack]:
    """A function that gives the deployed stack of a Debian release, deployed at the first call."""
    made: dict[int, Stack] = {}

    def give(debian: int) -> Stack:
        if debian not in made:
            stack = Stack(sandbox.up(f"debian-{debian}", debian), place / f"stack-{debian}")
            if KEEP and (stack.directory / "kept" / DEPLOYED).exists():
                stack.dirty = True
            else:
                stack.server.snapshot("blank")
                stack.create()
                stack.up()
                stack.keep(DEPLOYED)
                stack.server.snapshot(DEPLOYED)
            made[debian] = stack
        return made[debian]

    return give


@pytest.fixture(params=RELEASES)
def deployed(request: pytest.FixtureRequest, first_deploys: Callable[[int], Stack]) -> Stack:
    """The stack after its first deploy, on each Debian, for a test that leaves it as it was."""
    stack = first_deploys(request.param)
    if stack.dirty and stack.shared_in != request.module.__name__:
        stack.server.restore(DEPLOYED)
        stack.put_back(DEPLOYED)
        stack.server.console("systemctl is-system-running --wait", check=False)
        stack.site.await_job(stack.site.write())
        stack.dirty = False
    stack.shared_in = ""
    return stack


@pytest.fixture
def stack(deployed: Stack) -> Stack:
    """The stack after its first deploy, for a test that changes it."""
    deployed.dirty = True
    return deployed


@pytest.fixture(scope="session")
def desks(sandbox: Sandbox, place: Path) -> Callable[[int], Desk]:
    """A function that gives the desk of a Debian release, deployed at the first call and put back after a change."""
    made: dict[int, Desk] = {}

    def give(debian: int) -> Desk:
        if debian not in made:
            server = sandbox.up(f"desk-{debian}", debian)
            desk = Desk(server, place / f"desk-{debian}", slug="desk", hostname="desk.example")
            if KEEP and (desk.directory / "kept" / DEPLOYED).exists():
                desk.dirty = True
            else:
                desk.create()
                desk.up()
                desk.keep(DEPLOYED)
                desk.server.snapshot(DEPLOYED)
            made[debian] = desk
        desk = made[debian]
        if desk.dirty:
            desk.server.restore(DEPLOYED)
            desk.put_back(DEPLOYED)
            desk.server.console("systemctl is-system-running --wait", check=False)
            desk.dirty = False
        return desk

    return give


@pytest.fixture
def desk(debian: int, desks: Callable[[int], Desk]) -> Desk:
    """The desk after its first deploy, for a test that leaves it as it was."""
    return desks(debian)


@pytest.fixture
def changing_desk(desk: Desk) -> Desk:
    """The desk after its first deploy, for a test that changes it."""
    desk.dirty = True
    return desk
