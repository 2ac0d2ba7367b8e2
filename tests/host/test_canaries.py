"""No secret where somebody could see it, and proof that the search would find one."""

from __future__ import annotations

import json
import re
import shlex
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.host import canaries
from tests.host.debians import each_debian
from tools.trials.stack import Stack

pytestmark = pytest.mark.host

# The spellings come last: an error holds only the end of what a hook printed.
PRINTS = """
env
printf '%s\\n' "$API_TOKEN" "$SECRET_KEY" "$DATABASE_URL" "$CELERY_BROKER_URL"
python3 - <<'END'
import base64, json, os, shlex, urllib.parse
for name in ("API_TOKEN", "SECRET_KEY", "DATABASE_URL"):
    value = os.environ[name]
    print(json.dumps(value), shlex.quote(value), urllib.parse.quote(value, safe=""))
    print(base64.b64encode(value.encode()).decode())
END
"""
MIGRATION = """
import os
from django.db import migrations


def fail(apps, schema_editor):
    raise RuntimeError("cannot use " + os.environ["DATABASE_URL"] + " with " + repr(os.environ["API_TOKEN"]))


class Migration(migrations.Migration):
    dependencies = [("entries", "0001_initial")]
    operations = [migrations.RunPython(fail)]
"""


@pytest.fixture
def watched(stack: Stack) -> tuple[Stack, dict[str, str]]:
    """A second stack on the server, not deployed yet, and the secrets it was given; processes are sampled."""
    directory = stack.directory.with_name(f"{stack.directory.name}-other")
    other = Stack(stack.server, directory, slug="canary", hostname="canary.example", name="second").create()
    values = {"API_TOKEN": canaries.canary()}
    other.set_secret("codesensei:secretEnv.API_TOKEN", values["API_TOKEN"])
    values["sshPrivateKey"] = other.server.private_key_path.read_text().splitlines()[2]
    values["passphrase"] = other.passphrase.read_text()
    canaries.start_sampler(other)
    return other, values


def generated(stack: Stack) -> dict[str, str]:
    """The secrets that the program has made, as the process has them."""
    found = stack.environ()
    passwords = {
        name: str(urlsplit(found[variable]).password)
        for name, variable in {"database password": "DATABASE_URL", "broker password": "CELERY_BROKER_URL"}.items()
    }
    assert all(len(password) == 64 for password in passwords.values())
    return {"SECRET_KEY": found["SECRET_KEY"], **passwords}


@pytest.mark.proves("secrets.never", "secrets.allowed", "broker.password")
@each_debian(12)
def test_no_secret_is_anywhere(watched: tuple[Stack, dict[str, str]]) -> None:
    stack, values = watched
    began = time.time()
    stack.set("project.hooks", {"beforeMigrate": [PRINTS], "afterSwitch": [PRINTS]})
    texts = {"up": stack.up().output}
    values |= generated(stack)
    assert stack.environ()["API_TOKEN"] == values["API_TOKEN"]
    values["new token"] = canaries.canary()
    stack.set_secret("codesensei:secretEnv.API_TOKEN", values["new token"])
    shown = stack.preview("--diff")
    texts |= {"preview --diff": shown.output, "events": json.dumps(shown.events)}
    texts["preview --json"] = stack.pulumi("preview", "--json")
    again = stack.up("-v=3", "--logtostderr")
    texts |= {"up -v=3": again.output, "events of up": json.dumps(again.events)}
    assert stack.environ()["API_TOKEN"] == values["new token"]
    texts["preview"] = stack.preview().output
    texts["stack export"] = stack.pulumi("stack", "export")
    texts["stack output"] = stack.pulumi("stack", "output", "--json")
    texts |= canaries.texts_of(stack.backend) | canaries.texts_of(stack.program / "stacks")
    assert sorted(canaries.search_server(stack, values)) == []
    gone = stack.destroy("-v=3", "--logtostderr")
    texts |= {"destroy -v=3": gone.output, "events of destroy": json.dumps(gone.events)}
    # What the program, the agent and the engine left on the operator's machine.
    texts |= canaries.texts_of(stack.program / ".codesensei")
    texts |= canaries.texts_of(Path(stack.environment["PULUMI_HOME"]) / "logs", began)
    assert sorted(canaries.search_texts(texts, values)) == []


@pytest.mark.full
@pytest.mark.proves("secrets.filter")
@each_debian(12)
@pytest.mark.parametrize("kind", ["migration", pytest.param("hook", marks=pytest.mark.full)])
def test_what_a_failing_program_prints_is_filtered(watched: tuple[Stack, dict[str, str]], kind: str) -> None:
    stack, values = watched
    if kind == "hook":
        stack.set("project.hooks", {"beforeMigrate": [f"{PRINTS}\nexit 3"]})
    else:
        files = {"entries/migrations/0002_fail.py": MIGRATION}
        stack.set("project.source.revision", stack.commit(files, "main~2"))
    done = stack.up(succeed=False)
    assert "[secret]" in done.said("error")
    file = stack.server.console("cat /srv/codesensei/canary/env/*.env").stdout
    secret_key = re.search(r"^SECRET_KEY=(.*)$", file, re.MULTILINE)
    password = re.search(r"^DATABASE_URL=.*://[^:]*:([^@]*)@", file, re.MULTILINE)
    assert secret_key
    assert password
    values |= {"SECRET_KEY": secret_key[1].strip("'\""), "database password": password[1]}
    texts = {"up": done.output} | canaries.texts_of(stack.backend)
    assert sorted(canaries.search_texts(texts, values)) == []
    assert sorted(canaries.search_server(stack, values)) == []


@pytest.mark.full
@each_debian(13)
def test_the_search_finds_a_leak_of_each_kind_in_each_place(watched: tuple[Stack, dict[str, str]]) -> None:
    stack, values = watched
    planted = {name: canaries.canary() for name in canaries.forms("")}
    leaks = {name: canaries.forms(value)[name][0].decode() for name, value in planted.items()}
    server = stack.server
    for number, leak in enumerate(leaks.values()):
        text = f"before {leak} after\n".encode()
        server.console("systemd-cat", input=text)
        server.put(f"/var/log/planted-{number}", text, 0o600)
        server.put(f"/var/lib/codesensei/planted-{number}", text, 0o600)
        server.put(f"/etc/planted-{number}", text, 0o644)
        unit = f"[Unit]\nDescription={leak.replace('%', '%%')}\n[Service]\nExecStart=/bin/sleep 300\n# {leak}\n"
        server.put(f"/etc/systemd/system/planted-{number}.service", unit.encode(), 0o600)
        server.console(f"python3 -c 'import time; time.sleep(1)' {shlex.quote(leak)}")
    units = " ".join(f"planted-{number}" for number in range(len(leaks)))
    server.console(f"systemctl daemon-reload && systemctl start {units}")
    found = canaries.search_server(stack, planted)
    places = ("journal", "/var/log ", "root's memory", "unit files", "systemctl show", "process lists", "files open")
    missed = {
        (place, name)
        for place in places
        for name in leaks
        if not any(where.startswith(place) and what == f"{name}, {name}" for where, what in found)
    }
    assert missed == set()
    texts = {name: f"before {leak} after" for name, leak in leaks.items()}
    assert canaries.search_texts(texts, planted) >= {(name, f"{name}, {name}") for name in leaks}
    assert sorted(canaries.search_server(stack, values)) == []
