"""The product, as one of the tools that are measured."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.bench.tool import Tool, ToolError, Wanted
from tools.demo.history import History, read_history
from tools.sandbox import Server
from tools.trials.stack import Stack

# What a switch says of its deploy, in the engine's line; one phase of that, with its parts.
PHASES = re.compile(r"^.* (?:created|updated) \(.*\bseconds: (.+)$", re.MULTILINE)
PHASE = re.compile(r"(\w[\w-]*) (\d+\.\d)(?: \(([^)]*)\))?")
SWITCHES = ("first", "code", "rollback", "variable", "visited")


@dataclass
class Measured(Stack):
    """A stack of a repository that others deploy from too; destroying it leaves nothing behind."""

    source: Path = Path()

    @property
    def repository(self) -> Path:
        """The project's source."""
        return self.source

    def make_history(self) -> History:
        """The repository as it is."""
        return read_history(self.source)

    def first_config(self, history: History) -> dict[str, Any]:
        """What the stack starts with."""
        return super().first_config(history) | {"codesensei:onDestroy": {"database": "drop", "media": "drop"}}


class Product(Tool):
    """codesensei: the real Pulumi command with a stack of its own."""

    name = "codesensei"
    command = "`pulumi up`, without its own preview and question"

    def __init__(self, server: Server, directory: Path, source: Path, program: Path | None = None) -> None:
        self.stack = Measured(server, directory, source=source)
        self.stack.create()
        if program:
            self.stack.bring_program(program)
        self.server, self.hostname = server, self.stack.hostname
        self.deployed = False

    def prepare(self) -> None:
        """Its own first deploy brings Debian's packages."""

    def wipe(self) -> None:
        """Destroy the stack, data included."""
        if self.deployed:
            self.stack.destroy()
        self.server.console("rm -rf /var/cache/codesensei && sync")

    def aim(self, case: str, wanted: Wanted) -> None:
        """Edit the stack file."""
        self.stack.set("project.source.revision", wanted.revision)
        self.stack.set("env.GREETING", wanted.greeting)

    def run(self, case: str) -> str:
        """Run the Pulumi command."""
        commands = {"preview": self.stack.preview, "nothing": self.stack.up_without_changes}
        output = commands.get(case, self.stack.up)().output
        self.deployed = True
        if case in SWITCHES and not phases(output):
            raise ToolError("the deploy switched to nothing, or no longer says how long it took")
        return output

    def processes(self) -> list[str]:
        """The main processes; the deploy itself has proved what they run."""
        return self.stack.processes()


def phases(output: str) -> dict[str, float]:
    """The seconds of each phase, those of the long ones by part; none where nothing was switched."""
    found: dict[str, float] = {}
    for name, seconds, parts in PHASE.findall("\n".join(PHASES.findall(output))):
        pairs = (pair.split() for pair in filter(None, parts.split(", ")))
        inner = {f"{name} {part}": float(taken) for part, taken in pairs}
        found |= inner or {name: float(seconds)}
    return found
