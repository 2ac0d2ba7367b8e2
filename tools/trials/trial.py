"""One fault in one deploy: what visitors noticed, what the operator was told, and what the next `up` made of it."""

from __future__ import annotations

import contextlib
import random
import re
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.demo.errors import DemoError
from tools.sandbox import Relay, Server
from tools.sandbox.errors import SandboxError
from tools.trials import picture
from tools.trials.crowd import PAUSE
from tools.trials.faults import FAULTS, HOLDER, PHASES, Deploy, Fault
from tools.trials.picture import Picture
from tools.trials.stack import Stack, eventually
from tools.trials.visitors import Visitors

DEPLOYED = "deployed"
UP = ("up", "--yes", "--skip-preview")
# Seconds that a deploy under a fault may take, and that the site may need to answer again after it.
PATIENCE = 300
BACK = 60
# Made where a deploy has ended, for who waits for a phase of it.
ENDED = "/run/trial-ended"
# What the engine says of every failed run and of every failed command.
ENGINES_OWN = re.compile(r"error: (update failed|update canceled|Process exited with status)")


@dataclass(frozen=True)
class Plan:
    """A trial: `number` in its run, the fault, the phase in which it strikes, and what the operator does after it."""

    number: int
    fault: str
    phase: str
    reverted: bool


def plan(seed: int, count: int, faults: Sequence[Fault] = FAULTS) -> list[Plan]:
    """`count` trials in an order that the seed chooses: each pair of fault and phase once before any comes again."""
    pairs = [(fault.name, phase) for fault in faults for phase in fault.phases]
    chance, plans = random.Random(seed), list[Plan]()
    while len(plans) < count:
        chance.shuffle(pairs)
        reverted = chance.random() < 0.5
        for number, (fault, phase) in enumerate(pairs, len(plans)):
            plans.append(Plan(number, fault, phase, reverted := not reverted))
    return plans[:count]


@dataclass(frozen=True)
class Outcome:
    """What a trial showed.

    `hit` is the step that ran when the fault struck, empty where the deploy had ended. `code` and `message` are of the
    deploy under the fault, `again` of the run after it. `failed` of `requests` were answered badly within `away`
    seconds; `lost` acknowledged entries were gone. `wrong` is what differs from an undisturbed server.
    """

    plan: Plan
    hit: str
    code: int | None
    message: str
    again: int
    again_message: str
    requests: int
    failed: int
    away: float
    lost: int
    wrong: tuple[str, ...]
    seconds: float

    @property
    def is_right(self) -> bool:
        """Whether nothing was lost, the next run ended well, and nothing differs."""
        fault = fault_of(self.plan)
        return not self.lost and not self.again and not self.wrong and (fault.visitors_feel_it or not self.failed)


def fault_of(trial: Plan) -> Fault:
    """The fault of a trial."""
    return next(fault for fault in FAULTS if fault.name == trial.fault)


class Ground:
    """A server with a deployed stack, put back before each trial, and what it looks like undisturbed."""

    def __init__(self, server: Server, directory: Path) -> None:
        """Deploy the example project, keep it, and see what the change makes of it."""
        self.server = server
        self.relay = Relay(server.host, server.port)
        self.stack = Stack(server, directory).create()
        with self.stack.editing() as config:
            config["codesensei:server"] |= {"host": self.relay.host, "port": self.relay.port}
        self.stack.up()
        self.first = self.stack.serving()
        self.stack.keep(DEPLOYED)
        server.snapshot(DEPLOYED)
        self.before = picture.take(server)
        text = (self.stack.repository / "requirements.txt").read_text()
        self.revision = self.stack.commit({"requirements.txt": f"# Changed\n{text}"}, "main~1")
        self.change()
        self.stack.up()
        self.after = picture.take(server)

    def close(self) -> None:
        """End the relay."""
        self.relay.close()

    def put_back(self) -> None:
        """Server, state and stack file as they were after the first deploy."""
        self.server.restore(DEPLOYED)
        self.stack.put_back(DEPLOYED)
        self.server.console("systemctl is-system-running --wait", check=False)

    def change(self) -> None:
        """What is deployed under the fault: a commit with a migration, other requirements, a variable."""
        # uv is done within a blink where it has the packages.
        self.stack.set("project.installer", "pip")
        self.stack.set("project.source.revision", self.revision)
        self.stack.set("env.GREETING", "Good evening")

    def run(self, trial: Plan) -> Outcome:
        """Deploy, let the fault strike, run again, and look."""
        began, fault = time.monotonic(), fault_of(trial)
        self.put_back()
        stack = self.stack
        if fault.before:
            self.server.console(fault.before)
        file = stack.file.read_text()
        with Visitors(self.server, stack.hostname) as visitors:
            self.change()
            hit, code, said = self._deploy(fault, trial.phase)
            if fault.lift:
                self.server.console(fault.lift, check=False)
            stack.recover_state()
            stack.pulumi("cancel", "--yes", check=False)
            if trial.reverted:
                stack.file.write_text(file)
            again = stack.finish(*stack.start(*UP), PATIENCE)
            self._await_site()
        asked = self.before if trial.reverted else self.after
        return Outcome(
            plan=trial,
            hit=hit,
            code=code,
            message=first_error(said),
            again=again.code,
            again_message=first_error(again.output) if again.code else "",
            requests=len(visitors.answers),
            failed=len(visitors.failed),
            away=round(visitors.away, 1),
            lost=len(visitors.lost()),
            wrong=tuple(self._wrong(asked)),
            seconds=round(time.monotonic() - began, 1),
        )

    def _deploy(self, fault: Fault, phase: str) -> tuple[str, int | None, str]:
        process, events = self.stack.start(*UP)
        hit = ""
        try:
            self._await_phase(process, phase)
            note = f"""flock -n {HOLDER.replace(".holder", ".lock")} true || grep -o '"step": "[a-z]*"' {HOLDER}"""
            hit = self.server.console(note, check=False).stdout.rpartition(": ")[2].strip().strip('"')
            fault.strike(Deploy(self.stack, process, self.relay))
        except (AssertionError, SandboxError) as error:
            hit = hit or f"not hit: {error}"
        done = self.stack.finish(process, events, PATIENCE)
        return hit, done.code, done.output

    def _await_phase(self, process: subprocess.Popen[str], phase: str) -> None:
        """Wait until the deploy is there; AssertionError where it has ended, or where it takes too long."""
        self.server.console(f"rm -f {ENDED}")

        def tell() -> None:
            process.wait()
            with contextlib.suppress(SandboxError):
                self.server.console(f"touch {ENDED}")

        threading.Thread(target=tell, daemon=True).start()
        seen = PHASES[phase].replace("FIRST", self.first)
        eventually(self.server, f"{{ {seen}; }} || test -e {ENDED}", PATIENCE)
        assert process.poll() is None, f"the deploy ended, and nobody saw it in the phase {phase}"

    def _await_site(self) -> None:
        """Wait for the site; one that does not come back shows in what is wrong."""
        deadline = time.monotonic() + BACK
        while time.monotonic() < deadline:
            with contextlib.suppress(DemoError):
                if self.stack.site.get().status == 200:
                    return
            time.sleep(PAUSE)

    def _wrong(self, asked: Picture) -> list[str]:
        found = picture.wrong(asked, picture.take(self.server), also=self.after)
        greeting = "Hello" if asked is self.before else "Good evening"
        try:
            if not self.stack.site.greets(greeting):
                found.append(f"the page does not say {greeting!r}")
            self.stack.site.await_job(self.stack.site.write())
        except DemoError as error:
            found.append(f"a visitor: {str(error).splitlines()[0]}")
        return found


def first_error(output: str) -> str:
    """The line of a run that says what went wrong; the product's own goes before the engine's."""
    lines = [line.strip() for line in output.splitlines()]
    found = [line for line in lines if re.match(r"(error|warning): ", line)]
    errors = [line for line in found if line.startswith("error")]
    own = [line for line in errors if not ENGINES_OWN.match(line)]
    return next(iter([*own, *errors, *found]), "")[:300]
