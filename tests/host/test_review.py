"""Review stacks beside the stack that they were made from: data copied, one removed, the other one never touched."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.host.debians import each_debian
from tests.host.visitor import Traffic, traffic
from tools.demo.history import git
from tools.trials.fingerprint import difference, fingerprint
from tools.trials.stack import Stack

pytestmark = pytest.mark.host

TOKEN = "a-token-of-this-stack"


def review(stack: Stack, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "codesensei.console", "review", *words],
        cwd=stack.program,
        env=stack.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == code, f"{done.stdout}{done.stderr}\n{stack.look_round()}"
    assert TOKEN not in done.stdout + done.stderr
    return done


def up(stack: Stack, branch: str, *words: str) -> tuple[Stack, str]:
    """The review stack of a branch, and the commit that it serves."""
    words = ("up", branch, "--from", stack.name, "--apps-domain", "apps.example", "--json", *words)
    found = json.loads(review(stack, *words).stdout)
    slug = found["stack"].removeprefix("review-")
    assert found["url"] == f"http://{slug}.apps.example/"
    made = Stack(stack.server, stack.directory, slug=slug, name=found["stack"], hostname=f"{slug}.apps.example")
    return made, found["revision"]


def on_server(stack: Stack, *slugs: str) -> dict[str, bool]:
    """Whether the server has something of a project: unit, folder, user, database, role, name in the register."""
    names = [slug.replace("-", "_") for slug in slugs]
    databases = stack.server.console("cd /; runuser -u postgres -- psql -AtXc 'SELECT datname FROM pg_database'")
    roles = stack.server.console("cd /; runuser -u postgres -- psql -AtXc 'SELECT rolname FROM pg_roles'")
    users = stack.server.console("cut -d: -f1 /etc/passwd").stdout.split()
    register = stack.server.console("cat /var/lib/codesensei/register.json").stdout
    files = stack.server.console("ls /srv/codesensei /etc/systemd/system /etc/nginx/sites-available").stdout
    return {
        "databases": any(name in databases.stdout.split() for name in names),
        "roles": any(name in roles.stdout.split() for name in names),
        "users": any(slug in users for slug in slugs),
        "register": any(slug in register for slug in slugs),
        "files": any(slug in files for slug in slugs),
    }


def leftovers(stack: Stack) -> dict[str, Any]:
    found = json.loads(review(stack, "list", "--json").stdout)["stacks"]
    return {one["branch"]: one["gone"] for one in found}


@each_debian(12)
@pytest.mark.proves("review-stack.up", "review-stack.data", "review-stack.down", "review-stack.list")
@pytest.mark.proves("review-stack.secrets", "review-stack.own", "review-stack.database")
def test_a_branch_beside_its_base(stack: Stack) -> None:
    entry = stack.site.write()
    stack.site.await_job(entry)
    serving = stack.serving()
    before = fingerprint(stack.server, stack.slug)
    # Its commit has a migration, which runs on the copied data.
    git(stack.repository, "branch", "--force", "feature/town", "main~1")
    with traffic(stack.server.host, stack.hostname, https=False) as seen:
        town, revision = up(stack, "feature/town", "--data")
        assert revision == stack.revision("main~1")
        assert town.site.shows(entry)
        own = town.site.write()
        town.site.await_job(own)
        assert not stack.site.shows(own)
        has_secrets_of_its_own(stack, town)
        assert leftovers(stack) == {"feature/town": False}
        git(stack.repository, "branch", "--delete", "--force", "feature/town")
        assert leftovers(stack) == {"feature/town": True}
        review(stack, "down", "feature/town", "--yes")
        assert not any(on_server(stack, town.slug, town.slug.replace("-", "_")).values())
    is_as_before(stack, before, serving, seen)
    assert stack.site.shows(entry)


@each_debian(13)
@pytest.mark.full
@pytest.mark.proves("review-stack.up", "review-stack.data", "review-stack.down", "review-stack.list")
def test_two_branches_beside_their_base(stack: Stack) -> None:
    entry = stack.site.write()
    stack.site.await_job(entry)
    serving = stack.serving()
    before = fingerprint(stack.server, stack.slug)
    # Its commit has a migration, which runs on the copied data.
    git(stack.repository, "branch", "--force", "feature/town", "main~1")
    git(stack.repository, "branch", "--force", "colors", "main")
    with traffic(stack.server.host, stack.hostname, https=False) as seen:
        town, revision = up(stack, "feature/town", "--data")
        assert revision == stack.revision("main~1")
        assert town.site.shows(entry)
        colors, _ = up(stack, "colors")
        assert not colors.site.shows(entry)
        own = town.site.write()
        town.site.await_job(own)
        assert not stack.site.shows(own)
        assert not colors.site.shows(own)

        has_secrets_of_its_own(stack, town)
        # The branch moves: the same stack, the newest commit, the same data.
        git(stack.repository, "branch", "--force", "feature/town", "main")
        again, revision = up_again(stack, "feature/town")
        assert (again, revision) == (town.name, stack.revision("main"))
        assert town.site.shows(entry)
        assert town.site.shows(own)

        assert leftovers(stack) == {"feature/town": False, "colors": False}
        git(stack.repository, "branch", "--delete", "--force", "colors")
        assert leftovers(stack) == {"feature/town": False, "colors": True}
        assert "add --yes" in review(stack, "down", "colors", code=2).stderr
        assert "is removed" in review(stack, "down", "colors", "--yes").stdout
        assert not any(on_server(stack, colors.slug, colors.slug.replace("-", "_")).values())
        assert all(on_server(stack, town.slug).values())
        assert not colors.file.exists()
        assert "no review stack is there for colors" in review(stack, "down", "colors", "--yes").stdout
        assert leftovers(stack) == {"feature/town": False}
        assert town.site.shows(own)
        # Without its file, as in a job's new checkout.
        town.file.unlink()
        assert leftovers(stack) == {"feature/town": False}
        review(stack, "down", "feature/town", "--yes")
        assert not any(on_server(stack, town.slug).values())
    refused = review(stack, "down", stack.name, "--yes").stdout
    assert "no review stack is there for test" in refused
    is_as_before(stack, before, serving, seen)
    assert stack.site.shows(entry)
    stack.up_without_changes()


def is_as_before(stack: Stack, before: dict[str, Any], serving: str, seen: Traffic) -> None:
    """The base, of which no request has failed."""
    assert seen.failed == []
    assert seen.asked > 100
    assert stack.serving() == serving
    changed = difference(before, fingerprint(stack.server, stack.slug))
    assert [path for path in changed if stack.slug in path] == []


def has_secrets_of_its_own(stack: Stack, made: Stack) -> None:
    text, environ, theirs = made.file.read_text(), stack.environ(), made.environ()
    mark = yaml.safe_load(text)["config"]["codesensei:reviewOf"]
    assert mark == {"stack": "test", "branch": "feature/town", "dataFrom": "guestbook"}
    assert TOKEN not in text
    assert theirs["API_TOKEN"] == environ["API_TOKEN"] == TOKEN
    assert theirs["SECRET_KEY"] != environ["SECRET_KEY"]
    assert theirs["DATABASE_URL"] != environ["DATABASE_URL"]
    assert theirs["CELERY_BROKER_URL"] != environ["CELERY_BROKER_URL"]


def up_again(stack: Stack, branch: str) -> tuple[str, str]:
    found = json.loads(review(stack, "up", branch, "--from", stack.name, "--json").stdout)
    return found["stack"], found["revision"]
