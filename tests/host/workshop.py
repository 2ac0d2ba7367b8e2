"""A second project on a server that has been deployed to: its releases are built by single steps, without an engine.

The steps get what the program itself reads from the stack file and the source; only the order is written here.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from codesensei import remote
from codesensei.config import Stack
from codesensei.remote import toolkit
from codesensei.source import Code, read_code
from codesensei.wire import codec, envfile, steps
from codesensei.wire.steps import StepKind
from components.release import build_data
from tests.config.engine import load_text
from tools.demo.history import git
from tools.sandbox import Server

D = TypeVar("D")
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKeg8v5YoCtgoPJ83jBCs53tPoFqv/okNt4s5bQHsXEI"
SETTINGS = """\
import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ.get("SECRET_KEY", "only for tests")
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.staticfiles"]
ROOT_URLCONF = "config.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/srv/codesensei/lab/shared/db.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "assets"]
"""
MANAGE = """\
import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
execute_from_command_line(sys.argv)
"""
WSGI = "from django.core.wsgi import get_wsgi_application\n\napplication = get_wsgi_application()\n"
START = {
    "manage.py": MANAGE,
    "config/__init__.py": "",
    "config/settings.py": SETTINGS,
    "config/urls.py": "urlpatterns = []\n",
    "config/wsgi.py": WSGI,
    "assets/hello.txt": "hello\n",
    "requirements.txt": "Django==5.2.19\ngunicorn==23.0.0\n",
}


@dataclass(frozen=True)
class Built:
    """How a build ended. `said` is all that the steps told, `venv` and `path` are directories on the server."""

    release: str
    code: Code
    data: steps.Build
    ok: bool
    said: str
    venv: str
    path: str

    @property
    def error(self) -> str:
        """Ours alone: what the user reads before the log."""
        lines = self.said.splitlines()
        first = next((number for number, line in enumerate(lines) if line.startswith("error: ")), len(lines))
        return "\n".join(line for line in lines[first:] if not line.startswith("  | "))


@dataclass(frozen=True)
class Workshop:
    """The project `lab` on `server`; its repository is below `directory`."""

    server: Server
    directory: Path
    slug: str = "lab"

    @property
    def root(self) -> str:
        """The project's directory on the server."""
        return f"/srv/codesensei/{self.slug}"

    @property
    def build_user(self) -> str:
        """Who builds."""
        return "csb-" + hashlib.sha256(self.slug.encode()).hexdigest()[:8]

    def open(self) -> Workshop:
        """Bring the toolkit and make the accounts, unless they are there."""
        (self.directory / "repository").mkdir(parents=True, exist_ok=True)
        if not (self.directory / "repository" / ".git").exists():
            git(self.directory / "repository", "init", "--quiet", "--initial-branch=main")
        tools = toolkit.pack()
        installed = self.server.console(f"readlink /usr/local/lib/codesensei/{self.slug}", check=False).stdout
        if tools.hash not in installed:
            words = [
                steps.CLAIM.name,
                str(steps.CLAIM.format),
                "org/codesensei/lab",
                "identity-of-lab",
                "false",
                tools.hash,
            ]
            self.server.console(f"sh -s {shlex.join([self.slug, *words])}", input=tools.bundle.encode())
            self.step(steps.ACCOUNT, steps.Account(user=self.slug, media_serving="none"))
        return self

    def step(self, step: StepKind[D], data: D, *args: str, check: bool = True) -> tuple[bool, str]:
        """Run a step; whether it succeeded, and what it said."""
        words = shlex.join([step.name, str(step.format), *args])
        done = self.server.console(
            f"/usr/local/lib/codesensei/{self.slug}/run {words}",
            input=codec.to_text(data).encode(),
            check=False,
            timeout=600,
        )
        said = done.stderr + done.stdout
        assert done.returncode == 0 or not check, said
        return done.returncode == 0, said

    def commit(self, files: Mapping[str, str | bytes]) -> str:
        """A commit with exactly these files; its full hash."""
        repository = self.directory / "repository"
        git(repository, "rm", "-r", "--quiet", "--force", "--ignore-unmatch", ".")
        for name, content in files.items():
            path = repository / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        git(repository, "add", "--all", "--force")
        if git(repository, "status", "--porcelain") or not (repository / ".git" / "refs" / "heads" / "main").exists():
            git(repository, "commit", "--quiet", "--allow-empty", "--message", "Change something")
        return git(repository, "rev-parse", "HEAD").strip()

    def stack(self, revision: str, project: Mapping[str, Any]) -> Stack:
        """The stack, as its file would say."""
        config = {
            "codesensei:server": {"host": self.server.host, "hostKey": HOST_KEY},
            "codesensei:project": {
                "slug": self.slug,
                "source": {"path": str(self.directory / "repository"), "revision": revision},
                "settingsModule": "config.settings",
                "user": self.slug,
                **project,
            },
            "codesensei:database": {"kind": "none"},
        }
        return load_text(self.directory, yaml.safe_dump({"config": config}))

    def build(
        self,
        files: Mapping[str, str | bytes],
        project: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        *,
        succeed: bool | None = True,
    ) -> Built:
        """Build a release of a commit with these files; `succeed`: None for either."""
        stack = self.stack(self.commit(files), project or {})
        code = read_code(stack.config, self.directory / "cache")
        variables = {**(env or {}), **(secrets or {})}
        variables_id = hashlib.sha256(json.dumps(variables, sort_keys=True).encode()).hexdigest()[:7]
        release = f"{code.id[:7]}-{variables_id}"
        environment = steps.Environment(
            content=envfile.render(variables),
            secret_names=tuple(sorted(secrets or {})),
            managed_names=(),
            account=None,
            user=self.slug,
        )
        self.step(steps.ENVIRONMENT, environment, variables_id)
        data = build_data(stack, code)
        self.copy(code, data)
        ok, said = self.step(steps.BUILD, data, release, code.checkout.revision, check=False)
        assert succeed is None or ok is succeed, said
        notes = self.server.console(f"cat /var/lib/codesensei/{self.slug}/release/{release}.json", check=False).stdout
        venv = json.loads(notes or "{}").get("venv", "none")
        return Built(release, code, data, ok, said, f"{self.root}/venvs/{venv}", f"{self.root}/releases/{release}")

    def copy(self, code: Code, data: steps.Build) -> None:
        """Put the archive where the engine's copy would put it."""
        tar = data.source.tar
        self.server.console(
            f"mkdir -p -m 700 {os.path.dirname(tar)} && cat > {shlex.quote(tar)}",
            input=code.checkout.tar_path.read_bytes(),
        )

    def python(self, built: Built, script: str) -> str:
        """What a script prints in the release's Python, run as the app user in its directory."""
        words = f"env DJANGO_SETTINGS_MODULE=config.settings {built.venv}/bin/python -c {shlex.quote(script)}"
        line = f"cd {built.path} && runuser -u {self.slug} -- {words}"
        return self.server.console(line).stdout.strip()

    def packages(self, built: Built) -> dict[str, str]:
        """Names and versions of what is installed in a release's venv."""
        script = (
            "import importlib.metadata as m, json;"
            "print(json.dumps({d.metadata['Name'].lower(): d.version for d in m.distributions()}))"
        )
        found: dict[str, str] = json.loads(self.python(built, script))
        return found


def incoming(server: Server, slug: str, revision: str) -> str:
    """Where an archive arrives on a server."""
    return remote.incoming_path(slug, revision, server.host_key)
