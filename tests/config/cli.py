"""A stack for which the real Pulumi command runs the program, without any server: what a preview says of its file."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.config.engine import API_TOKEN, CLEAR, PLACEHOLDER
from tools.trials.stack import PROGRAM, Json, Run

CHECKOUT = Path(__file__).parents[2]
NAME = "test"
SECONDS = 120
_INLINE = re.compile(rf"secure: (['\"]){CLEAR}(.*?)\1")
_BLOCK = re.compile(r"^( *)secure: \|\n((?:\1  .*\n)+)", re.MULTILINE)


@dataclass
class Project:
    """A work copy of the program with a backend of its own; `environment` finds the engine."""

    directory: Path
    environment: dict[str, str]
    salt: str = field(default="")
    counter: int = field(default=0)
    sealed: dict[str, str] = field(default_factory=dict)

    def create(self) -> Project:
        """Make the program, the backend and the stack."""
        (self.directory / "backend").mkdir(parents=True)
        for name in (*PROGRAM, "__main__.py"):
            (self.directory / name).symlink_to(CHECKOUT / name)
        text = (CHECKOUT / "Pulumi.yaml").read_text()
        (self.directory / "Pulumi.yaml").write_text(text.replace("virtualenv: .venv", f"virtualenv: {sys.prefix}"))
        self.file.parent.mkdir()
        self.environment = {
            **{key: value for key, value in self.environment.items() if not key.startswith("PULUMI_CONFIG")},
            "PULUMI_BACKEND_URL": f"file://{self.directory / 'backend'}",
            "PULUMI_CONFIG_PASSPHRASE": "of the tests",
            "PULUMI_DEBUG_COMMANDS": "true",
            "NO_COLOR": "1",
        }
        self.pulumi("stack", "init", NAME)
        self.salt = self.file.read_text()
        return self

    @property
    def file(self) -> Path:
        """The stack file."""
        return self.directory / "stacks" / f"Pulumi.{NAME}.yaml"

    def pulumi(self, *arguments: str, input: str = "") -> str:
        """Run a short subcommand; returns what it prints."""
        done = self.run(["pulumi", *arguments], input)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def python(self, *arguments: str, input: str = "") -> subprocess.CompletedProcess[str]:
        """Run one of the program's own commands."""
        return self.run([sys.executable, *arguments], input)

    def run(self, argv: list[str], input: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command where the engine finds the program."""
        return subprocess.run(
            argv,
            cwd=self.directory,
            env=self.environment,
            input=input,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def write(self, text: str) -> None:
        """Use this text of a stack file; each `clear:` value in it is encrypted for this stack."""
        texts = [found[2] for found in _INLINE.finditer(text)]
        texts += [_dedented(found[2]) for found in _BLOCK.finditer(text)]
        self._seal([API_TOKEN, *texts])
        text = _INLINE.sub(lambda found: f"secure: {self.sealed[found[2]]}", text)
        text = _BLOCK.sub(lambda found: f"{found[1]}secure: {self.sealed[_dedented(found[2])]}\n", text)
        self.file.write_text(text.replace(PLACEHOLDER, self.sealed[API_TOKEN]) + self.salt)

    def _seal(self, texts: list[str]) -> None:
        missing = sorted(set(texts) - set(self.sealed))
        if missing:
            self.file.write_text(self.salt)
            words = [f"{NAME}:v{number}={text}" for number, text in enumerate(missing)]
            self.pulumi("config", "set-all", "--stack", NAME, *(word for each in words for word in ("--secret", each)))
            config = yaml.safe_load(self.file.read_text())["config"]
            self.sealed |= {text: config[f"{NAME}:v{number}"]["secure"] for number, text in enumerate(missing)}

    def preview(self) -> Run:
        """`pulumi preview` of the stack file, however it ends."""
        self.counter += 1
        events = self.directory / f"events-{self.counter}.json"
        argv = ["pulumi", "preview", "--diff", "--stack", NAME, "--non-interactive", "--event-log", str(events)]
        done = self.run(argv, "")
        found = [json.loads(line) for line in events.read_text().splitlines() if line] if events.exists() else []
        return Run(done.returncode, done.stdout + done.stderr, found)

    def remove(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.directory)


def inputs(run: Run, name: str) -> Json:
    """The inputs of a component as a preview has them, e.g. of `Environment shop`."""
    for event in run.events:
        metadata = event.get("resourcePreEvent", {}).get("metadata", {})
        if metadata and f"{metadata['type'].rpartition(':')[2]} {metadata['urn'].rpartition('::')[2]}" == name:
            found: Json = metadata["new"]["inputs"]
            return found
    raise AssertionError(f"the preview has no {name}:\n{run.output}")


def _dedented(block: str) -> str:
    lines = [line.lstrip() for line in block.splitlines()]
    return ("\n".join(lines) + "\n").removeprefix(CLEAR)
