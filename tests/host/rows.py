"""Projects that go no further than their database: each is provisioned by the real steps, then used by Django."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from codesensei.config import validate
from codesensei.config.plans import plan_database
from codesensei.wire import codec, steps
from codesensei.wire.steps import DatabaseAccount
from tools.sandbox.server import Done, Server
from tools.trials.stack import Json, Stack

LIBRARY = "/usr/local/lib/codesensei"
WORDS = "naïve ☃ 𝄞"

# Runs on the server as root: claims each slug, runs its step twice, and looks with Django as the project's own user.
DRIVER = r"""
import json, os, subprocess, sys

library, python, use = sys.argv[1:4]
toolkit = os.path.realpath(library + "/guestbook")


def run(argv, text="", **more):
    return subprocess.run(argv, input=text, capture_output=True, text=True, cwd="/", **more)


def outcome(done):
    if done.returncode:
        return done.stderr
    return "unchanged" if done.stdout.splitlines()[-1] == "unchanged" else "changed"


found = {}
for project in json.load(sys.stdin):
    slug, user = project["slug"], project["user"]
    claim = ["claim", "1", "org/codesensei/" + slug, "id-" + slug, "false", "hash"]
    claimed = run(["python3", "-I", "-B", toolkit, slug, *claim])
    assert claimed.returncode == 0, claimed.stderr
    if run(["id", user]).returncode:
        run(["useradd", "--system", "--gid", "deploy", user])
    steps = [run([library + "/" + slug + "/run", "database", "1"], json.dumps(project["data"])) for _ in range(2)]
    login = run(["runuser", "-u", user, "--", python, "-c", use], env={**os.environ, "URL": project["url"]})
    found[slug] = {
        "step": [outcome(done) for done in steps],
        "login": json.loads(login.stdout) if login.returncode == 0 else login.stderr[-2000:],
    }
print(json.dumps(found))
"""

USE = r"""
import json, os
import dj_database_url
from django.conf import settings
from django.db.utils import ConnectionHandler

settings.configure()
connection = ConnectionHandler({"default": dj_database_url.parse(os.environ["URL"])})["default"]
with connection.cursor() as cursor:
    cursor.execute("CREATE TABLE IF NOT EXISTS words (text varchar(40))")
    cursor.execute("INSERT INTO words VALUES (%s)", ["WORDS"])
    cursor.execute("SELECT current_user, current_database(), getdatabaseencoding(), text,"
                   " coalesce(host(inet_server_addr()), 'socket'), current_setting('port')::int FROM words LIMIT 1")
    print(json.dumps(cursor.fetchone()))
""".replace("WORDS", WORDS)


@dataclass(frozen=True)
class Row:
    """One project: its slug, what its URL says, and the user that it runs as."""

    slug: str
    url: str
    user: str = ""
    database: Mapping[str, object] = field(default_factory=dict, hash=False)
    adopt: bool = False

    @property
    def user_name(self) -> str:
        """The app user: the slug's name where the row says none."""
        return self.user or self.slug

    def data(self, stack: Stack) -> Json:
        """What the step `database` gets for it."""
        raw = {key.partition(":")[2]: value for key, value in stack.config.items()}
        project = {**raw["project"], "slug": self.slug, "user": self.user_name}
        config = {"server": raw["server"], "project": project, "database": dict(self.database), "adopt": self.adopt}
        values = {"DATABASE_URL": self.url} if self.url else {}
        given = plan_database(checked := validate(config), values, {"DATABASE_URL": "secretEnv.DATABASE_URL"})
        plan = given.plan
        data = steps.Database(
            account=DatabaseAccount(name=plan.name, role=plan.role, port=plan.port, digest="d1"),
            host=plan.host,
            user=self.user_name,
            extensions=checked.database.extensions,
            adopt=self.adopt,
            password=given.password or "",
        )
        found: Json = codec.encode(data)
        return found


def provision(stack: Stack, rows: Iterable[Row]) -> dict[str, Any]:
    """Run the step of each project twice and log in by its URL; what both said, by slug."""
    projects = [{"slug": row.slug, "user": row.user_name, "url": row.url, "data": row.data(stack)} for row in rows]
    words = ["python3", "-c", DRIVER, LIBRARY, "/srv/codesensei/guestbook/shared/venv/bin/python", USE]
    done = stack.server.console(f"cd / && {shlex.join(words)}", input=json.dumps(projects).encode(), timeout=600)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def claim(server: Server, slug: str) -> None:
    """Make a slug known to the server's register, as a stack's first step does."""
    toolkit = f"$(readlink -f {LIBRARY}/guestbook)"
    server.console(f"python3 -I -B {toolkit} {slug} claim 1 org/codesensei/{slug} id-{slug} false hash")


def run_step(server: Server, slug: str, step: str, data: Json, *, check: bool = True) -> Done:
    """Run a step of any slug that is claimed."""
    line = f"{LIBRARY}/{slug}/run {step} 1"
    return server.console(line, input=json.dumps(data).encode(), check=check)


def outcome(done: Done) -> str:
    """What became of a step that has succeeded: "changed" or "unchanged", the last word that it says."""
    return "unchanged" if done.stdout.splitlines()[-1] == "unchanged" else "changed"


def psql(server: Server, query: str, database: str = "postgres", port: int = 5432) -> str:
    """What a query of the superuser's says, unaligned."""
    words = ["runuser", "-u", "postgres", "--", "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-p", str(port), database]
    return server.console(f"cd / && {shlex.join(words)}", input=query.encode()).stdout.rstrip("\n")
