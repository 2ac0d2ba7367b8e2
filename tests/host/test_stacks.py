"""Several stacks on one server: each has its own, and takes nothing of another's."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
import yaml

from codesensei.wire.broker import OWN_PORT, number_at
from tests.host import attacks
from tests.host.debians import each_debian
from tools.trials.fingerprint import difference, fingerprint
from tools.trials.stack import Stack

pytestmark = pytest.mark.host


@pytest.fixture
def neighbour(stack: Stack) -> Callable[..., Stack]:
    """A function that makes another stack for the same server."""

    def make(slug: str = "guestbook", hostname: str = "guestbook.example") -> Stack:
        directory = stack.directory.with_name(f"{stack.directory.name}-other")
        return Stack(stack.server, directory, slug=slug, hostname=hostname, name="second").create()

    return make


def touched(stack: Stack, before: dict[str, object], others: str) -> list[str]:
    """What differs from before and is not the other stack's own, nor what all stacks share."""
    shared = ("/var/lib/codesensei/register", "/usr/local/lib/codesensei")
    found = difference(before, fingerprint(stack.server, stack.slug))
    return [path for path in found if others not in path and not path.startswith(shared)]


@pytest.mark.proves("register", "register.refused")
@pytest.mark.parametrize(
    ("names", "refusal"),
    [
        ({"hostname": "second.example"}, "slug guestbook"),
        ({"slug": "other"}, "hostname guestbook.example"),
        ({"slug": "guestbook-worker", "hostname": "second.example"}, "unit guestbook-worker.service"),
    ],
)
@each_debian(13)
def test_what_is_another_stack_s_is_refused_by_name(
    stack: Stack, neighbour: Callable[..., Stack], names: dict[str, str], refusal: str
) -> None:
    before = fingerprint(stack.server, stack.slug)
    done = neighbour(**names).up(succeed=False)
    error = done.said("error")
    assert f"error: {refusal} on {stack.server.name}: it belongs to the stack organization/codesensei/test" in error
    assert "fix:" in error
    assert "Traceback" not in done.output
    # The engine shows the step's command before what the step says.
    assert max(map(len, error.splitlines())) < 250
    assert touched(stack, before, names.get("slug", "nothing-else")) == []
    assert stack.site.greets("Hello")


def number_in(url: str) -> str | None:
    """The number of the stack whose own broker this is."""
    return number_at(urlsplit(url).hostname or "")


@pytest.mark.full
@pytest.mark.proves("register.asked", "register.uses-refused", "register.mapping-named", "register.preview")
@pytest.mark.proves("broker.refuses-others")
@each_debian(13)
def test_a_number_that_only_the_settings_name_is_refused_and_the_fix_gives_another(
    stack: Stack, neighbour: Callable[..., Stack]
) -> None:
    """What Django's own settings lead to, where no variable of the stack says it."""
    url = stack.environ()["CELERY_BROKER_URL"]
    other = neighbour(slug="other", hostname="guestbook.example")
    other.set("project.user", "deploy")
    error, on = other.preview(succeed=False).said("error"), f"on {other.server.host}: "
    assert f"hostname guestbook.example {on}it belongs to the stack organization/codesensei/test (slug g" in error
    assert f"user deploy {on}the project guestbook runs as this user" in error
    other.set("project.user", "other")
    other.set("domains", ["other.example"])
    other.set("broker", {"env": {}})
    settings = f"""
from config.settings.production import *
CELERY_BROKER_URL = os.environ.get("SHOP_REDIS_URL", "{url}")
"""
    other.set("project.source.revision", other.commit({"config/settings/own.py": settings}))
    other.set("project.settingsModule", "config.settings.own")
    error = " ".join(other.up(succeed=False).said("error").split())
    number = number_in(url)
    assert f"error: broker database {number} on {stack.server.name}: CELERY_BROKER_URL" in error
    assert "it belongs to the stack organization/codesensei/test (slug guestbook)" in error
    # As the fix says.
    mapping = yaml.safe_load(error.partition("set codesensei:broker: ")[2].partition(", which")[0])
    assert mapping["env"]["SHOP_REDIS_URL"] == "url"
    other.set("broker", mapping)
    other.up()
    second, first = other.site.write(), stack.site.write()
    other.site.await_job(second)
    stack.site.await_job(first)
    host = urlsplit(url).hostname or ""
    attacks.broker_is_closed(stack.server, "other", stack.slug, host, OWN_PORT)
    register = json.loads(stack.server.console("cat /var/lib/codesensei/register.json").stdout)["slugs"]
    numbers = {slug: entry["names"]["brokers"] for slug, entry in register.items()}
    assert numbers == {"guestbook": [number], "other": [number_in(other.environ()["SHOP_REDIS_URL"])]}
    other.up_without_changes()


@pytest.mark.proves("words.stack", "words.server", "destroy.own-only", "broker.env")
@each_debian(12)
def test_two_stacks_deploy_at_once_and_one_goes_without_the_other(
    stack: Stack, neighbour: Callable[..., Stack]
) -> None:
    other = neighbour(slug="guestbook-two", hostname="two.example")
    other.set("env.GREETING", "Hello from the second")
    stack.set("env.GREETING", "Hello from the first")
    stack.use("main~1")
    under_way = [each.start("up", "--yes", "--skip-preview") for each in (stack, other)]
    for each, started in zip((stack, other), under_way, strict=True):
        done = each.finish(*started)
        assert done.code == 0, done.output + each.look_round()
    assert stack.site.greets("Hello from the first")
    assert other.site.greets("Hello from the second")
    entry = stack.site.write()
    stack.site.await_job(entry)
    assert not other.site.shows(entry)
    second = other.site.write()
    other.site.await_job(second)
    assert not stack.site.shows(second)
    before, processes = fingerprint(stack.server, stack.slug), stack.processes()
    other.destroy()
    assert stack.processes() == processes
    left = touched(stack, before, "guestbook-two")
    # Folders that both have entries in, and lists that name both; no file and no process of the first.
    assert set(left) <= COMMON
    assert stack.site.greets("Hello from the first")
    assert stack.site.shows(entry)
    assert other.site.get().status == 404
    stack.up_without_changes()


COMMON = {
    "/etc/passwd",
    "/etc/group",
    "roles",
    "nginx",
    "units",
    "/srv/codesensei",
    "/etc/nginx/sites-available",
    "/etc/nginx/sites-enabled",
    "/etc/systemd/system",
    "/etc/systemd/system/multi-user.target.wants",
    "/etc/systemd/system/sockets.target.wants",
    "/etc/logrotate.d",
    "/etc/codesensei",
    "/var/lib/codesensei",
}
