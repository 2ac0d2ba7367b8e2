"""What no tool that does the same can be faster than: the engine without a program, and a restart without a deploy."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tools.bench.product import Product
from tools.bench.tool import Tool, ToolError, Wanted
from tools.trials.stack import Stack

PROGRAM = "import pulumi\n"
SECONDS = 120
_RESTART = Path(__file__).with_name("restart.sh")


class EngineAlone(Tool):
    """The Pulumi command with an empty program: what a preview, and an `up` that changes nothing, begin with."""

    name = "the engine alone"
    command = "`pulumi up` and `pulumi preview` of a program that only imports pulumi"
    cases = ("nothing", "preview")
    floor = True

    def __init__(self, directory: Path, like: Stack) -> None:
        self.directory, self.like = directory, like

    def prepare(self) -> None:
        """Make the program and its stack, in the place of those of an earlier run."""
        shutil.rmtree(self.directory, ignore_errors=True)
        for folder in ("program", "backend"):
            (self.directory / folder).mkdir(parents=True)
        (self.directory / "program" / "__main__.py").write_text(PROGRAM)
        (self.directory / "program" / "Pulumi.yaml").write_text((self.like.program / "Pulumi.yaml").read_text())
        self._pulumi("stack", "init", "empty")

    def wipe(self) -> None:
        """There is nothing."""

    def aim(self, case: str, wanted: Wanted) -> None:
        """There is nothing to write down."""

    def run(self, case: str) -> str:
        """Run the command."""
        words = ("preview",) if case == "preview" else ("up", "--yes", "--skip-preview")
        return self._pulumi(*words, "--stack", "empty", "--non-interactive")

    def check(self, wanted: Wanted) -> list[str]:
        """It deploys nothing."""
        return []

    def _pulumi(self, *words: str) -> str:
        done = subprocess.run(
            ["pulumi", *words],
            cwd=self.directory / "program",
            env=self.like.environment | {"PULUMI_BACKEND_URL": f"file://{self.directory / 'backend'}"},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode:
            raise ToolError(done.stdout + done.stderr)
        return done.stdout


class RestartAlone(Tool):
    """systemd's restart of the product's units, until the worker takes work again: what a proved change ends with."""

    name = "a restart alone"
    command = "one `ssh` connection with tools/bench/restart.sh, which waits until the worker says that it works"
    cases = ("variable",)
    floor = True

    def __init__(self, product: Product) -> None:
        self.stack, self.server, self.hostname = product.stack, product.server, product.hostname

    def prepare(self) -> None:
        """The product has deployed."""

    def wipe(self) -> None:
        """It makes nothing."""

    def aim(self, case: str, wanted: Wanted) -> None:
        """It changes nothing."""

    def run(self, case: str) -> str:
        """Restart both."""
        slug = self.stack.slug
        units = f"{slug}.service {slug}-worker.service"
        done = self.server.run(f"timeout {SECONDS} bash -s {units}", input=_RESTART.read_bytes())
        return done.stdout

    def check(self, wanted: Wanted) -> list[str]:
        """The page is as the product has left it."""
        if self.site.get().status != 200:
            raise ToolError("the page does not answer after the restart")
        return []
