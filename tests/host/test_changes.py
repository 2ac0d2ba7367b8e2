"""What a change of the stack file runs, and what a preview says of it."""

from __future__ import annotations

import pytest

from tests.host.debians import each_debian
from tools.trials.fingerprint import difference, fingerprint, outside_releases
from tools.trials.stack import Stack

pytestmark = pytest.mark.host

SECRET = "Neither-plan-nor-log-shows-this-1"


def process_id(stack: Stack, unit: str) -> str:
    return stack.server.console(f"systemctl show -P MainPID {unit}").stdout.strip()


@pytest.mark.proves("words.current", "words.code-id")
def test_a_new_commit_changes_release_and_switch_alone(stack: Stack) -> None:
    first = stack.serving()
    entry = stack.site.write()
    revision = stack.use("main~1")
    expected = {
        "Release guestbook",
        "CopyToRemote guestbook-source",
        "Command guestbook-build",
        "Switch guestbook",
        "Command guestbook-switch",
    }
    shown = stack.preview("--diff")
    assert revision in shown.output
    assert "entries.0002_entry_place" in shown.output
    assert "WorkingDirectory" not in shown.output, "the units are the same for every release"
    assert stack.up().changes - {"Environment guestbook"} == expected
    second = stack.serving()
    assert second != first
    assert second.startswith(revision[:7]) or stack.outputs()["release"] == second
    assert stack.outputs()["revision"] == revision
    root = "/srv/codesensei/guestbook"
    links = stack.server.console(f"readlink {root}/current {root}/previous; ls {root}/releases").stdout.split()
    assert links == [f"releases/{second}", f"releases/{first}", *sorted([first, second])]
    assert stack.site.shows(entry)
    assert 'name="place"' in stack.site.get().body
    stack.up_without_changes()


@pytest.mark.full
@pytest.mark.proves("env.maps")
@each_debian(12)
def test_a_plain_variable(stack: Stack) -> None:
    stack.set("env.GREETING", "Good evening")
    shown = stack.preview("--diff").output
    assert '"Hello" => "Good evening"' in shown
    assert "WorkingDirectory" not in shown, "the units are the same for every release"
    changes = stack.up().changes
    assert not changes & {"CopyToRemote guestbook-source", "Command guestbook-packages", "Command guestbook-database"}
    assert stack.site.greets("Good evening")
    assert stack.environ()["GREETING"] == stack.environ("worker")["GREETING"] == "Good evening"
    stack.up_without_changes()


@pytest.mark.full
@pytest.mark.proves("secrets.changed", "secrets.never")
@each_debian(13)
def test_a_secret_variable(stack: Stack) -> None:
    stack.set_secret("codesensei:secretEnv.API_TOKEN", SECRET)
    shown = stack.preview("--diff")
    line = next(line for line in shown.output.splitlines() if "API_TOKEN" in line and "=>" in line)
    before, after = line.split(":", 1)[1].split("=>")
    assert before.strip() != after.strip()
    assert "[secret]" not in line
    done = stack.up()
    for text in (shown.output, done.output, str(shown.events), str(done.events)):
        assert SECRET not in text
    assert stack.environ()["API_TOKEN"] == stack.environ("worker")["API_TOKEN"] == SECRET
    stack.up_without_changes()


@pytest.mark.full
@pytest.mark.proves("words.process", "workers.unit", "switch.manifest", "words.release.outside")
@each_debian(12)
def test_workers_come_change_and_go_and_the_web_process_stays(stack: Stack) -> None:
    web = process_id(stack, "guestbook.service")
    stack.set("project.workers.mail", "celery -A config worker -l info --concurrency 1 -Q mail")
    assert stack.up().changes == {
        "Command server-preflight",
        "Processes guestbook",
        "Switch guestbook",
        "Command guestbook-switch",
    }
    assert "mail" in stack.server.console("systemctl show -P Description guestbook-mail.service").stdout
    assert stack.serving("mail") == stack.serving()
    worker, mail = process_id(stack, "guestbook-worker.service"), process_id(stack, "guestbook-mail.service")
    stack.set("project.workers.mail", "celery -A config worker -l warning --concurrency 1 -Q mail")
    stack.up()
    assert process_id(stack, "guestbook-mail.service") != mail
    assert process_id(stack, "guestbook-worker.service") == worker
    with stack.editing() as config:
        del config["codesensei:project"]["workers"]["mail"]
    stack.up()
    command = "systemctl list-units --all --plain --no-legend 'guestbook-*'; pgrep -af '[Q] mail'"
    found = stack.server.console(command, check=False)
    assert found.stdout.split()[0] == "guestbook-worker.service"
    assert "mail" not in found.stdout
    left = "find /etc/systemd /etc/codesensei /run/systemd -name '*mail*' -not -path '*/generator*'"
    assert stack.server.console(left).stdout == ""
    assert process_id(stack, "guestbook.service") == web
    assert process_id(stack, "guestbook-worker.service") == worker
    stack.up_without_changes()


@pytest.mark.proves("words.release.outside", "proxy.hostnames")
@each_debian(13)
def test_a_domain_changes_the_site_and_nothing_else(stack: Stack) -> None:
    before = fingerprint(stack.server, stack.slug)
    stack.set("domains", ["guestbook.example", "book.example"])
    assert stack.up().changes == {
        "Command server-preflight",
        "EdgeProxy guestbook",
        "Command guestbook-switch",
    }
    stack.hostname = "book.example"
    try:
        assert stack.site.greets("Hello")
    finally:
        stack.hostname = "guestbook.example"
    assert stack.site.greets("Hello")
    changed = outside_releases(difference(before, fingerprint(stack.server, stack.slug)), stack.slug)
    assert [path for path in changed if not path.startswith(("/etc/nginx/sites-", "/var/lib/codesensei"))] == ["nginx"]
    stack.up_without_changes()
