"""A stack that the real Pulumi command deploys to a server of paper, so that its state is a real one."""

from __future__ import annotations

import getpass
import json
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.config.cli import NAME, Project
from tests.conformance.servers import Sshd
from tools.demo.history import History
from tools.trials.stack import Run

ANSWERS = Path(__file__).with_name("paper.sh")
TOKEN, KEY = "canary-of-the-token", "0123456789abcdef0123"


class _Dumper(yaml.SafeDumper):
    """Writes `clear:` values in the forms that `Project.write` finds and encrypts."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else '"' if text.startswith("clear:") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


@dataclass
class Shop:
    """One stack on the server; `config` is what its stack file says, and a test changes it."""

    project: Project
    config: dict[str, Any]
    history: History

    def write(self, *changes: tuple[str, Any]) -> None:
        """Write the stack file with these changes: a dotted path below `codesensei:`, and its value; None removes."""
        config = deepcopy(self.config)
        for path, value in changes:
            place, names = config, f"codesensei:{path}".split(".")
            for name in names[:-1]:
                place = place.setdefault(name, {})
            if value is None:
                place.pop(names[-1])
            else:
                place[names[-1]] = value
        self.project.write(yaml.dump({"config": config}, Dumper=_Dumper, width=10_000))

    def run(self, *words: str, stack: str = NAME) -> Run:
        """`pulumi` with these words, e.g. `preview`."""
        self.project.counter += 1
        events = self.project.directory / f"events-{self.project.counter}.json"
        argv = ["pulumi", *words, "--stack", stack, "--non-interactive", "--event-log", str(events)]
        done = self.project.run(argv)
        found = [json.loads(line) for line in events.read_text().splitlines() if line] if events.exists() else []
        return Run(done.returncode, done.stdout + done.stderr, found)

    def up(self) -> Run:
        """`pulumi up`, which has to work."""
        run = self.run("up", "--yes", "--skip-preview")
        assert run.code == 0, run.output
        return run


def first_config(sshd: Sshd, repository: Path, revision: str) -> dict[str, Any]:
    """A small stack with a worker and variables of each kind."""
    return {
        "codesensei:server": {
            "host": "127.0.0.1",
            "port": sshd.port,
            "user": getpass.getuser(),
            "hostKey": sshd.public("host_ed25519"),
        },
        "codesensei:sshPrivateKey": {"secure": f"clear:{sshd.key('user')}"},
        "codesensei:digestKey": {"secure": f"clear:{KEY}"},
        "codesensei:project": {
            "slug": "shop",
            "source": {"path": str(repository), "revision": revision},
            "settingsModule": "config.settings.production",
            "workers": {"worker": "celery -A config worker -c 2"},
        },
        "codesensei:domains": ["shop.example.com"],
        "codesensei:drift": False,
        "codesensei:database": {"kind": "auto"},
        "codesensei:env": {"DJANGO_ALLOWED_HOSTS": ".example.com", "GREETING": "Welcome!", "OLD_FLAG": "1"},
        "codesensei:secretEnv": {"API_TOKEN": {"secure": f"clear:{TOKEN}"}},
        "codesensei:generateSecrets": ["SECRET_KEY"],
    }
