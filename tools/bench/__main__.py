"""Deploy the example project to a sandbox server again and again, and write down how long each kind of change takes."""

from __future__ import annotations

import argparse
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.sandbox import Sandbox
from tools.trials.stack import CHECKOUT, Run, Stack

PLACE = Path(".codesensei/bench")
DOCUMENT = CHECKOUT / "docs" / "SPEED.md"
BEGIN, END = "<!-- written by tools.bench -->\n", "<!-- end of what is written -->\n"
# What a switch says of its deploy, in the engine's line; one phase of that, with its parts.
PHASES = re.compile(r"^.* (?:created|updated) \(.*\bseconds: (.+)$", re.MULTILINE)
PHASE = re.compile(r"(\w[\w-]*) (\d+\.\d)(?: \(([^)]*)\))?")


@dataclass(frozen=True)
class Sample:
    """One deploy: its seconds as the operator waits for them, those of each phase on the server, the load before it."""

    seconds: float
    phases: Mapping[str, float]
    load: float


@dataclass
class Ground:
    """A stack, and the changes to deploy to it; the number of a round makes each another one."""

    stack: Stack
    revisions: list[str] = field(default_factory=list)

    def first(self, _: int) -> None:
        """Deploy to a server that has nothing."""
        self.revisions.append(self.stack.use("main~1"))

    def code(self, number: int) -> None:
        """Deploy a commit that changes one file."""
        self.revisions.append(self.stack.commit({"note.txt": f"{number}\n"}, "main~1"))
        self.stack.set("project.source.revision", self.revisions[-1])

    def variable(self, number: int) -> None:
        """Change one variable."""
        self.stack.set("env.GREETING", f"Hello {number}")

    def rollback(self, number: int) -> None:
        """Go back to the commit before, and in the next round to the one after it: the server has both."""
        self.stack.set("project.source.revision", self.revisions[-2 + number % 2])

    def nothing(self, _: int) -> None:
        """Change nothing."""


def measure(stack: Stack, rounds: int) -> dict[str, list[Sample]]:
    """Deploy each change `rounds` times; the first one once, and a rollback that would have to build not at all."""
    ground = Ground(stack)
    found = {"first": [switched(ground.first, 0, stack)]}
    for case in (ground.code, ground.variable):
        found[case.__name__] = [switched(case, number, stack) for number in range(rounds)]
    # With the last variable, only the last commit is on the server.
    ground.rollback(0)
    stack.up()
    found["rollback"] = [switched(ground.rollback, number, stack) for number in range(1, rounds + 1)]
    found["nothing"] = [sample(ground.nothing, number, stack.up_without_changes) for number in range(rounds)]
    found["preview"] = [sample(ground.nothing, number, stack.preview) for number in range(rounds)]
    return found


def switched(change: Callable[[int], None], number: int, stack: Stack) -> Sample:
    """Make a change and deploy it; AssertionError where the server switched to nothing."""
    found = sample(change, number, stack.up)
    assert found.phases, "the deploy switched to nothing, or no longer says how long it took"
    return found


def sample(change: Callable[[int], None], number: int, deploy: Callable[[], Run]) -> Sample:
    """Make a change and deploy it."""
    change(number)
    load, began = os.getloadavg()[0], time.monotonic()
    run = deploy()
    return Sample(time.monotonic() - began, phases(run.output), load)


def phases(output: str) -> dict[str, float]:
    """The seconds of each phase, those of the long ones by part; none where nothing was switched."""
    found: dict[str, float] = {}
    for name, seconds, parts in PHASE.findall("\n".join(PHASES.findall(output))):
        pairs = (pair.split() for pair in filter(None, parts.split(", ")))
        inner = {f"{name} {part}": float(taken) for part, taken in pairs}
        found |= inner or {name: float(seconds)}
    return found


def table(samples: Mapping[str, Sequence[Sample]]) -> str:
    """The medians, and what the median deploy did on the server."""
    lines = ["| case | runs | median | from | to | load | on the server |", "|---|---|---|---|---|---|---|"]
    for case, found in samples.items():
        ordered = sorted(found, key=lambda each: each.seconds)
        middle, load = ordered[len(ordered) // 2], statistics.median(each.load for each in found)
        parts = ", ".join(f"{name} {seconds:g}" for name, seconds in middle.phases.items() if seconds >= 0.1)
        seconds = " | ".join(f"{each.seconds:.1f}" for each in (middle, ordered[0], ordered[-1]))
        lines.append(f"| {case} | {len(found)} | {seconds} | {load:.1f} | {parts} |")
    return "\n".join(lines) + "\n"


def write(text: str) -> None:
    """Write the table into docs/SPEED.md."""
    head, _, rest = DOCUMENT.read_text().partition(BEGIN)
    DOCUMENT.write_text(head + BEGIN + text + END + rest.partition(END)[2])


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--debian", type=int, choices=(12, 13), default=13)
    parser.add_argument("--program", type=Path, help="another checkout to measure; writes no document")
    arguments = parser.parse_args()
    sandbox = Sandbox(PLACE)
    sandbox.down_all()
    stack = Stack(sandbox.up(f"bench-{arguments.debian}", arguments.debian), PLACE.resolve() / "stack").create()
    if arguments.program:
        stack.bring_program(arguments.program)
    try:
        found = table(measure(stack, arguments.rounds))
    finally:
        sandbox.down_all()
    sys.stdout.write(found)
    if not arguments.program:
        write(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
