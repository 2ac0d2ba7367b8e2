"""Let the tools take turns: each round has every case of every tool once, and another tool begins it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial

from tools.bench.product import phases
from tools.bench.source import Source
from tools.bench.tool import Tool, ToolError, Wanted
from tools.sandbox import SandboxError
from tools.trials.crowd import Crowd

READERS = 2
FAILURES = (ToolError, AssertionError, SandboxError, OSError)


@dataclass(frozen=True)
class Visits:
    """What readers of the page noticed meanwhile: how often they asked, and the slowest answer in seconds."""

    requests: int
    failed: int
    slowest: float


@dataclass(frozen=True)
class Sample:
    """One run: its seconds as the operator waits for them, those of each phase on the server, the load before it."""

    seconds: float
    phases: Mapping[str, float]
    load: float
    visits: Visits | None = None


@dataclass
class Found:
    """The samples by tool and case, and why a tool has none, or no more of them."""

    samples: dict[str, dict[str, list[Sample]]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def add(self, tool: str, case: str, sample: Sample) -> None:
        """Keep a sample, and show it."""
        self.samples.setdefault(tool, {}).setdefault(case, []).append(sample)
        print(f"{tool}, {case}: {sample.seconds:.1f} s, load {sample.load:.1f}", flush=True)


class Readers(Crowd):
    """Visitors who ask for the page again and again."""

    def habits(self) -> Iterator[Callable[[], None]]:
        """They do all the same."""
        return iter([self._read] * READERS)

    def _read(self) -> None:
        while self.goes_on():
            self.get("read", "/")


def measure(tools: Sequence[Tool], source: Source, rounds: int, found: Found) -> None:
    """Measure every tool; one that fails is named in `found`, and has no more turns."""
    for tool in tools:
        _guarded(found, tool, tool.prepare)
    for number in range(rounds):
        first = number % len(tools)
        for tool in (*tools[first:], *tools[:first]):
            if tool.name not in found.absent:
                _guarded(found, tool, partial(one_round, tool, source, number, found))


def _guarded(found: Found, tool: Tool, act: Callable[[], None]) -> None:
    try:
        act()
    except FAILURES as error:
        found.absent[tool.name] = str(error)
        print(f"{tool.name}: {error}", file=sys.stderr, flush=True)


def one_round(tool: Tool, source: Source, number: int, found: Found) -> None:
    """Measure each case of a tool once, and check after each, outside of the clock, that it has come true."""
    old = source.wanted(f"old {number}", f"Hello {number}")
    new = source.wanted(f"new {number}", f"Hello {number}")
    greeting = source.wanted(f"old {number}", f"Good evening {number}")
    newest = source.wanted(f"newest {number}", f"Good evening {number}")
    wanted = {"first": old, "code": new, "rollback": old, "variable": greeting, "nothing": greeting}
    wanted |= {"preview": greeting, "visited": newest}
    tool.wipe()
    before: list[str] = []
    for case in tool.cases:
        sample, processes = one_case(tool, case, wanted[case])
        if case == "nothing" and processes != before:
            raise ToolError(f"{tool.name}: nothing was to change, and processes {before} became {processes}")
        before = processes
        found.add(tool.name, case, sample)


def one_case(tool: Tool, case: str, wanted: Wanted) -> tuple[Sample, list[str]]:
    """Measure a case; returns the main processes after it, too."""
    tool.aim(case, wanted)
    readers = Readers(tool.server, tool.hostname) if case == "visited" else None
    meanwhile: AbstractContextManager[object] = readers or nullcontext()
    load = os.getloadavg()[0]
    with meanwhile:
        began = time.monotonic()
        output = tool.run(case)
        seconds = time.monotonic() - began
    visits = None
    if readers:
        slowest = max(answer.seconds for answer in readers.answers)
        visits = Visits(len(readers.answers), len(readers.failed), slowest)
    return Sample(seconds, phases(output), load, visits), tool.check(wanted)
