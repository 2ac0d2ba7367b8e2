"""Several projects on one server: deployed at once, each refused what is another's, none harmed by another's end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.host.debians import each_debian
from tests.host.test_stacks import COMMON, touched
from tools.sandbox import Sandbox
from tools.trials.fingerprint import fingerprint
from tools.trials.stack import Stack

pytestmark = pytest.mark.host


@pytest.fixture
def neighbour(stack: Stack) -> Stack:
    """A stack for the same server, with names and a user of its own, that nothing was deployed of."""
    directory = stack.directory.with_name(f"{stack.directory.name}-other")
    return Stack(stack.server, directory, slug="other", name="second", hostname="other.example").create()


def refused(stack: Stack, **changes: Any) -> str:
    """What the deploy says with these changes of the stack file, which are taken back afterwards."""
    before = stack.file.read_text()
    for path, value in changes.items():
        stack.set(path.replace("__", "."), value)
    done = stack.up(succeed=False)
    stack.file.write_text(before)
    assert "Traceback" not in done.output
    assert "fix: " in done.output
    return done.said("error")


def register(stack: Stack) -> dict[str, Any]:
    """The server's register, by slug."""
    found: dict[str, Any] = json.loads(stack.server.console("cat /var/lib/codesensei/register.json").stdout)["slugs"]
    return found


@pytest.mark.full
@pytest.mark.proves(
    "register.refused", "register.reserved-databases", "user.refused", "user.shared", "broker.number-refused"
)
@each_debian(12)
def test_names_and_users_of_others_are_refused(stack: Stack, neighbour: Stack) -> None:
    """Each by name, with its owner, before anything is changed."""
    stack.set("env.CACHE_URL", "redis://127.0.0.1:6379/3")
    stack.up()
    before = fingerprint(stack.server, stack.slug)
    theirs = "it belongs to the stack organization/codesensei/test (slug guestbook)"
    where = f" on {stack.server.name}: "
    assert f"error: database guestbook{where}{theirs}" in refused(neighbour, database__name="guestbook")
    with_number = {"broker": {"env": {}}, "env__CELERY_BROKER_URL": "redis://127.0.0.1:6379/3"}
    assert f"error: broker database 3{where}{theirs}" in refused(neighbour, **with_number)
    error = refused(neighbour, project__user="deploy")
    assert f"error: user deploy{where}the project guestbook runs as this user: each could read the other's" in error
    stack.server.console(
        "useradd --system climber; usermod -aG sudo climber; groupadd -f docker; useradd --system sailor;"
        " usermod -aG docker sailor; useradd --system ruler; echo 'ruler ALL=(root) /bin/ls' > /etc/sudoers.d/ruler"
    )
    for user in ("climber", "sailor", "ruler"):
        assert f"error: user {user}{where}" in (error := refused(neighbour, project__user=user))
        assert "it is in the group docker, which gives" in error if user == "sailor" else "sudo" in error
    assert set(register(stack)["other"]["names"]) <= {"units", "hostnames", "brokers", "databases", "roles"}
    assert not any(register(stack)["other"]["names"].values())
    accounts = {"/etc/passwd", "/etc/group"}
    assert set(touched(stack, before, "other")) <= accounts | {"/var/lib/codesensei"}
    assert stack.site.greets("Hello")
    stack.up_without_changes()


@pytest.mark.full
@pytest.mark.proves("register.slug-fixed", "register.database-fixed")
@each_debian(13)
def test_slug_and_database_name_stay_and_the_database_can_be_moved(stack: Stack) -> None:
    entry, before = stack.site.write(), fingerprint(stack.server, stack.slug)
    where = f" on {stack.server.name}: "
    error = refused(stack, project__slug="visitors", project__user="deploy")
    assert f"error: slug visitors{where}this stack is deployed as guestbook, and its slug does not change" in error
    assert "fix: put codesensei:project.slug: guestbook back; or move: make another stack with the slug" in error
    assert touched(stack, before, "nothing-else") == []
    error = refused(stack, database__name="visitors")
    assert f"error: database visitors{where}this project's database is guestbook, and its name does not change" in error
    assert "fix: put the name guestbook back; or move it: stop the project's units, then on the server sudo -u" in error
    assert stack.site.shows(entry)
    # Values that were made for the other slug leave the state, and the toolkit's file has the slug in its name.
    assert {name.split()[0] for name in stack.up().changes} <= {"RandomPassword", "RandomInteger", "CopyToRemote"}
    stack.up_without_changes()
    # As the fix says.
    command = error.partition("on the server ")[2].partition(", and run")[0]
    assert command == """sudo -u postgres psql -c 'ALTER DATABASE "guestbook" RENAME TO "visitors"'"""
    stack.server.console(f"systemctl stop guestbook.service guestbook-worker.service; cd /; {command}")
    stack.set("database.name", "visitors")
    stack.set("adopt", True)
    stack.up()
    assert stack.site.shows(entry)
    assert stack.environ()["DATABASE_URL"].endswith("/visitors")
    stack.set("adopt", False)
    stack.up()
    stack.up_without_changes()


@pytest.mark.full
@pytest.mark.proves("register.adopt", "register")
@each_debian(13)
def test_a_stack_takes_another_s_place(stack: Stack) -> None:
    """The same slug, hostname, database and user; the first stack then owns nothing and is told so."""
    entry = stack.site.write()
    directory = stack.directory.with_name(f"{stack.directory.name}-other")
    second = Stack(stack.server, directory, name="second").create()
    error = second.up(succeed=False).said("error")
    assert "it belongs to the stack organization/codesensei/test (identity " in error
    second.set("adopt", True)
    second.up()
    assert second.site.shows(entry)
    second.site.await_job(second.site.write())
    assert register(second)["guestbook"]["stack"] == "organization/codesensei/second"
    second.set("adopt", False)
    second.up()
    second.up_without_changes()
    stack.set("env.GREETING", "Good evening")
    error = stack.up(succeed=False).said("error")
    assert "slug guestbook" in error
    assert "it belongs to the stack organization/codesensei/second" in error
    assert second.site.greets("Hello")
    # Nor does it undo what is the other's now.
    assert "belongs to the stack organization/codesensei/second now: nothing of it is removed" in stack.destroy().output
    assert second.site.shows(entry)
    second.up_without_changes()


@pytest.mark.full
@pytest.mark.proves("user.shared", "os.refused", "destroy.own-only")
@each_debian(12)
def test_a_shared_user_and_an_untested_system(stack: Stack, neighbour: Stack) -> None:
    stack.server.console("sed -i 's/^VERSION_ID=.*/VERSION_ID=\"11\"/' /etc/os-release")
    neighbour.set("project.user", "deploy")
    neighbour.set("project.shareUser", True)
    error = neighbour.up(succeed=False).said("error")
    assert "this system is not supported (supported: Debian 12 and 13, Ubuntu 22.04 and 24.04)" in error
    assert "fix: use a server with one of them, or try it with codesensei:allowUnsupported: true" in error
    neighbour.set("allowUnsupported", True)
    shown = neighbour.preview().said("warning")
    assert f"project.shareUser: every project on {stack.server.host} that runs as deploy can read and change" in shown
    neighbour.up()
    assert neighbour.site.greets("Hello")
    assert neighbour.server.console("systemctl show -P User other.service guestbook.service").stdout.split() == [
        "deploy",
        "deploy",
    ]
    neighbour.up_without_changes()
    processes = stack.processes()
    neighbour.destroy()
    assert stack.processes() == processes
    assert stack.server.console("getent passwd deploy").stdout
    assert stack.site.greets("Hello")


@pytest.mark.full
@pytest.mark.proves("prune.keep")
@each_debian(12)
def test_releases_beyond_those_to_keep_go(stack: Stack) -> None:
    stack.set("project.keepReleases", 2)
    served = [stack.serving()]
    for greeting in ("One", "Two"):
        stack.set("env.GREETING", greeting)
        stack.up()
        served.append(stack.serving())
    root = "/srv/codesensei/guestbook"
    assert len(set(served)) == 3
    assert set(stack.server.console(f"ls {root}/releases").stdout.split()) == set(served[1:])
    links = stack.server.console(f"readlink {root}/current {root}/previous").stdout.split()
    assert links == [f"releases/{served[2]}", f"releases/{served[1]}"]
    kept = set(stack.server.console(f"ls {root}/env").stdout.split())
    assert kept == {f"{release[8:]}.env" for release in served[1:]}
    # Back to the first, which must be made again.
    stack.set("env.GREETING", "Hello")
    stack.up()
    assert stack.serving() == served[0]
    assert set(stack.server.console(f"ls {root}/releases").stdout.split()) == {served[0], served[2]}
    stack.up_without_changes()


@dataclass(frozen=True)
class Kind:
    """A server, and how many projects come to it at once."""

    debian: int
    image: str
    projects: int


KINDS = [Kind(12, "plain", 3), Kind(13, "plain", 3), Kind(13, "cloud", 2)]


@pytest.fixture
def projects(sandbox: Sandbox, place: Path, kind: Kind, debian: int) -> Iterator[list[Stack]]:
    """Stacks for a server that nothing was ever deployed to."""
    server = sandbox.up(f"many-{debian}-{kind.image}", debian, kind.image)
    slugs = ("guestbook", "blog", "wiki")[: kind.projects]
    try:
        yield [
            Stack(server, place / f"many-{slug}", slug=slug, name=slug, hostname=f"{slug}.example").create()
            for slug in slugs
        ]
    finally:
        server.down()


def at_once(stacks: list[Stack], *arguments: str) -> None:
    """Run a subcommand on each of them at the same time; all must succeed."""
    started = [stack.start(*arguments) for stack in stacks]
    for stack, process in zip(stacks, started, strict=True):
        done = stack.finish(*process, seconds=900)
        assert done.code == 0, done.output + stack.look_round()


@pytest.mark.full
@pytest.mark.proves("words.stack", "words.server", "register", "broker.env", "destroy.own-only", "config.server.user")
@pytest.mark.parametrize(
    ("debian", "kind"), [pytest.param(kind.debian, kind, id=f"{kind.debian}-{kind.image}") for kind in KINDS]
)
def test_first_deploys_at_once(projects: list[Stack]) -> None:
    """Two or three `pulumi up` at once on a blank server; then one changes while another goes."""
    at_once(projects, "up", "--yes", "--skip-preview")
    owners = register(projects[0])
    assert {slug: owner["stack"] for slug, owner in owners.items()} == {
        stack.slug: f"organization/codesensei/{stack.name}" for stack in projects
    }
    for kind in ("units", "hostnames", "roles", "databases", "brokers"):
        names = [name for owner in owners.values() for name in owner["names"][kind]]
        assert len(names) == len(set(names)) >= len(projects), kind
    entries = {}
    for stack in projects:
        assert stack.site.greets("Hello")
        entries[stack.slug] = stack.site.write()
        stack.site.await_job(entries[stack.slug])
    for stack in projects:
        assert [slug for slug, entry in entries.items() if stack.site.shows(entry)] == [stack.slug]
    environments = [stack.environ() for stack in projects]
    for name in ("SECRET_KEY", "DATABASE_URL", "CELERY_BROKER_URL"):
        assert len({found[name] for found in environments}) == len(projects), name
    for stack in projects:
        stack.up_without_changes()
    first, last = projects[0], projects[-1]
    others = projects[1:-1]
    first.set("env.GREETING", "Good evening")
    processes = {stack.slug: stack.processes() for stack in others}
    before = {stack.slug: fingerprint(stack.server, stack.slug) for stack in others}
    under_way = [first.start("up", "--yes", "--skip-preview"), last.start("destroy", "--yes", "--skip-preview")]
    for stack, process in zip((first, last), under_way, strict=True):
        done = stack.finish(*process)
        assert done.code == 0, done.output + stack.look_round()
    assert first.site.greets("Good evening")
    assert first.site.shows(entries[first.slug])
    assert last.site.get().status == 404
    for stack in others:
        assert stack.processes() == processes[stack.slug]
        changed = [path for path in touched(stack, before[stack.slug], last.slug) if first.slug not in path]
        # The last one: transient units of the others were there.
        assert set(changed) <= COMMON | {"/run/systemd/system"}
        assert stack.site.shows(entries[stack.slug])
    for stack in projects[:-1]:
        stack.up_without_changes()
    # What stayed of it is taken up again.
    last.up()
    assert last.site.shows(entries[last.slug])
