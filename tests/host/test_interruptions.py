"""Killed at any point and run again: the server ends with what the stack file says, and serves all the time."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.host.debians import each_debian
from tools.demo.errors import DemoError
from tools.sandbox import Server
from tools.trials.stack import Stack, eventually

pytestmark = pytest.mark.host

ROOT = "/srv/codesensei/guestbook"
MEMORY = "/var/lib/codesensei/guestbook"
# Lets the hook of `waiting` end.
GO = f"{ROOT}/shared/media/go"
HOOK = f"test -e {GO} || sleep 600"
POINTS = {
    "packages": "pgrep -f '[i]nstall --requirement'",
    "hook": "pgrep -u deploy -x sleep",
    "candidate": "systemctl is-active -q codesensei-candidate-guestbook.service",
    "current renamed": f"test $(readlink {ROOT}/current) != releases/FIRST",
    "workers started": f"test -e {MEMORY}/switch/journal.json -a "
    f'"$(readlink -f /proc/$(systemctl show -P MainPID guestbook-worker.service)/cwd)" != {ROOT}/releases/FIRST -a '
    f'"$(readlink -f /proc/$(systemctl show -P MainPID guestbook-worker.service)/cwd)" != /',
}


@contextmanager
def again_and_again(visit: Callable[[], object]) -> Iterator[None]:
    """Somebody visits the site all through the block; DemoError or AssertionError of a visit fails the test."""
    ended, problems = threading.Event(), list[str]()

    def go_on() -> None:
        while not ended.wait(0.1):
            try:
                visit()
            except (DemoError, AssertionError) as error:
                problems.append(str(error))

    visitor = threading.Thread(target=go_on, daemon=True)
    visitor.start()
    try:
        yield
    finally:
        ended.set()
        visitor.join(60)
    assert problems == []


@contextmanager
def always_served(stack: Stack) -> Iterator[None]:
    """The site must answer every request of a visitor who asks again and again during the block."""

    def visit() -> None:
        status = stack.site.get().status
        assert status == 200, f"status {status}"

    with again_and_again(visit):
        yield


def kill(stack: Stack, condition: str, *, remote: bool = True) -> None:
    """Start `pulumi up` and, once the condition holds on the server, kill the engine and the step that runs there."""
    process, events = stack.start("up", "--yes", "--skip-preview")
    try:
        eventually(stack.server, condition, 240)
        if remote:
            # The process that holds a lock is the step; SIGKILL lets it tidy nothing.
            stack.server.console(
                "for holder in /run/codesensei/*.holder; do"
                " pid=$(python3 -c \"import json,sys; print(json.load(open(sys.argv[1]))['pid'])\" $holder);"
                " grep -q codesensei /proc/$pid/cmdline && kill -KILL $pid; done; true"
            )
    finally:
        process.kill()
    stack.finish(process, events, 30)
    stack.recover_state()
    stack.pulumi("cancel", "--yes")


def settled(stack: Stack) -> None:
    """The server is as the state says, with nothing left of what was killed."""
    release = stack.outputs()["release"]
    assert stack.serving() == stack.serving("worker") == release
    assert stack.outputs()["revision"] == stack.config["codesensei:project"]["source"]["revision"]
    server = stack.server
    assert server.console(f"readlink {ROOT}/current").stdout == f"releases/{release}\n"
    units = server.console("systemctl list-units --all --plain --no-legend 'guestbook*' 'codesensei*'").stdout
    assert [line.split()[0] for line in units.splitlines()] == [
        "codesensei-broker-guestbook.service",
        "guestbook-worker.service",
        "guestbook.service",
        "guestbook.socket",
    ]
    assert server.console("pgrep -au $(getent passwd | grep -o '^csb-[0-9a-f]*')", check=False).stdout == ""
    stray = "for p in $(pgrep -u deploy); do grep -L 'guestbook.*service' /proc/$p/cgroup; done; true"
    assert server.console(stray).stdout == ""
    lock = "/run/codesensei/project-guestbook.lock"
    server.console(f"[ ! -e {lock} ] || flock -n {lock} true")
    assert server.console(f"ls {MEMORY}/switch {ROOT}/releases").stdout.count("journal") == 0
    assert stack.site.greets(stack.config["codesensei:env"]["GREETING"])
    stack.site.await_job(stack.site.write())
    stack.up_without_changes()
    assert left_here(stack) == []


def left_here(stack: Stack) -> list[str]:
    """Processes of this machine that still work in the program's directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if entry.resolve() == stack.program:
                found.append((entry.parent / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def change(stack: Stack, point: str) -> None:
    """A new commit; with other requirements or a hook where the point needs it."""
    stack.use("main~1")
    if point == "packages":
        # uv is done within a blink where it has the packages.
        stack.set("project.installer", "pip")
        text = (stack.repository / "requirements.txt").read_text()
        stack.set("project.source.revision", stack.commit({"requirements.txt": f"# Changed\n{text}"}, "main~1"))
    if point == "hook":
        stack.set("project.hooks", {"beforeMigrate": [HOOK]})


full = pytest.mark.full


@pytest.mark.proves("switch.candidate-ends")
@each_debian(13)
def test_a_candidate_that_is_killed_while_it_serves(stack: Stack) -> None:
    """nginx asks the live process at once, also what the candidate was answering."""
    change(stack, "code")
    away, unit = f"{ROOT}/hand-over/live.sock", "codesensei-candidate-guestbook.service"
    with always_served(stack):
        process, events = stack.start("up", "--yes", "--skip-preview")
        eventually(stack.server, f"test -S {away}", 240)
        stack.server.console(f"systemctl kill --signal=KILL {unit}")
        stack.finish(process, events, 120)
    settled(stack)


@each_debian(13)
@pytest.mark.parametrize(
    ("point", "reverted"),
    [
        pytest.param("packages", False, marks=full),
        pytest.param("packages", True, marks=full),
        pytest.param("hook", False, marks=full),
        pytest.param("hook", True, marks=full),
        pytest.param("candidate", False, marks=full),
        pytest.param("candidate", True, marks=full),
        pytest.param("current renamed", False, marks=full),
        pytest.param("current renamed", True, marks=full),
        pytest.param("workers started", False, marks=full),
        pytest.param("workers started", True, marks=full),
    ],
)
def test_engine_and_step_are_killed(stack: Stack, point: str, reverted: bool) -> None:
    first, before = stack.serving(), stack.file.read_text()
    change(stack, point)
    with always_served(stack):
        kill(stack, POINTS[point].replace("FIRST", first))
        stack.server.console(f"runuser -u deploy -- touch {GO}")
        if reverted:
            stack.file.write_text(before)
        stack.up()
    assert (stack.serving() == first) is reverted
    settled(stack)


HOLDER = "/run/codesensei/project-guestbook.holder"
STEP_ID = f"python3 -c \"import json; print(json.load(open('{HOLDER}'))['pid'])\""
# What is killed: how to find it on the server, or None where it is on this machine.
VICTIMS = {
    "engine": None,
    "program": None,
    "step": f"kill -KILL $({STEP_ID})",
    # The process of sshd that runs the step's command.
    "connection": f"kill -KILL $(ps -o ppid= -p $(ps -o ppid= -p $({STEP_ID})))",
}


def program_of(stack: Stack) -> list[int]:
    """The processes of this machine that run the program, as the engine's language host has started them."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if (entry / "cwd").resolve() == stack.program and any(word.endswith(b"--monitor") for word in words):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.mark.full
@pytest.mark.parametrize("seed", range(24))
@pytest.mark.parametrize("deployed", [12, 13], indirect=True)
def test_anything_is_killed_at_any_moment(stack: Stack, seed: int) -> None:
    """The seed chooses what is killed, in which step, how long after it began, and whether the file is put back."""
    chance = random.Random(seed)
    victim, step = chance.choice(sorted(VICTIMS)), chance.choice(["environment", "build", "switch"])
    delay, reverted = chance.uniform(0, 4 if step in ("build", "switch") else 1), chance.random() < 0.5
    first, before = stack.serving(), stack.file.read_text()
    change(stack, "packages")
    stack.set("env.GREETING", "Good evening")
    with always_served(stack):
        process, events = stack.start("up", "--yes", "--skip-preview")
        try:
            # The moment is the subject here, and any will do.
            eventually(stack.server, f"""grep -q '"step": "{step}"' {HOLDER} && sleep {delay:.2f}""", 240)
            command = VICTIMS[victim]
            if command is not None:
                stack.server.console(command, check=False)
            for pid in program_of(stack) if victim == "program" else []:
                os.kill(pid, signal.SIGKILL)
            if victim == "engine":
                process.kill()
        finally:
            stack.finish(process, events, 300)
        stack.recover_state()
        stack.pulumi("cancel", "--yes", check=False)
        if reverted:
            stack.file.write_text(before)
        stack.up()
    assert (stack.serving() == first) is reverted
    settled(stack)


@pytest.mark.full
@each_debian(12)
def test_only_the_engine_is_killed_and_the_next_run_waits_for_the_step(stack: Stack) -> None:
    change(stack, "packages")
    with always_served(stack):
        kill(stack, POINTS["packages"], remote=False)
        done = stack.up()
    assert "waits for build of guestbook" in done.output
    settled(stack)


@pytest.mark.full
@pytest.mark.parametrize("debian", [12, 13])
def test_a_first_deploy_is_killed_again_and_again(fresh: Callable[[int], Server], place: Path, debian: int) -> None:
    stack = Stack(fresh(debian), place / f"first-{debian}").create()
    for condition in (
        "pgrep -x dpkg",
        "test -e /etc/nginx/conf.d/codesensei.conf",
        "runuser -u postgres -- psql -XAtc 'SELECT rolname FROM pg_roles' | grep -q guestbook",
        "pgrep -f '[i]nstall .*--requirement'",
        "pgrep -u deploy -f '[m]anage.py migrate'",
        "test -L /srv/codesensei/guestbook/current",
    ):
        kill(stack, condition)
    stack.up()
    settled(stack)


@pytest.mark.full
@pytest.mark.proves("switch.all-or-nothing")
@each_debian(13)
def test_a_power_cut_in_the_middle_of_the_switch(stack: Stack) -> None:
    first = stack.serving()
    change(stack, "current renamed")
    process, events = stack.start("up", "--yes", "--skip-preview")
    try:
        eventually(stack.server, POINTS["current renamed"].replace("FIRST", first), 240)
        stack.server.reboot(power_cut=True)
    finally:
        process.kill()
    stack.finish(process, events, 30)
    stack.recover_state()
    stack.pulumi("cancel", "--yes")
    assert stack.site.greets("Hello")
    stack.up()
    settled(stack)
    assert json.dumps(stack.outputs()).count(stack.revision("main~1")) == 1
