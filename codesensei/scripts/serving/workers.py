"""The workers in a switch: proved as far as they take no work, replaced when the old ones have ended their own."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from codesensei.scripts.base import files, units
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.base.units import UnitState
from codesensei.scripts.release import causes, jobs
from codesensei.scripts.release.jobs import Job
from codesensei.scripts.release.release import Release, redactor
from codesensei.scripts.serving.change import Change
from codesensei.scripts.serving.health import log_of
from codesensei.wire import codec, paths
from codesensei.wire.manifest import Manifest

# How long a worker must live before it counts as started, seconds: longer where the project is slow to load.
GRACE = 5.0
AFTER_LOADING = 3.0
PAUSE = 0.1
ANSWER = "codesensei-workers:"
PROOF = Path(__file__).with_name("ask_workers.py")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why a worker cannot start, as ask_workers.py says it."""

    cause: str
    log: str


def prove(step: Step[Manifest], release: Release) -> float:
    """Raise Failure for a worker whose program is not there or whose project cannot be imported.

    Returns the seconds that a new worker must live.
    """
    lines = {unit.name: unit.command for unit in step.data.units if unit.kind == "worker"}
    started = time.monotonic()
    argv = [f"{release.venv}/bin/python", "-B", str(PROOF), json.dumps(lines)]
    done = jobs.run_job(step, release, Job("prove the workers", argv, answer=ANSWER))
    if not done.answer:
        raise Failure("workers", "their proof did not end", log=done.tail, where=str(done.log))
    clean = redactor(release.project, release.name).clean
    problems = {}
    for name, said in json.loads(done.answer).items():
        found = codec.decode(Problem, said, "answer of ask_workers.py")
        problems[name] = Problem(cause=clean(found.cause), log=clean(found.log))
    if problems:
        raise _refused(problems)
    return max(GRACE, AFTER_LOADING + 2 * (time.monotonic() - started))


def _refused(problems: dict[str, Problem]) -> Failure:
    known = {name: causes.explain(problem.log) for name, problem in problems.items()}
    told = [
        f"{name}: {problem.cause}" + (f": {explained[0]}" if (explained := known[name]) else "")
        for name, problem in problems.items()
    ]
    fixes = list(dict.fromkeys(explained[1] for explained in known.values() if explained))
    if None in known.values():
        fixes.append("fix the command in project.workers")
    log = "\n".join(problem.log for problem in problems.values() if problem.log)
    return Failure("workers that cannot start", "\n".join(told), "\n".join(fixes), log)


def renew(change: Change, stale: Collection[str], grace: float) -> None:
    """Make the manifest's workers the ones that run, those in `stale` with a new process.

    Raises Failure for one that does not live for `grace` seconds.
    """
    _stop_departed(change)
    if names := change.manifest.named("worker"):
        began = time.time()
        _start(change.step, names, stale)
        _await_grace(change.release, names, began, grace)


def _stop_departed(change: Change) -> None:
    """End the processes that are in the manifest no more, before new ones begin: one may have another's work."""
    step = change.step
    departed = sorted(set(change.now.units) - {unit.name for unit in change.manifest.units})
    if not departed:
        return
    running = [name for name in departed if not units.show(name).has_ended]
    if running:
        systemctl("stop", "--no-block", *running)
    _wait_for_end(step, running, lambda name: units.show(name).has_ended)
    for name in departed:
        if paths.unit(name).exists():
            systemctl("disable", "--now", name)
        step.converge(files.remove_path(paths.unit(name)), f"{name} stopped and removed")
    systemctl("daemon-reload")


def _start(step: Step[object], names: list[str], stale: Collection[str]) -> None:
    """Start what does not run, and replace what must be new: the old process drains first, up to its stop timeout."""
    old = {name: state.main_pid for name in names if name in stale and (state := units.show(name)).active == "active"}
    # Waits until the program runs and no longer: a unit whose start is only queued would look like one that has ended.
    missing = [name for name in names if name not in old]
    if missing:
        systemctl("start", *missing, check=False)
    if old:
        systemctl("restart", "--no-block", *old)
    _wait_for_end(
        step,
        list(old),
        lambda name: (state := units.show(name)).main_pid not in (old[name], "0") or state.active == "failed",
    )


def _wait_for_end(step: Step[object], names: list[str], has_ended: Callable[[str], bool]) -> None:
    """Wait for processes that finish their work; systemd itself ends that at TimeoutStopSec, so this ends."""
    told = began = time.monotonic()
    while draining := [name for name in names if not has_ended(name)]:
        if time.monotonic() - told > jobs.QUIET_SECONDS:
            told = time.monotonic()
            step.say(f"{', '.join(draining)}: finishing its work for {told - began:.0f} s")
        time.sleep(PAUSE)


def _await_grace(release: Release, names: list[str], began: float, grace: float) -> None:
    """Every worker must live for `grace` seconds without a restart. `began` is seconds since the epoch."""
    first = {name: units.show(name) for name in names}
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline:
        for name in names:
            state = units.show(name)
            if not _lives(state) or state.restarts != first[name].restarts:
                raise _died(release, name, state, began, grace)
        time.sleep(2 * PAUSE)


def _lives(state: UnitState) -> bool:
    """Whether the unit runs or is just being started, and does not wait to be started again after it has ended."""
    return state.active in ("active", "activating") and state.sub != "auto-restart"


def _died(release: Release, name: str, state: UnitState, began: float, grace: float) -> Failure:
    log = log_of(release, name, began)
    ended = f"it ended within {grace:.0f} s of its start ({state.result}, status {state.exit_status})"
    cause, fix = causes.explain_any(f"{log}\n{state.result}", "")
    return Failure(
        name,
        f"{ended}: {cause}" if cause else ended,
        fix or "fix its command in project.workers",
        log,
        where=f"on the server: journalctl -u {name}",
    )
