"""Every step that a deploy runs, run again by hand: it changes nothing and says so."""

from __future__ import annotations

import pytest

from tools.trials.fingerprint import difference, fingerprint
from tools.trials.stack import Stack

pytestmark = pytest.mark.host

STEPS = (
    "server-toolkit",
    "server-preflight",
    "guestbook-packages",
    "guestbook-account",
    "guestbook-proxy",
    "guestbook-broker",
    "guestbook-instance",
    "guestbook-database",
    "guestbook-environment",
    "guestbook-build",
    "guestbook-switch",
)


def test_all_steps_are_known(deployed: Stack) -> None:
    resources = deployed.resources().items()
    assert {name for name, item in resources if "create" in item.get("inputs", {})} == set(STEPS)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_run_again_changes_nothing(deployed: Stack, step: str) -> None:
    line, stdin = deployed.step(step)
    before = fingerprint(deployed.server, deployed.slug)
    done = deployed.server.run(line, input=stdin)
    assert difference(before, fingerprint(deployed.server, deployed.slug)) == {}
    if step == "guestbook-switch":
        assert "unchanged" in done.stdout
        assert deployed.serving() in done.stdout
    else:
        assert done.stdout.splitlines()[-1] == "unchanged", done.stdout + done.stderr
