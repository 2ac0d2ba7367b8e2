"""What was changed on the server by hand is shown and fixed; a server that does not answer is not mistaken for one."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from codesensei.story import read
from tests.host.debians import each_debian
from tools.sandbox import Relay
from tools.trials.fingerprint import difference, fingerprint
from tools.trials.stack import Run, Stack

pytestmark = pytest.mark.host

SITE = "/etc/nginx/sites-available/codesensei-guestbook.conf"
UNIT = "/etc/systemd/system/guestbook.service"
ENV = "/srv/codesensei/guestbook/shared/.env"
HANDS = {
    "a unit edited": (
        f'. {ENV} && echo "# $SECRET_KEY" >> {UNIT} && chmod 0600 {UNIT} && systemctl daemon-reload',
        f"{UNIT} was changed by hand",
    ),
    "a service stopped": ("systemctl stop guestbook-worker", "guestbook-worker.service is inactive"),
    "a service disabled": ("systemctl disable --now guestbook-worker", "guestbook-worker.service is inactive"),
    "the site edited": (f"sed -i s/max-age=31536000/max-age=5/ {SITE} && nginx -s reload", f"{SITE} was changed"),
    "notes cut short": (
        "cd /var/lib/codesensei && truncate -s 0 register.json && truncate -s 90 guestbook/live.json guestbook/*.jsonl",
        "/var/lib/codesensei/guestbook/live.json is damaged",
    ),
    "current moved": ("ln -sfn releases/none /srv/codesensei/guestbook/current", "/current was changed by hand"),
}
SERVICES = {
    "postgresql": ("systemctl stop 'postgresql@*'", "PostgreSQL (port 5432) does not run", "database"),
    "broker": (
        "systemctl stop codesensei-broker-guestbook",
        "codesensei-broker-guestbook.service is inactive",
        "instance",
    ),
    "nginx": ("systemctl stop nginx", "nginx.service is inactive", "proxy"),
}
# How the first thing that has drifted is told: the end of its lines.
HOW = {
    "a unit edited": ["-# [secret]", "guestbook.service restarts"],
    "a service stopped": ["inactive (dead) -> active"],
    "a service disabled": ["inactive (dead) -> active", "disabled -> enabled"],
    "the site edited": [
        '-        add_header Cache-Control "max-age=5";',
        '+        add_header Cache-Control "max-age=31536000";',
    ],
    "notes cut short": [],
    "current moved": [],
}
RARE = {"a service stopped", "a service disabled", "notes cut short", "current moved"}


@pytest.mark.proves("config.drift", "switch.damaged-notes", "story.drift", "story.drift.secrets")
@each_debian(13)
@pytest.mark.parametrize(
    "hand", [pytest.param(hand, marks=[pytest.mark.full] if hand in RARE else []) for hand in HANDS]
)
def test_a_change_by_hand_is_shown_and_mended(stack: Stack, hand: str) -> None:
    command, warning = HANDS[hand]
    first, before = stack.serving(), fingerprint(stack.server, stack.slug)
    stack.server.console(command)
    shown = stack.preview("--diff")
    assert warning in shown.said("warning")
    assert shown.changes == {"Command guestbook-switch"}
    assert "repair=1" in shown.output
    told = drift(shown)
    assert any(warning in entry for entry in told)
    assert [line for line in HOW[hand] if f"  {line}" not in told] == []
    done = stack.up()
    assert done.changes == {"Command guestbook-switch"}
    assert drift(done)[-len(told) :] == [entry if entry.startswith("  ") else f"put back: {entry}" for entry in told]
    assert stack.serving() == stack.serving("worker") == first
    stack.site.await_job(stack.site.write())
    found = difference(before, fingerprint(stack.server, stack.slug))
    files = {path: pair for path, pair in found.items() if isinstance(pair[0], list) or isinstance(pair[1], list)}
    changed = {path for path, (old, new) in files.items() if not (old and new and list(old)[:4] == list(new)[:4])}  # type: ignore[call-overload]
    assert {path for path in changed if not path.startswith("/var/lib/codesensei/guestbook/")} == set()
    again = stack.up_without_changes()
    assert again.said("warning") == ""


def drift(run: Run) -> list[str]:
    """What the last story of a run tells of drift."""
    stories = [read(str(event.get("diagnosticEvent", {}).get("message", ""))) for event in run.events]
    (*_, last) = filter(None, stories)
    return [entry for part in last if part.name == "drift" for entry in part.entries]


@pytest.mark.full
@pytest.mark.proves("look.services")
@each_debian(13)
def test_a_stopped_service_is_shown_and_started(stack: Stack) -> None:
    for command, _, _ in SERVICES.values():
        stack.server.console(command, check=False)
    shown = stack.preview()
    for _, warning, _ in SERVICES.values():
        assert warning in shown.said("warning")
    assert shown.changes == {f"Command guestbook-{step}" for _, _, step in SERVICES.values()}
    assert stack.up().changes == shown.changes
    assert stack.site.greets("Hello")
    stack.site.await_job(stack.site.write())
    assert stack.up_without_changes().said("warning") == ""


@pytest.mark.proves("look.findings")
@each_debian(13)
def test_a_worker_that_does_not_stay_up_is_told(stack: Stack) -> None:
    unit = "guestbook-worker.service"
    began = stack.server.console(f"systemctl show -P InvocationID {unit}").stdout
    stack.server.console(f"systemctl kill --signal=KILL {unit}")
    again = f"until [ $(systemctl show -P InvocationID {unit}) != {began.strip()} ]; do sleep 0.1; done"
    stack.server.console(f"{again}; systemctl is-active --wait {unit} || true")
    shown = stack.preview()
    assert f"{unit}: systemd has restarted it 1 time since it was deployed" in shown.said("warning")
    assert shown.changes == set()
    stack.server.console(f"systemctl restart {unit}")
    assert stack.preview().said("warning") == ""


@pytest.mark.proves("look.release-gone", "look.edited")
@each_debian(13)
def test_a_release_that_was_edited_and_then_removed(stack: Stack) -> None:
    current, release = "/srv/codesensei/guestbook/current", stack.serving()
    stack.server.console(f"echo >> {current}/config/urls.py")
    shown = stack.preview()
    assert "has changed it by hand since it was made: config/urls.py; so it serves" in shown.said("warning")
    assert shown.changes == set()
    stack.server.console(f"rm -r $(readlink -f {current}/.codesensei/venv)")
    assert f"the packages of release {release} are gone" in stack.preview().said("warning")
    assert stack.up().changes == {"Command guestbook-build", "Command guestbook-switch"}
    assert stack.up_without_changes().said("warning") == ""
    stack.server.console(f"rm -r $(readlink -f {current}/.codesensei/venv) $(readlink -f {current})")
    shown = stack.preview()
    assert f"release {release} is gone (step build); pulumi up repairs it" in shown.said("warning")
    assert "guestbook.service works in a folder that is gone (step switch)" in shown.said("warning")
    assert stack.up().changes == shown.changes == {"Command guestbook-build", "Command guestbook-switch"}
    assert stack.serving() == stack.serving("worker") == release
    stack.site.await_job(stack.site.write())
    assert stack.up_without_changes().said("warning") == ""


@pytest.mark.full
@pytest.mark.proves("look.packages")
@each_debian(13)
def test_packages_that_somebody_has_removed_are_installed_again(stack: Stack) -> None:
    stack.set("project.systemPackages", ["gettext"])
    stack.up()
    removed = "apt-get remove -y gettext nginx nginx-light nginx-common"
    stack.server.console(f"DEBIAN_FRONTEND=noninteractive {removed}", check=False)
    shown = stack.preview()
    assert "package gettext is not installed (step packages); pulumi up repairs it" in shown.said("warning")
    assert shown.changes == {"Command guestbook-packages", "Command guestbook-proxy"}
    assert stack.up().changes == shown.changes
    assert stack.site.greets("Hello")
    assert stack.up_without_changes().said("warning") == ""


@pytest.mark.full
@each_debian(12)
def test_a_drifted_project_directory_is_its_step_s_alone(stack: Stack) -> None:
    stack.server.console("chmod 0777 /srv/codesensei/guestbook/shared")
    shown = stack.preview()
    assert "/srv/codesensei/guestbook/shared was changed by hand" in shown.said("warning")
    assert shown.changes == {"Command guestbook-account"}
    stack.up()
    assert stack.server.console("stat -c %a /srv/codesensei/guestbook/shared").stdout == "1771\n"
    stack.up_without_changes()


@pytest.mark.full
@pytest.mark.proves("config.drift")
@each_debian(12)
def test_a_first_deploy_has_clean_lines_and_a_switched_off_look_runs_nothing(stack: Stack) -> None:
    lines = [item["inputs"].get("create", "") for item in stack.resources().values() if "inputs" in item]
    assert sum("guestbook" in line for line in lines) >= 10
    assert [line for line in lines if "repair=" in line] == []
    stack.server.console("systemctl stop guestbook-worker")
    assert stack.up().changes == {"Command guestbook-switch"}
    logins = stack.logins()
    stack.set("drift", False)
    stack.up_without_changes()
    assert stack.logins() == logins
    stack.set("drift", True)
    stack.up_without_changes()
    assert stack.logins() == logins + 1


@pytest.mark.full
@each_debian(12)
def test_what_the_state_does_not_know_is_done_again(stack: Stack) -> None:
    """An upgrade of the product, and a variable, of which the state was lost: it is put back from a copy."""
    stack.keep("before")
    script = stack.program / "codesensei/scripts/release/causes.py"
    before = script.read_text()
    script.write_text(before + "# Another version\n")
    stack.set("env.GREETING", "Good evening")
    stack.up()
    stack.put_back("before")
    script.write_text(before)
    shown = stack.preview()
    assert "step claim is not as the state has it" in shown.said("warning")
    assert "step environment is not as the state has it" in shown.said("warning")
    changes = stack.up().changes
    assert changes >= {"Command server-toolkit", "Command guestbook-environment", "Command guestbook-switch"}
    assert "Command guestbook-packages" not in changes
    assert stack.site.greets("Hello")
    stack.up_without_changes()


@pytest.fixture
def relayed(stack: Stack) -> Iterator[tuple[Stack, Relay]]:
    """The stack, reached through a relay that can cut the line."""
    with Relay(stack.server.host, stack.server.port) as relay:
        stack.set("server.host", relay.host)
        stack.set("server.port", relay.port)
        stack.up()
        yield stack, relay


@pytest.mark.full
@each_debian(12)
@pytest.mark.parametrize("fault", ["drop", "stall"])
def test_a_server_that_cannot_be_reached(relayed: tuple[Stack, Relay], fault: str) -> None:
    stack, relay = relayed
    before = fingerprint(stack.server, stack.slug)
    relay.drop() if fault == "drop" else relay.stall()
    began = time.monotonic()
    shown = stack.preview()
    assert time.monotonic() - began < 40
    assert shown.said("warning").count(f"server {relay.host}: ") == 1
    assert shown.changes == set()
    stack.set("env.GREETING", "Good evening")
    other = stack.preview("--diff")
    assert '"Hello" => "Good evening"' in other.output
    assert "Command guestbook-switch" in other.changes
    assert "Command guestbook-packages" not in other.changes
    began = time.monotonic()
    done = stack.up(succeed=False, seconds=120)
    assert time.monotonic() - began < 60
    assert f"server {relay.host}: " in done.said("error")
    assert "Traceback" not in done.output
    assert len(done.output.splitlines()) < 40
    assert difference(before, fingerprint(stack.server, stack.slug)) == {}
    relay.resume()
    stack.up()
    assert stack.site.greets("Good evening")
