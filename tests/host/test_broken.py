"""A broken project over a healthy release: the message says what and how to fix it, and the old release serves on.

The table is in tests/host/broken. The projects are deployed one after another over the same serving release: what a
failed deploy leaves must not be in the way of the next.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.broken import CASES, MACHINES, Broken
from tests.host.debians import RELEASES
from tests.host.test_interruptions import always_served, settled
from tools.sandbox import Server
from tools.trials.stack import Run, Stack

pytestmark = pytest.mark.host

# The most lines that Pulumi and codesensei together write under "Diagnostics", after the list of what was done.
LINES = 45
OURS = 25
WIDTH = 200
LOG = 8


def parameters() -> Iterator[Any]:
    """Each project on both Debians; a few of them in `make test`."""
    for debian in RELEASES:
        for case in CASES:
            if case.debian in (0, debian):
                marks = () if case.quick and debian == RELEASES[0] else pytest.mark.full
                yield pytest.param(debian, case, marks=marks, id=f"{debian}-{case.name}")


@pytest.fixture
def serving(deployed: Stack) -> Iterator[Stack]:
    """The stack with a release that serves."""
    file = deployed.file.read_text()
    if "mail" not in deployed.site.get().body:
        deployed.site.write()
    deployed.dirty = True
    yield deployed
    deployed.file.write_text(file)


def message(output: str) -> tuple[list[str], list[str]]:
    """Our own lines of the error in what the command printed, and the lines of the log after them."""
    lines = output.splitlines()
    errors = [number for number, line in enumerate(lines) if line.lstrip().startswith("error: ")]
    ours = [number for number in errors if " on " in lines[number]]
    assert len(ours) == 1, output
    block = []
    indent = len(lines[ours[0]]) - len(lines[ours[0]].lstrip())
    for line in lines[ours[0] :]:
        if not line.startswith(" " * indent) or not line.strip():
            break
        block.append(line[indent:])
    return [line for line in block if not line.startswith("  | ")], [line for line in block if line.startswith("  | ")]


def told(ours: list[str]) -> dict[str, str]:
    """The message by its parts, long lines joined."""
    parts: dict[str, str] = {}
    name = ""
    for line in ours:
        found = re.match(r"(error|fix|still served|full log): (.*)", line)
        if found:
            name, text = found.groups()
            parts[name] = text
        else:
            parts[name] += f" {line.strip()}"
    return parts


def anonymous(text: str, stack: Stack) -> str:
    """The text without what is another in each run."""
    text = re.sub(r"\b[0-9a-f]{7}-[0-9a-f]{7}\b", "RELEASE", text.replace(stack.server.name, "SERVER"))
    text = re.sub(r"\(3\.\d+\.\d+ not in", "(PYTHON not in", text)
    text = re.sub(r"\bwithin \d+ s of its start", "within SECONDS s of its start", text)
    text = re.sub(r"(?<=process python3 \()\d+", "PID", text)
    text = re.sub(r"(?<=held by process )\d+|(?<=pg_terminate_backend\()\d+", "PID", text)
    # A file system of 100 MiB, less what it needs itself.
    text = re.sub(r"\b(?:100|9\d) MiB are free", "ALL MiB are free", text)
    return re.sub(r"\bcommit [0-9a-f]{7,40}\b", "commit COMMIT", text)


@pytest.mark.proves(
    "errors.four",
    "errors.length",
    "errors.logs",
    "causes.disallowed-host",
    "causes.connection-refused",
    "causes.non-nullable",
    "causes.secret-key",
    "causes.static",
    "causes.module",
    "causes.settings-module",
    "causes.asgi-not-ready",
    "causes.python-too-old",
    "causes.memory",
    "django.sqlite-inside",
    "django.media-inside",
    "django.database-unused",
    "django.static-root-outside",
    "django.static-url-other",
    "hooks.failing",
    "migrate.lock-holder",
    "outputs.served",
)
@pytest.mark.parametrize(("deployed", "case"), list(parameters()), indirect=["deployed"])
def test_broken_project(serving: Stack, case: Broken) -> None:
    stack = serving
    first, processes, outputs = stack.serving(), stack.processes(), stack.outputs()
    try:
        with always_served(stack):
            case.apply(stack)
            done = stack.up(succeed=False)
    finally:
        if case.after:
            stack.server.console(case.after, check=False)
    print(done.output)
    (check_preview if case.preview else check_message)(stack, case, done, first)
    diagnostics = (
        done.output.partition("\nDiagnostics:\n")[2].partition("\nResources:\n")[0].partition("\nOutputs:\n")[0]
    )
    assert 0 < len(diagnostics.splitlines()) <= LINES
    assert "Traceback (most recent call last):\n" not in re.sub(r"  \| .*\n", "", done.output)
    assert stack.serving() == stack.serving("worker") == first
    assert stack.outputs() == outputs
    assert case.switched or stack.processes() == processes
    stack.shared_in = __name__


def check_preview(stack: Stack, case: Broken, done: Run, first: str) -> None:
    """The program itself refuses, before anything runs."""
    said = anonymous(done.said("error"), stack)
    assert f"{case.error}\n    {case.fix}" in said
    assert done.changes == set()


def check_message(stack: Stack, case: Broken, done: Run, first: str) -> None:
    """The server's step refuses, in words of ours and the end of a log."""
    ours, log = message(done.output)
    parts = told(ours)
    assert anonymous(parts["error"], stack) == case.error
    assert anonymous(parts["fix"], stack) == case.fix
    assert parts.get("still served", first).endswith(first)
    assert len(ours) <= OURS
    assert len(log) <= LOG
    assert max(map(len, ours + log)) <= WIDTH + 4
    assert case.log in "\n".join(log)
    assert "/usr/local/lib/codesensei" not in done.output.replace("/usr/local/lib/codesensei/guestbook/run ", "")
    assert not re.search(r"^[\s|~^]*[~^]{2}[\s~^]*$", done.output, re.MULTILINE)


@pytest.mark.full
@pytest.mark.parametrize("deployed", RELEASES, indirect=True)
def test_after_all_of_them_the_working_project_is_deployed(serving: Stack) -> None:
    first = serving.serving()
    serving.up()
    assert serving.serving() == first
    settled(serving)


@pytest.mark.full
@pytest.mark.parametrize("debian", [RELEASES[1]])
def test_a_machine_that_cannot_be_used(fresh: Callable[[int], Server], place: Path, debian: int) -> None:
    """Troubles with one server, one after another: a first deploy names each."""
    stack = Stack(fresh(debian), place / "machine").create()
    for case in MACHINES:
        case.apply(stack)
        done = stack.up(succeed=False)
        stack.server.console(case.after)
        parts = told(message(done.output)[0])
        assert (anonymous(parts["error"], stack), anonymous(parts["fix"], stack)) == (case.error, case.fix)
        assert "still served" not in parts
