"""Kills while a backup is made, checked or restored, and what is there after the next run."""

from __future__ import annotations

import contextlib
import random
import shlex
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.demo.checks import Entry
from tools.demo.errors import DemoError
from tools.sandbox import Server
from tools.trials.stack import Stack, eventually

SLUG = "guestbook"
COMMAND = f"/srv/codesensei/{SLUG}/backup"
PICTURE = f"/srv/codesensei/{SLUG}/shared/media/picture.txt"
BACKED_UP = "backed-up"
ACTIONS = {"backup": "now", "check": "verify", "restore": "restore latest"}
# So that each part of it takes a moment that can be hit.
BALLAST = (
    "CREATE TABLE ballast AS SELECT n, repeat(md5(n::text), 8) AS text FROM generate_series(1, 200000) AS n;"
    f" CREATE INDEX ON ballast (text); ALTER TABLE ballast OWNER TO {SLUG}"
)
POWER = "the power"
RUNS = f"[c]odesensei/[^ ]+ {SLUG} backup"


def _next(programs: str) -> str:
    """A command that kills the first of these programs that the run begins from now on: each takes only a moment."""
    return f"while pgrep -f '{RUNS}' >/dev/null; do pkill -KILL -x '{programs}' && exit 0; sleep 0.01; done; exit 1"


KILLS = {
    "the command": f"pkill -KILL -f '{RUNS}'",
    "the connection": "pkill -KILL -f '[s]shd.*: root@notty'",
    "restic": _next("restic"),
    "pg_dump or pg_restore": _next("pg_dump|pg_restore"),
    "PostgreSQL": "pkill -KILL -x postgres",
    POWER: "",
}
LIFT = "systemctl is-active -q 'postgresql@*.service' || systemctl restart postgresql.service"
# What a run leaves that was cut off, each line one thing.
LEFT = f"""
find /var/lib/codesensei/{SLUG}/backup /srv/codesensei/{SLUG} -maxdepth 1 -name staging -o -maxdepth 1 -name check \
    -o -maxdepth 1 -name restore -o -maxdepth 1 -name .restore
ps -eo args | grep -E '^(restic|pg_dump|pg_restore|psql|/usr/lib/postgresql/.*/(pg_dump|pg_restore)) '
cd / && runuser -u postgres -- psql -XAt -c "SELECT datname FROM pg_database WHERE datname LIKE 'codesensei%'" \
    -c "SELECT rolname FROM pg_roles WHERE rolname LIKE 'codesensei%'"
true
"""
BUSY = "another backup, check or restore runs"
PATIENCE = 120


@dataclass(frozen=True)
class Plan:
    """A trial: what runs, what is killed after which part of its usual time, and whether `pulumi up` comes next."""

    number: int
    action: str
    kill: str
    moment: float
    deploys: bool


def plan(seed: int, count: int) -> list[Plan]:
    """`count` trials, each pair of action and kill once before any comes again, at moments that the seed chooses."""
    pairs = [(action, kill) for action in ACTIONS for kill in KILLS]
    chance, plans = random.Random(seed), list[Plan]()
    while len(plans) < count:
        chance.shuffle(pairs)
        for number, (action, kill) in enumerate(pairs, len(plans)):
            plans.append(Plan(number, action, kill, round(chance.random(), 3), chance.random() < 0.5))
    return plans[:count]


@dataclass(frozen=True)
class Outcome:
    """What a trial showed. `hit`: whether the command was still running; `wrong`: what is not as it should be."""

    plan: Plan
    hit: bool
    said: str
    wrong: tuple[str, ...]
    seconds: float


class Ground:
    """A server with a deployed stack and a backup, put back before each trial; what came after the backup differs."""

    def __init__(self, server: Server, directory: Path) -> None:
        """Deploy the example project, back it up, and see how long each action takes."""
        self.server = server
        self.stack = Stack(server, directory).create()
        self.stack.set("backups", {"to": f"/backups/{SLUG}"})
        self.stack.up()
        server.console(f"cd / && runuser -u postgres -- psql -XAt -d {SLUG} -c {shlex.quote(BALLAST)}")
        self.kept = self._write("kept")
        server.console(f"{COMMAND} now")
        self.lost = self._write("changed")
        self.stack.keep(BACKED_UP)
        server.snapshot(BACKED_UP)
        self.durations = {action: self._duration(action) for action in ACTIONS}

    def _write(self, text: str) -> Entry:
        entry = self.stack.site.write()
        self.stack.site.await_job(entry)
        self.server.console(f"runuser -u deploy -- tee {PICTURE}", input=text.encode())
        return entry

    def _duration(self, action: str) -> float:
        with self._running(action) as run:
            began = time.monotonic()
            said = run.communicate(timeout=PATIENCE)[0]
        assert run.returncode == 0, said
        return time.monotonic() - began

    @contextlib.contextmanager
    def _running(self, action: str) -> Iterator[subprocess.Popen[bytes]]:
        """The command over SSH, as soon as it runs on the server."""
        argv = [*self.server.ssh_argv(), "--", f"{COMMAND} {ACTIONS[action]}"]
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
            eventually(self.server, f"pgrep -f '{RUNS}' >/dev/null")
            yield run

    def run(self, trial: Plan) -> Outcome:
        """Put the server back, kill, let the next run come, and look."""
        began = time.monotonic()
        self.server.restore(BACKED_UP)
        self.stack.put_back(BACKED_UP)
        self.server.console("systemctl is-system-running --wait", check=False)
        hit, said = self._kill(trial)
        self.server.console(LIFT)
        wrong = [*self._deployed()] if trial.deploys else []
        wrong += [*self._again(trial.action), *self._looked(trial.action)]
        return Outcome(trial, hit, said, tuple(wrong), round(time.monotonic() - began, 1))

    def _kill(self, trial: Plan) -> tuple[bool, str]:
        """Whether it struck while the command ran, and the last line of what that said."""
        with self._running(trial.action) as run:
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.wait(trial.moment * self.durations[trial.action])
            hit = run.poll() is None
            if trial.kill == POWER:
                self.server.reboot(power_cut=True)
            else:
                hit = self.server.console(KILLS[trial.kill], check=False).returncode == 0 and hit
            said = run.communicate(timeout=PATIENCE)[0].decode(errors="replace").strip().splitlines()
        return hit, said[-1][:300] if said else ""

    def _deployed(self) -> Iterator[str]:
        """What `pulumi up` leaves wrong when it is what comes next."""
        done = self.stack.finish(*self.stack.start("up", "--yes", "--skip-preview"), PATIENCE)
        if done.code:
            yield f"pulumi up ended with status {done.code}: {done.output.strip().splitlines()[-1][:200]}"
        yield from self._site()

    def _again(self, action: str) -> Iterator[str]:
        """What is wrong with the next run of the command, which waits for one that still goes on."""
        deadline = time.monotonic() + PATIENCE
        while True:
            done = self.server.run(f"{COMMAND} {ACTIONS[action]}", check=False)
            if done.returncode and BUSY in done.stderr and time.monotonic() < deadline:
                time.sleep(1)
                continue
            break
        if done.returncode:
            yield f"the next {action} ended with status {done.returncode}: {done.stderr.strip()[-300:]}"

    def _looked(self, action: str) -> Iterator[str]:
        restored = action == "restore"
        yield from self._site()
        with contextlib.suppress(DemoError):
            if self.stack.site.shows(self.lost) is restored:
                yield f"a row from after the backup is {'still there' if restored else 'gone'}"
        file = self.server.console(f"cat {PICTURE}", check=False).stdout
        if file != ("kept" if restored else "changed"):
            yield f"the upload is {file!r}"
        if (checked := self.server.run(f"{COMMAND} verify", check=False)).returncode:
            yield f"the newest backup cannot be restored: {checked.stderr.strip()[-300:]}"
        if left := self.server.console(LEFT, check=False).stdout.split("\n")[:-1]:
            yield f"left: {', '.join(left)}"
        done = self.stack.finish(*self.stack.start("up", "--yes", "--skip-preview", "--expect-no-changes"), PATIENCE)
        if done.code:
            yield f"pulumi up found changes: {', '.join(sorted(done.changes)) or done.output[-300:]}"

    def _site(self) -> Iterator[str]:
        """What a visitor finds wrong: the page, the row that was backed up, a job."""
        try:
            if not self.stack.site.shows(self.kept):
                yield "a row that was backed up is gone"
            self.stack.site.await_job(self.stack.site.write())
        except (DemoError, OSError) as error:
            yield f"a visitor: {str(error).splitlines()[0]}"


def text(outcomes: Sequence[Outcome]) -> list[str]:
    """The part of docs/RELIABILITY.md that tells of them."""
    struck = [outcome for outcome in outcomes if outcome.hit]
    right = sum(not outcome.wrong for outcome in outcomes)
    lines = [
        f"{len(outcomes)} trials; in {len(struck)} of them the kill found what it was to kill.",
        f"After the next run, {right} were right.",
        "",
        "| killed | while a backup is made | is checked | is restored |",
        "|---|---|---|---|",
    ]
    for kill in KILLS:
        lines.append(f"| {kill} | {' | '.join(_cell(outcomes, kill, action) for action in ACTIONS)} |")
    if wrong := [outcome for outcome in outcomes if outcome.wrong]:
        lines += ["", "What was not right:", "", *map(_not_right, wrong)]
    return lines


def _cell(outcomes: Iterable[Outcome], kill: str, action: str) -> str:
    found = [one for one in outcomes if (one.plan.kill, one.plan.action) == (kill, action)]
    return f"{sum(not one.wrong for one in found)} of {len(found)} right, {sum(one.hit for one in found)} hit"


def _not_right(outcome: Outcome) -> str:
    trial, then = outcome.plan, "then pulumi up" if outcome.plan.deploys else "then again"
    return f"* {trial.kill} after {trial.moment:.0%} of a {trial.action}, {then}: {'; '.join(outcome.wrong)[:300]}"


def described(outcome: Outcome) -> str:
    """One outcome in a few lines."""
    trial, word = outcome.plan, "WRONG" if outcome.wrong else "right"
    then = "pulumi up" if trial.deploys else "again"
    hit = "" if outcome.hit else ", which was over"
    first = f"{word} {trial.number}: {trial.kill} after {trial.moment:.0%} of a {trial.action}{hit}, then {then}"
    return "\n".join(
        [f"{first}; {outcome.seconds} s", f"    {outcome.said}", *(f"    wrong: {one}" for one in outcome.wrong)]
    )
