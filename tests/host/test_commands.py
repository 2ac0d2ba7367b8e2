"""The program `codesensei` against a real server: each command, also after a deploy that was killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.reader import Reader
from tests.docs.table import COMMANDS
from tests.host.debians import each_debian
from tools.trials.stack import CHECKOUT, Stack, eventually

pytestmark = pytest.mark.host

HOOK = "sleep 611"
HOLDER = "/run/codesensei/project-guestbook.holder"


def codesensei(stack: Stack, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "codesensei.console", *words, "--stack", stack.name],
        cwd=stack.program,
        env=stack.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


@each_debian(12)
@pytest.mark.proves("console.status", "console.releases", "console.connection", "console.recover")
def test_a_deploy_is_killed_and_recovered_from(stack: Stack) -> None:
    first = stack.serving()
    before = json.loads(codesensei(stack, "status", "--json").stdout)
    assert (before["release"], before["holder"], before["orphan"], before["backups"]) == (first, "", "", None)
    assert {one["unit"]: one["active"] for one in before["processes"]}["guestbook-worker.service"] == "active"
    assert "nothing to recover" in codesensei(stack, "recover").stdout
    (known,) = json.loads(codesensei(stack, "releases", "--json").stdout)["releases"]
    assert (known["name"], known["place"], known["result"]) == (first, "current", "served")
    assert known["revision"] == stack.outputs()["revision"]
    assert known["built"] < known["served"]
    assert known["seconds"]
    text = stack.file.read_text()
    stack.use("main~1")
    stack.set("project.hooks", {"beforeMigrate": [HOOK]})
    process, events = stack.start("up", "--yes", "--skip-preview")
    try:
        eventually(stack.server, "pgrep -u deploy -x sleep", 240)
    finally:
        process.kill()
    stack.finish(process, events, 30)
    stack.recover_state()
    living = codesensei(stack, "recover", "--yes", code=1)
    assert "build of guestbook (process " in living.stderr
    assert stack.server.console("pgrep -u deploy -x sleep").stdout
    stack.server.console(f"kill -KILL $(python3 -c \"import json; print(json.load(open('{HOLDER}'))['pid'])\")")
    assert "codesensei-job-guestbook.service still runs" in codesensei(stack, "status").stdout
    assert "add --yes" in codesensei(stack, "recover", code=2).stderr
    told = codesensei(stack, "recover", "--yes").stdout
    assert f"serves: {first}" in told
    assert "lock of the state: process " in told
    assert told.endswith("recovered; run pulumi up\n")
    assert stack.server.console("pgrep -u deploy -x sleep", check=False).stdout == ""
    again = codesensei(stack, "recover").stdout
    assert "interrupted steps (build)" in again
    assert again.endswith("nothing to recover\n")
    stack.file.write_text(text)
    stack.use("main~1")
    done = stack.up()
    assert "pending" not in done.output
    assert stack.serving() != first
    found = json.loads(codesensei(stack, "releases", "--json").stdout)["releases"]
    assert {one["place"]: one["name"] for one in found}["previous"] == first


@pytest.mark.full
@each_debian(12)
@pytest.mark.proves("console.backups", "docs.commands")
def test_the_commands_as_they_are_printed(stack: Stack, tmp_path: Path) -> None:
    stack.set("backups", {"to": "/backups/guestbook"})
    stack.up()
    (stack.program / "bin").mkdir()
    launcher = stack.program / "bin/codesensei"
    launcher.write_bytes((CHECKOUT / "bin/codesensei").read_bytes())
    launcher.chmod(0o755)
    (stack.program / ".venv").symlink_to(sys.prefix)
    variables = {name: value for name, value in stack.environment.items() if name.startswith("PULUMI_")}
    variables |= {"PULUMI_STACK": stack.name, "CODESENSEI_STANDINS": "accept"}
    variables |= {"PATH": f"{launcher.parent}:{stack.environment['PATH']}"}
    reader = Reader(COMMANDS, tmp_path / "home", {"restore latest": "restore latest --yes"}, variables)
    assert "guestbook-worker.service" in reader.types("docs/operating.md#commands")
    kept = stack.site.write()
    stack.site.await_job(kept)
    assert "1 backups in /backups/guestbook" in reader.types("docs/backups.md#everyday")
    lost = stack.site.write()
    stack.site.await_job(lost)
    assert "kept: the database of before" in reader.types("docs/backups.md#restore")
    assert stack.site.shows(kept)
    assert not stack.site.shows(lost)
    assert "nothing to recover" in reader.types("docs/operating.md#when-a-run-was-interrupted")
    reader.ends()
    stack.up_without_changes()
