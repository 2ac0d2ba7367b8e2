"""A deploy that fails before the switch, and one in it: the server is as it was. The messages are in test_broken.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.host.debians import each_debian
from tests.host.test_interruptions import always_served, settled
from tools.trials.fingerprint import difference, fingerprint, outside_releases
from tools.trials.stack import Stack

pytestmark = pytest.mark.host

MIGRATION = """
from django.db import migrations


def fail(apps, schema_editor):
    raise RuntimeError("this migration cannot run")


class Migration(migrations.Migration):
    dependencies = [("entries", "0001_initial")]
    operations = [migrations.RunPython(fail)]
"""


def failing_migration(stack: Stack) -> None:
    files = {"entries/migrations/0002_fail.py": MIGRATION}
    stack.set("project.source.revision", stack.commit(files, "main~2"))


def dead_worker(stack: Stack) -> None:
    stack.set("project.workers.mail", "celery -A config worker --no-such-option")


REGISTER = "cat /var/lib/codesensei/register.json"
CASES: list[tuple[Callable[[Stack], None], str, str]] = [
    (failing_migration, "rehearsal of migration entries.0002_fail (release ", "this migration cannot run"),
    (dead_worker, "guestbook-mail.service", "no-such-option"),
]


@pytest.mark.proves(
    "switch.all-or-nothing",
    "switch.candidate",
    "words.candidate",
    "words.switch",
    "order.inert",
    "errors.four",
    "workers.dying",
    "outputs.served",
)
@each_debian(12)
@pytest.mark.parametrize(
    ("spoil", "thing", "words"),
    [
        pytest.param(*case, id=case[0].__name__, marks=[pytest.mark.full] if case[0] is dead_worker else [])
        for case in CASES
    ],
)
def test_the_old_release_serves_on(stack: Stack, spoil: Callable[[Stack], None], thing: str, words: str) -> None:
    names = stack.server.console(REGISTER).stdout
    first, file, before = stack.serving(), stack.file.read_text(), fingerprint(stack.server, stack.slug)
    spoil(stack)
    with always_served(stack):
        done = stack.up(succeed=False)
    error = done.said("error")
    assert f"error: {thing}" in error
    assert f" on {stack.server.name}: " in error
    assert "fix: " in error
    assert words in error
    assert 'File "/usr/local/lib/codesensei' not in done.output
    assert "codesensei/remote" not in done.output
    assert stack.serving() == stack.serving("worker") == first
    assert stack.outputs()["release"] == first
    found = difference(before, fingerprint(stack.server, stack.slug))
    if spoil is dead_worker:
        # The switch had begun; it has put back every file, and the processes are new ones.
        found = {path: pair for path, pair in found.items() if path not in {"units", "nginx"} and differs(pair)}
    assert outside_releases(found, stack.slug) == []
    stack.file.write_text(file)
    stack.up()
    assert stack.serving() == first
    assert stack.server.console(REGISTER).stdout == names
    settled(stack)


def differs(pair: tuple[object, object]) -> bool:
    """Whether content, mode or owner differ."""
    before, after = pair
    return not (isinstance(before, list) and isinstance(after, list) and before[:4] == after[:4])
