"""Production with settings that the policy refuses: all findings at once, then waived by name with what was printed."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.host.debians import each_debian
from tools.trials.stack import Stack

pytestmark = pytest.mark.host

SETTINGS = """
ALLOWED_HOSTS = ["*"]
SECRET_KEY = "django-insecure-canary"
X_FRAME_OPTIONS = "SAMEORIGIN"
"""
# As an app registers its own.
CHECK = """

@checks.register(deploy=True)
def greeting_is_short(app_configs, **kwargs):
    return [checks.Warning("The greeting is short.", hint="Greet at length.", id="entries.W001")]
"""
MODELS, PRODUCTION = "entries/models.py", "config/settings/production.py"
RULES = {"allowedHosts", "secretKey", "check.W019", "check.entries.W001"}


@pytest.mark.full
@pytest.mark.proves("policy.found", "policy.waive", "policy.unused", "policy.listed", "policy.preview", "policy.edge")
@each_debian(12)
def test_production_refuses_all_at_once_and_goes_through_with_waivers(stack: Stack) -> None:
    first, processes = stack.serving(), stack.processes()
    texts = {name: (stack.repository / name).read_text() for name in (MODELS, PRODUCTION)}
    files = {
        MODELS: f"from django.core import checks\n{texts[MODELS]}{CHECK}",
        PRODUCTION: texts[PRODUCTION] + SETTINGS,
    }
    stack.set("project.source.revision", stack.commit(files))
    stack.set("production", True)
    # What the stack file alone tells is refused before anything runs.
    refused = stack.preview(succeed=False).said("error")
    assert (
        "codesensei:backups: nothing backs up the data of this production stack, and codesensei:production" in refused
    )
    stack.set("waive", {"backup": "a test keeps nothing"})
    previewed = stack.preview()
    for rule in ("allowedHosts", "secretKey"):
        (warning,) = re.findall(rf"^{rule}: .*", previewed.said("warning"), re.MULTILINE)
        assert warning.endswith("; pulumi up refuses it, because codesensei:production is true")

    done = stack.up(succeed=False)
    error = done.said("error")
    assert f" on {stack.server.name}: codesensei:production is true, and the policy has 4 findings\n" in error
    assert all(f"\n      {rule}: " in error for rule in RULES)
    assert re.search(r"check\.entries\.W001: The greeting is short\.?; Greet at length\.", error)
    # Without HTTPS, they are none.
    assert "check.W012" not in error
    assert "canary" not in done.output
    assert (stack.serving(), stack.processes()) == (first, processes)

    # What is printed can be pasted, once each has a reason.
    (printed,) = re.findall(r"codesensei:waive: \{[^}]*\}", error)
    waived = yaml.safe_load(printed)["codesensei:waive"]
    assert set(waived) == RULES
    reasons = dict.fromkeys([*waived, "backup"], "a test")
    stack.set("waive", reasons)
    done = stack.up()
    told = done.said()
    assert stack.serving() != first
    for rule in reasons:
        assert f"{rule} is waived: a test" in told
    assert not re.search(rf"^({'|'.join(map(re.escape, reasons))}): ", done.said("warning"), re.MULTILINE)

    # Another waiver runs only the step that decides, and restarts nothing.
    processes = stack.processes()
    stack.set("waive", {**reasons, "check.W021": "another test"})
    done = stack.up()
    assert done.changes == {"Command guestbook-build"}
    assert "codesensei:waive.check.W021: waives nothing: remove it" in done.said("warning")
    assert stack.processes() == processes
    stack.set("production", False)
    stack.set("waive", {})
    done = stack.up()
    assert all(f"{rule}: " in done.said("warning") for rule in RULES)
