"""What holds for every test."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from tests.parts import part

# Here, because tests/docs imports some of it before tests/host has begun.
pytest.register_assert_rewrite("tests.host.projects")

# In memory, where the system has such a place that takes programs: the tests make and remove many thousand files.
MEMORY = "/dev/shm"
if os.access(MEMORY, os.W_OK) and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)
# In a shell that has read the demo's env file, the engine, its plugins and the selected stack are the demo's.
for name in [name for name in os.environ if name.startswith("PULUMI_")]:
    del os.environ[name]
# What is compiled is kept, also where the environment says otherwise: the tests start hundreds of Pythons.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    sys.dont_write_bytecode = False
# Thousands of collected tests stay to the end: to look for garbage among them again and again takes long.
gc.disable()

# A shell's background job ignores Ctrl-C, and so would every program that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(hookwrapper=True)
def pytest_collection() -> Iterator[None]:
    """From here on only what tests make is looked through for garbage."""
    yield
    gc.freeze()
    gc.enable()


def pytest_addoption(parser: pytest.Parser) -> None:
    """For tests that together take longer than somebody can wait."""
    parser.addoption("--part", default="1/1", help="run the n-th of m parts of the selected tests: n/m")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep one part of what is selected; neighbors stay together, as they share what was deployed for them."""
    kept = part(config.getoption("part"), len(items))
    config.hook.pytest_deselected(items=[item for index, item in enumerate(items) if index not in kept])
    items[:] = items[kept.start : kept.stop]


@pytest.fixture(autouse=True)
def loop_of_its_own() -> Iterator[None]:
    """Pulumi's outputs take the thread's event loop, which a test before may have used up."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture(autouse=True)
def scratch_modules_forgotten(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a test imports from a directory of its own would be the next test's module of that name."""
    scratch = str(tmp_path_factory.getbasetemp())
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(scratch):
            del sys.modules[name]
