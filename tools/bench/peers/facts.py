"""What each peer knows of the project on its server: its inventory, made outside of the clock."""

from __future__ import annotations

import json
import secrets
import shlex
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2

from tools.bench.tool import Wanted
from tools.demo.history import git

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"
FOLDER = "/srv/peers"


@dataclass
class Facts:
    """The project of one peer; `number` is its database in the broker, `directory` where the peer's files are."""

    slug: str
    number: int
    source: Path
    directory: Path
    password: str = field(default_factory=lambda: secrets.token_hex(12))
    key: str = field(default_factory=lambda: secrets.token_hex(32))

    @property
    def hostname(self) -> str:
        """Under which it is visited."""
        return f"{self.slug}.example"

    @property
    def base(self) -> str:
        """Its directory on the server."""
        return f"{FOLDER}/{self.slug}"

    @property
    def database(self) -> str:
        """Its database, and the role that owns it."""
        return self.slug.replace("-", "_")

    def release(self, revision: str) -> str:
        """The directory of a release on the server."""
        return f"{self.base}/releases/{revision}"

    def variables(self, wanted: Wanted) -> dict[str, str]:
        """The project's environment: what the product gives it."""
        return {
            "DJANGO_SETTINGS_MODULE": "config.settings.production",
            "DJANGO_ALLOWED_HOSTS": ".example",
            "SECRET_KEY": self.key,
            "DATABASE_URL": f"postgres://{self.database}:{self.password}@127.0.0.1:5432/{self.database}",
            "CELERY_BROKER_URL": f"redis://127.0.0.1:6379/{self.number}",
            "GREETING": wanted.greeting,
        }

    def of(self, wanted: Wanted) -> dict[str, Any]:
        """All of it, as Ansible and pyinfra read it."""
        return {
            "slug": self.slug,
            "base": self.base,
            "hostname": self.hostname,
            "release": self.release(wanted.revision),
            "revision": wanted.revision,
            "source": str(self.source),
            "archive": str(self.directory / f"{wanted.revision}.tar"),
            "requirements": self.requirements(wanted),
            "variables": self.variables(wanted),
            "db_name": self.database,
            "db_password": self.password,
            "templates": str(TEMPLATES),
            "await": shlex.join(["env", f"HOST_NAME={self.hostname}", "bash", "-c", self.waiting]),
        }

    def environment(self, wanted: Wanted) -> dict[str, str]:
        """All of it, as the shell scripts read it, with the files that they write."""
        known = self.of(wanted)
        return {
            **self.place,
            "RELEASE": known["release"],
            "REQUIREMENTS": known["requirements"],
            "HOST_NAME": self.hostname,
            "AWAIT": self.waiting,
            "DB_PASSWORD": self.password,
            "ENV_FILE": render("env.j2", known),
            "WEB_UNIT": render("web.service.j2", known),
            "WORKER_UNIT": render("worker.service.j2", known),
            "SITE": render("site.conf.j2", known),
        }

    @property
    def place(self) -> dict[str, str]:
        """What the scripts need that only look, or remove."""
        return {"SLUG": self.slug, "BASE": self.base, "DB_NAME": self.database}

    def requirements(self, wanted: Wanted) -> str:
        """The identity of the requirements, so that packages are installed when they change."""
        return git(self.source, "rev-parse", f"{wanted.revision}:requirements.txt").strip()[:12]

    def write(self, wanted: Wanted) -> Path:
        """Write all of it into a file; returns it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / "facts.json"
        path.write_text(json.dumps(self.of(wanted), indent=1))
        return path

    @cached_property
    def waiting(self) -> str:
        """The script that waits until the project answers."""
        return (HERE / "await.sh").read_text()


def render(template: str, values: dict[str, Any]) -> str:
    """A file, without its last line's end."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    environment = jinja2.Environment(loader=loader, trim_blocks=True, undefined=jinja2.StrictUndefined)
    return environment.get_template(template).render(values).rstrip("\n")
