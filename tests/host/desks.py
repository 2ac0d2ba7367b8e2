"""A project that these tests made: no database server, workers of every kind, and a hostile gunicorn.conf.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from tools.demo.history import History, begin_history
from tools.trials.site import Site
from tools.trials.stack import Stack

PROJECT = Path(__file__).with_name("desk")
# `%`, `$` and both kinds of quotes are the shell's here, never systemd's.
SHELL_LINE = (
    'while true; do python manage.py turn "$MARK" \'100%n\' "it\'s" | while read -r words; do'
    ' echo "$words" >> "$HOME/words"; done; sleep 0.5; done'
)
WORKERS: dict[str, Any] = {
    "worker": "celery -A desk worker -l info --concurrency 1 -n one@%h",
    "second": "env MARK=second celery --app=desk worker -l info --concurrency 1 -n second@%h -Q ticks",
    "beat": {"command": "celery -A desk beat -l info", "singleton": True},
    "loop": "python manage.py loop",
    "shell": SHELL_LINE,
}


class Desk(Stack):
    """A stack of this project."""

    project: ClassVar[Path] = PROJECT

    def make_history(self) -> History:
        """The repository, with one commit."""
        return begin_history(self.repository, self.project, "Open a desk")

    def first_config(self, history: History) -> dict[str, Any]:
        """What the stack starts with."""
        config = super().first_config(history)
        config["codesensei:project"] |= {
            "name": "Desk & sons, 100%",
            "settingsModule": "desk.settings.production",
            "workers": WORKERS,
            "stopTimeout": {"web": 20, "workers": 30},
        }
        del config["codesensei:broker"]
        return config | {
            "codesensei:broker": {"env": {"BROKER_URL": "url"}},
            "codesensei:env": {
                "DATABASE_URL": f"sqlite:////srv/codesensei/{self.slug}/shared/db.sqlite3",
                "GREETING": "Hello",
                "GUNICORN_WORKERS": "'2'",
                "MARK": 'a "mark" of $5',
            },
        }

    def asks(self, path: str = "/") -> dict[str, Any]:
        """What a page says of the process that has made it."""
        page = Site(self.server.host, self.hostname).get(path)
        assert page.status == 200, f"{path}: status {page.status}\n{page.body[:2000]}"
        found: dict[str, Any] = json.loads(page.body)
        return found

    def asks_from(self) -> tuple[str, str]:
        """The address from which a request comes, as the project is told, and as nginx has written it down."""
        told = str(self.asks()["address"])
        line = self.server.console(f"tail -n 1 /var/log/nginx/codesensei-{self.slug}.access.log").stdout
        return told, line.split()[0]

    def diary(self, process: str) -> list[tuple[float, int, str]]:
        """What a process has written down: when, which process, what."""
        path = f"/srv/codesensei/{self.slug}/shared/state/{process}/diary"
        lines = self.server.console(f"cat {path}", check=False).stdout.splitlines()
        parts = (line.split(" ", 2) for line in lines)
        return [(float(when), int(pid), event) for when, pid, event in parts]

    def main_process(self, process: str = "") -> str:
        """The main process of a unit; `0` where it does not run."""
        unit = f"{self.slug}-{process}.service" if process else f"{self.slug}.service"
        return self.server.console(f"systemctl show -P MainPID {unit}").stdout.strip()
