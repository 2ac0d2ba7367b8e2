"""One stack of the example project on a sandbox server: the real Pulumi command, and what each run of it did."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from codesensei.wire import codec
from tools.demo.history import History, git, make_history
from tools.engine import engine_environment
from tools.sandbox import Server
from tools.trials.site import Site

CHECKOUT = Path(__file__).parents[2]
PROGRAM = ("codesensei", "components")
SECONDS = 600
JOURNAL_LINES = 40

Json = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """What one run of the Pulumi command did."""

    code: int
    output: str
    events: list[Json]

    @property
    def changes(self) -> set[str]:
        """The resources that were not left alone, as `Command shop-build` or `Release shop`."""
        found = (event.get("resourcePreEvent", {}).get("metadata", {}) for event in self.events)
        return {
            f"{item['type'].rpartition(':')[2]} {item['urn'].rpartition('::')[2]}"
            for item in found
            if item and item["op"] != "same" and item["type"] != "pulumi:pulumi:Stack"
        }

    def said(self, severity: str = "") -> str:
        """The lasting diagnostics, of one severity or of all but debug."""
        found = (event.get("diagnosticEvent", {}) for event in self.events)
        return "\n".join(
            str(item["message"])
            for item in found
            if item and not item.get("ephemeral") and item["severity"] != "debug" and severity in item["severity"]
        )


@dataclass
class Stack:
    """A stack with a work copy of the program, a backend and a source repository of its own, all below `directory`."""

    server: Server
    directory: Path
    slug: str = "guestbook"
    name: str = "test"
    hostname: str = "guestbook.example"
    counter: int = field(default=0)
    dirty: bool = field(default=False)
    home: Path | None = None
    elsewhere: Path | None = None
    agent: str = ""
    # The test module that goes on with the stack as it left it.
    shared_in: str = field(default="")

    # Files

    @property
    def program(self) -> Path:
        """The work copy of the program; `elsewhere` is that of another operator."""
        return self.elsewhere or self.directory / "program"

    @property
    def file(self) -> Path:
        """The stack file."""
        return self.program / "stacks" / f"Pulumi.{self.name}.yaml"

    @property
    def backend(self) -> Path:
        """Where the state is."""
        return self.directory / "backend"

    @property
    def repository(self) -> Path:
        """The project's source."""
        return self.directory / "repository"

    @property
    def passphrase(self) -> Path:
        """The file with the stack's passphrase."""
        return self.directory / "passphrase"

    def create(self) -> Stack:
        """Make all files of the stack; nothing is deployed yet."""
        self.make_program()
        self.initialise(self.first_config(self.make_history()))
        self.set_secret("codesensei:secretEnv.API_TOKEN", "a-token-of-this-stack")
        return self

    def make_program(self) -> None:
        """Make the stack's directory again, with the work copy of the program and an empty backend."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.program.mkdir(parents=True)
        self.backend.mkdir()
        self.passphrase.write_text(secrets.token_urlsafe(24))
        self.file.parent.mkdir()
        self.bring_program(CHECKOUT)

    def bring_program(self, checkout: Path) -> None:
        """Take the program from this checkout, instead of the one that is there."""
        for folder in PROGRAM:
            shutil.rmtree(self.program / folder, ignore_errors=True)
            # Copied, so that an edit of the checkout while the tests run is no change to deploy.
            shutil.copytree(checkout / folder, self.program / folder, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(checkout / "__main__.py", self.program)
        text = (checkout / "Pulumi.yaml").read_text()
        (self.program / "Pulumi.yaml").write_text(text.replace("virtualenv: .venv", f"virtualenv: {sys.prefix}"))

    def initialise(self, config: Json) -> None:
        """Write the stack file and make the stack."""
        self.file.write_text(yaml.safe_dump({"config": config}))
        self.pulumi("stack", "init", self.name)
        self.set_secret("codesensei:sshPrivateKey", self.server.private_key_path.read_text())

    def make_history(self) -> History:
        """The repository with the project's source."""
        return make_history(self.repository)

    def first_config(self, history: History) -> Json:
        """What the stack starts with."""
        return {
            "codesensei:server": {
                "host": self.server.host,
                "user": self.server.user,
                "hostKey": self.server.host_key,
                # Tests reach other ports too, and installing less is faster; tests of hardening say what they want.
                "hardening": "off",
            },
            "codesensei:project": {
                "slug": self.slug,
                "name": "Guestbook",
                "source": {"path": str(history.path), "revision": history.commits[0].revision},
                "settingsModule": "config.settings.production",
                "user": "deploy" if self.slug == "guestbook" else self.slug,
                "workers": {"worker": "celery -A config worker -l info --concurrency 1"},
                "stopTimeout": {"web": 10, "workers": 10},
            },
            "codesensei:domains": [self.hostname],
            "codesensei:broker": {"env": {"CELERY_BROKER_URL": "url"}},
            "codesensei:env": {"DJANGO_ALLOWED_HOSTS": ".example", "GREETING": "Hello", "GUNICORN_WORKERS": "1"},
            "codesensei:generateSecrets": ["SECRET_KEY"],
        }

    def keep(self, label: str) -> None:
        """Keep state and stack file, as `Server.snapshot` keeps the server."""
        kept = self.directory / "kept" / label
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        shutil.copytree(self.backend, kept / "backend")
        shutil.copy(self.file, kept / "file")

    def put_back(self, label: str) -> None:
        """Put back what `keep` has kept."""
        kept = self.directory / "kept" / label
        shutil.rmtree(self.backend)
        shutil.copytree(kept / "backend", self.backend)
        shutil.copy(kept / "file", self.file)

    # The stack file

    @property
    def config(self) -> Json:
        """The stack file's content."""
        found: Json = yaml.safe_load(self.file.read_text())["config"]
        return found

    @contextmanager
    def editing(self) -> Iterator[Json]:
        """The stack file's content, written back at the end of the block."""
        whole = yaml.safe_load(self.file.read_text())
        yield whole["config"]
        self.file.write_text(yaml.safe_dump(whole))

    def set(self, path: str, value: Any) -> None:
        """Set a plain value, for example `env.GREETING`."""
        *folders, last = path.split(".")
        with self.editing() as config:
            first, *rest = [*folders, last]
            place, keys = config, [f"codesensei:{first}", *rest]
            for key in keys[:-1]:
                place = place.setdefault(key, {})
            place[keys[-1]] = value

    def set_secret(self, path: str, value: str) -> None:
        """Encrypt a value as a user does from a file: without --raw the command would cut a last newline off."""
        self.pulumi("config", "set", "--secret", "--raw", "--path", path, input=value)

    def commit(
        self,
        files: dict[str, str],
        base: str = "main",
        subject: str = "Change something",
        remove: tuple[str, ...] = (),
    ) -> str:
        """Make a commit on top of `base` with these files, and without others; returns its full hash.

        Changes no branch.
        """
        git(self.repository, "checkout", "--quiet", "--detach", base)
        for name in remove:
            (self.repository / name).unlink()
        for name, text in files.items():
            path = self.repository / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git(self.repository, "add", "--all")
        git(self.repository, "commit", "--quiet", "--message", subject)
        revision = git(self.repository, "rev-parse", "HEAD").strip()
        git(self.repository, "checkout", "--quiet", "main")
        return revision

    def revision(self, name: str) -> str:
        """The full hash of a branch, or of `main~1`."""
        return git(self.repository, "rev-parse", name).strip()

    def use(self, name: str) -> str:
        """Write a revision into the stack file; returns its full hash."""
        revision = self.revision(name)
        self.set("project.source.revision", revision)
        return revision

    # The Pulumi command

    @property
    def environment(self) -> dict[str, str]:
        """What the command runs with; nothing of a stack or an SSH agent of the user's own."""
        # An operator's Python keeps what it has compiled.
        foreign = ("SSH_AUTH_SOCK", "PYTHONDONTWRITEBYTECODE")
        kept = {key: value for key, value in engine_environment().items() if key not in foreign}
        return {
            **{key: value for key, value in kept.items() if not key.startswith("PULUMI_CONFIG")},
            "PULUMI_BACKEND_URL": f"file://{self.backend}",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.passphrase),
            "PULUMI_DEBUG_COMMANDS": "true",
            "NO_COLOR": "1",
            "CODESENSEI_STANDINS": "accept",
            **({"HOME": str(self.home)} if self.home else {}),
            **({"SSH_AUTH_SOCK": self.agent} if self.agent else {}),
        }

    def pulumi(self, *arguments: str, input: str = "", check: bool = True) -> str:
        """Run a short subcommand; returns what it prints."""
        done = subprocess.run(
            ["pulumi", *arguments, "--stack", self.name] if arguments[1] != "init" else ["pulumi", *arguments],
            cwd=self.program,
            env=self.environment,
            input=input,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done.stdout

    def recover_state(self) -> None:
        """What docs/operating.md says for a state that Pulumi was just writing when it was killed."""
        state = self.backend / ".pulumi/stacks/codesensei" / f"{self.name}.json"
        Path(f"{state}.attrs").unlink(missing_ok=True)
        try:
            json.loads(state.read_text())
        except ValueError:
            shutil.copyfile(f"{state}.bak", state)

    def start(self, *arguments: str) -> tuple[subprocess.Popen[str], Path]:
        """Start a subcommand that reports events, in a process group of its own; returns their file too."""
        self.counter += 1
        events = self.directory / f"events-{os.getpid()}-{self.counter}.json"
        output = (self.directory / f"output-{os.getpid()}-{self.counter}.txt").open("w+")
        command = ["pulumi", *arguments, "--stack", self.name, "--non-interactive", "--event-log", str(events)]
        process = subprocess.Popen(
            command,
            cwd=self.program,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        output.close()
        return process, events

    def finish(self, process: subprocess.Popen[str], events: Path, seconds: float = SECONDS) -> Run:
        """Wait for a started subcommand, at most this long."""
        output = events.with_name(events.name.replace("events-", "output-").replace(".json", ".txt"))
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise AssertionError(f"pulumi did not end within {seconds:g} s:\n{output.read_text()}") from None
        found = events.read_text().splitlines() if events.exists() else []
        return Run(process.returncode, output.read_text(), [json.loads(line) for line in found if line])

    def run(self, *arguments: str, succeed: bool = True, seconds: float = SECONDS) -> Run:
        """Run a subcommand that reports events; it must succeed, or must fail."""
        done = self.finish(*self.start(*arguments), seconds)
        assert (done.code == 0) is succeed, f"{done.output}\n{self.look_round()}"
        return done

    def up(self, *arguments: str, succeed: bool = True, seconds: float = SECONDS) -> Run:
        """Bring the server to what the stack file says."""
        return self.run("up", "--yes", "--skip-preview", *arguments, succeed=succeed, seconds=seconds)

    def up_without_changes(self) -> Run:
        """`pulumi up`, which must find nothing to do."""
        return self.up("--expect-no-changes", seconds=120)

    def preview(self, *arguments: str, succeed: bool = True, seconds: float = 120) -> Run:
        """Say what `up` would do."""
        return self.run("preview", *arguments, succeed=succeed, seconds=seconds)

    def destroy(self, *arguments: str, succeed: bool = True, seconds: float = SECONDS) -> Run:
        """`pulumi destroy`, which runs no program."""
        return self.run("destroy", "--yes", "--skip-preview", *arguments, succeed=succeed, seconds=seconds)

    def outputs(self) -> Json:
        """The stack's outputs."""
        found: Json = json.loads(self.pulumi("stack", "output", "--json"))
        return found

    def resources(self) -> dict[str, Json]:
        """The resources in the state by name (components are left out), secrets in clear."""
        exported = json.loads(self.pulumi("stack", "export", "--show-secrets"))
        found = exported["deployment"].get("resources", [])
        return {item["urn"].rpartition("::")[2]: reveal(item) for item in found if item.get("custom")}

    # The server

    @property
    def site(self) -> Site:
        """The project as its visitors see it."""
        return Site(self.server.host, self.hostname)

    def look_round(self) -> str:
        """What the server says of the last steps, for a failure's message."""
        command = (
            f"tail -n 15 /var/lib/codesensei/{self.slug}/steps.jsonl;"
            f" journalctl -q --no-pager -n {JOURNAL_LINES} -o short-precise"
        )
        try:
            return f"--- {self.server.name}\n{self.server.console(command, check=False, timeout=30).stdout}"
        except Exception as error:  # noqa: BLE001  # the failure itself must be shown, whatever the server does
            return f"--- {self.server.name} says nothing: {error}"

    def serving(self, process: str = "") -> str:
        """The release whose code the unit's main process runs; empty where it does not run."""
        unit = f"{self.slug}-{process}.service" if process else f"{self.slug}.service"
        command = f'readlink "/proc/$(systemctl show -P MainPID {unit})/cwd"'
        found = self.server.console(command, check=False).stdout.strip()
        return found.removeprefix(f"/srv/codesensei/{self.slug}/releases/") if found != "/" else ""

    def processes(self) -> list[str]:
        """The main processes of web and worker."""
        units = f"{self.slug}.service {self.slug}-worker.service"
        return self.server.console(f"systemctl show -P MainPID {units}").stdout.split()

    def environ(self, process: str = "") -> dict[str, str]:
        """The environment of the unit's main process."""
        unit = f"{self.slug}-{process}.service" if process else f"{self.slug}.service"
        text = self.server.console(f'cat "/proc/$(systemctl show -P MainPID {unit})/environ"').stdout
        return dict(item.split("=", 1) for item in text.split("\0") if "=" in item)

    def logins(self) -> int:
        """How often somebody has logged in by key since the server was booted, as its sshd says."""
        command = "journalctl --sync; journalctl -q -b --no-pager -o cat -t sshd -t sshd-session"
        return self.server.console(command).stdout.count("Accepted publickey")

    def await_step(self, name: str) -> None:
        """Wait until this step holds the project's lock."""
        holder = f"/run/codesensei/project-{self.slug}.holder"
        eventually(self.server, f"""grep -q '"step": "{name}"' {holder}""")

    def step(self, name: str) -> tuple[str, bytes]:
        """A step as the state has it: the command line, and what it gets on standard input."""
        inputs = self.resources()[name]["inputs"]
        return inputs["create"], inputs.get("stdin", "").encode()

    def data_of(self, name: str) -> Json:
        """What a step gets, as the step itself reads it."""
        data: Json = codec.plain(self.step(name)[1].decode())
        return data


def eventually(server: Server, condition: str, seconds: float = 120) -> None:
    """Wait until a shell condition holds on the server."""
    loop = f"until {condition}; do sleep 0.02; done"
    done = server.console(f"timeout {seconds:g} bash -c {shlex.quote(loop)}", check=False, timeout=seconds + 30)
    assert done.returncode == 0, f"on {server.name} it was not so within {seconds:g} s: {condition}"


def reveal(value: Any) -> Any:
    """The value with each decrypted secret in its place."""
    if isinstance(value, list):
        return [reveal(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "plaintext" in value:
        return reveal(json.loads(value["plaintext"]))
    return {key: reveal(item) for key, item in value.items()}
