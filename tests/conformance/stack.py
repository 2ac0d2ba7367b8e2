"""A throw-away stack on a file backend, and what one run of the Pulumi command on it did."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).parent / "program"
ENGINE_TYPES = ("pulumi:pulumi:Stack", "pulumi:providers:")
NAME = "test"
TIMEOUT_SECONDS = 120

Entry = dict[str, Any]
Json = dict[str, Any]


def resource(kind: str, name: str, options: Json | None = None, /, **arguments: Any) -> Entry:
    """One entry for the program: the SDK's class, the resource's name, its options and its arguments."""
    return {"type": kind, "name": name, "arguments": arguments, "options": options or {}}


@dataclass(frozen=True)
class Run:
    """What one run of the command did."""

    code: int
    output: str
    events: list[Json]

    def operations(self) -> dict[str, list[str]]:
        """What the engine did with each resource of the program, in its order; "same" included."""
        found: dict[str, list[str]] = {}
        for event in self.events:
            metadata = event.get("resourcePreEvent", {}).get("metadata")
            if metadata and not metadata["type"].startswith(ENGINE_TYPES):
                found.setdefault(metadata["urn"].rsplit("::", 1)[-1], []).append(metadata["op"])
        return found

    def messages(self, name: str = "", severity: str = "", ephemeral: bool = False) -> list[str]:
        """The diagnostics of one resource (or of all), of one severity (or of all but debug)."""
        found = []
        for event in self.events:
            diagnostic = event.get("diagnosticEvent")
            if not diagnostic or diagnostic["severity"] == "debug":
                continue
            mine = diagnostic.get("urn", "").rsplit("::", 1)[-1] == name or not name
            asked = bool(diagnostic.get("ephemeral")) == ephemeral and diagnostic["severity"].startswith(severity)
            if mine and asked:
                found.append(diagnostic["message"].rstrip("\n"))
        return found

    def lines(self, name: str) -> list[str]:
        """The passing log lines of one resource."""
        return self.messages(name, ephemeral=True)

    def error(self, name: str) -> str:
        """The errors of one resource, together."""
        return "\n".join(self.messages(name, "error"))

    def seconds(self, name: str) -> int:
        """Whole seconds from the start of a failed operation to its failure."""
        times = {}
        for event in self.events:
            for kind in ("resourcePreEvent", "resOpFailedEvent"):
                if event.get(kind, {}).get("metadata", {}).get("urn", "").endswith(f"::{name}"):
                    times[kind] = int(event["timestamp"])
        return times["resOpFailedEvent"] - times["resourcePreEvent"]

    def detailed_diff(self, name: str) -> dict[str, str]:
        """The changed property paths of one resource, with their kinds."""
        for event in self.events:
            metadata = event.get("resourcePreEvent", {}).get("metadata", {})
            if metadata.get("urn", "").endswith(f"::{name}") and metadata.get("detailedDiff"):
                return {path: change["diffKind"] for path, change in metadata["detailedDiff"].items()}
        return {}


@dataclass(frozen=True)
class Exchange:
    """One call that the engine made to a plugin, and what the plugin answered."""

    plugin: str
    method: str
    request: Json
    answer: Json
    errors: list[str]


@dataclass
class Stack:
    """A stack with its own directory, backend and program."""

    directory: Path
    environment: dict[str, str]
    counter: int = field(default=0)

    def __post_init__(self) -> None:
        self.directory.mkdir()
        self.program.mkdir()
        (self.directory / "backend").mkdir()
        text = (PROGRAM / "Pulumi.yaml").read_text().replace("VIRTUALENV", sys.prefix)
        (self.program / "Pulumi.yaml").write_text(text)
        shutil.copy(PROGRAM / "__main__.py", self.program)
        self.environment = {
            **{key: value for key, value in self.environment.items() if key != "SSH_AUTH_SOCK"},
            "PULUMI_BACKEND_URL": f"file://{self.directory / 'backend'}",
            "PULUMI_CONFIG_PASSPHRASE": "conformance",
            "PULUMI_DEBUG_COMMANDS": "true",
            "NO_COLOR": "1",
        }
        self.declare([])
        self.pulumi("stack", "init", NAME)

    @property
    def program(self) -> Path:
        """The program's directory, which is the plugins' working directory."""
        return self.directory / "program"

    def declare(self, resources: list[Entry], runs: list[Json] | None = None, **exports: list[str]) -> None:
        """Set what the program declares."""
        content = {"resources": resources, "runs": runs or [], "exports": exports}
        (self.program / "resources.json").write_text(json.dumps(content))

    def pulumi(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run any subcommand and wait for it."""
        return subprocess.run(
            ["pulumi", *arguments],
            cwd=self.program,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=check,
        )

    def start(self, *arguments: str) -> tuple[subprocess.Popen[str], Path]:
        """Start a subcommand that reports events, in a process group of its own; returns their file too."""
        self.counter += 1
        events = self.directory / f"events-{self.counter}.json"
        command = ["pulumi", *arguments, "--stack", NAME, "--non-interactive", "--event-log", str(events)]
        process = subprocess.Popen(
            command,
            cwd=self.program,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return process, events

    def finish(self, process: subprocess.Popen[str], events: Path) -> Run:
        """Wait for a started subcommand."""
        try:
            output, _ = process.communicate(timeout=TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            raise AssertionError(f"pulumi did not end within {TIMEOUT_SECONDS} s:\n{output}") from None
        found = events.read_text().splitlines() if events.exists() else []
        return Run(process.returncode, output, [json.loads(line) for line in found if line])

    def run(self, *arguments: str, succeed: bool = True) -> Run:
        """Run a subcommand that reports events; it must succeed, or must fail."""
        done = self.finish(*self.start(*arguments))
        assert (done.code == 0) is succeed, done.output
        return done

    def up(self, resources: list[Entry] | None = None, *arguments: str, succeed: bool = True) -> Run:
        """Bring the stack to these resources (or to those declared last), without a preview before."""
        if resources is not None:
            self.declare(resources)
        return self.run("up", "--yes", "--skip-preview", *arguments, succeed=succeed)

    def preview(self, resources: list[Entry] | None = None, *arguments: str, succeed: bool = True) -> Run:
        """Say what bringing the stack to these resources would do."""
        if resources is not None:
            self.declare(resources)
        return self.run("preview", *arguments, succeed=succeed)

    def record(self) -> Path:
        """Have the engine write its calls to the plugins into a file from now on; returns the new file."""
        self.counter += 1
        calls = self.directory / f"calls-{self.counter}.json"
        self.environment["PULUMI_DEBUG_GRPC"] = str(calls)
        return calls

    def checkpoint(self) -> Path:
        """The file that holds the state."""
        return self.directory / "backend" / ".pulumi" / "stacks" / "conformance" / f"{NAME}.json"

    def state(self) -> dict[str, Json]:
        """The stored resources by name; secrets encrypted."""
        stored = json.loads(self.checkpoint().read_text())["checkpoint"]["latest"].get("resources") or []
        return {item["urn"].rsplit("::", 1)[-1]: item for item in stored}

    def open_state(self) -> dict[str, Json]:
        """The stored resources by name; secrets decrypted."""
        exported = json.loads(self.pulumi("stack", "export", "--stack", NAME, "--show-secrets").stdout)
        return {item["urn"].rsplit("::", 1)[-1]: reveal(item) for item in exported["deployment"]["resources"]}


def exchanges(calls: Path, plugin: str, method: str, name: str = "") -> list[Exchange]:
    """The recorded calls of one method of "language", "command" or "random", for one resource or for all."""
    found = []
    for line in calls.read_text().splitlines():
        entry = json.loads(line)
        about = entry["metadata"].get("name") or entry["metadata"].get("kind")
        called, request = entry["method"].rsplit("/", 1)[-1], entry.get("request") or {}
        if (about, called, entry["progress"]) != (plugin, method, "response_completed"):
            continue
        if not name or request.get("urn", "").endswith(f"::{name}"):
            found.append(Exchange(about, called, request, entry.get("response") or {}, entry.get("errors") or []))
    return found


def reveal(value: Any) -> Any:
    """The value with each decrypted secret in its place."""
    if isinstance(value, list):
        return [reveal(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "plaintext" in value:
        return reveal(json.loads(value["plaintext"]))
    return {key: reveal(item) for key, item in value.items()}
