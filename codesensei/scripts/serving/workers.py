"""Workers in a switch: proved without taking work, replaced once the old ones have finished theirs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
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
from codesensei.wire.quick import dataclass

# Seconds that a worker must live before it counts as started: longer where the project is slow to load, and fewer
# after it has said that it takes work.
GRACE = 5.0
AFTER_LOADING = 3.0
AFTER_READY = 1.0
PAUSE = 0.1
# What Celery, its beat, RQ, Dramatiq, Huey and django-q2 write when they begin to work; their broker was asked before.
# That Celery is connected says too little: it declares its queues, which a broker may refuse, just before "ready".
READY = re.compile(
    r"(?<!\S)[^\s@]+@\S+ ready\.$|beat: Starting\.\.\.$|\*\*\* Listening on "
    r"|Worker process is ready for action|Huey consumer started with |Q Cluster .* running\.$",
    re.MULTILINE,
)
# A line with several commands: one of them may be ready, and the others not.
SEVERAL = re.compile(r"[;&|\n]")
ANSWER = "codesensei-workers:"
# How systemd says that a process did not end in time, by itself or while what stops it still waited for it.
KILLED = re.compile(r"State 'stop-sig\w+' timed out\. Killing|Stopping timed out\. Terminating")
# How systemd says that a unit has ended: its state no longer does once it has started it again.
ENDING = re.compile(r"Failed with result '([\w-]+)'|Deactivated (success)fully")
STATUS = re.compile(r"Main process exited, code=\w+, status=(\d+)/")
# What Celery and RQ, Dramatiq, Huey and django-q2 write while they find no broker.
RETRYING = re.compile(
    r"(?:Cannot|Could not) connect to .*\n?.*(?:Trying again|Retrying) in"
    r"|Restarting consumer in|Error reading from queue|Can not connect to Redis server"
)
# What Celery writes some seconds before it ends.
UNRECOVERABLE = re.compile(r"CRITICAL.* Unrecoverable error: ")
PROOF = Path(__file__).with_name("ask_workers.py")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why a worker cannot start, as ask_workers.py says it."""

    cause: str
    log: str
    fix: str = ""


@dataclass(frozen=True, kw_only=True)
class WorkersAnswer:
    """What ask_workers.py found, by worker, and for how many seconds it waited for brokers."""

    problems: dict[str, Problem]
    asked: float = 0.0


def prove(step: Step[Manifest], release: Release) -> float:
    """Raise Failure for a missing program or a project that does not load. Returns the seconds a worker must live."""
    lines = {unit.name: unit.command for unit in step.data.units if unit.kind == "worker"}
    started = time.monotonic()
    argv = [f"{release.venv}/bin/python", "-B", str(PROOF), json.dumps(lines)]
    done = jobs.run_job(step, release, Job("prove the workers", argv, answer=ANSWER))
    if not done.answer:
        raise Failure("workers", "their proof did not end", log=done.tail, where=str(done.log))
    answer = codec.decode(WorkersAnswer, json.loads(done.answer), "answer of ask_workers.py")
    if answer.problems:
        raise _refused(release, answer.problems)
    return max(GRACE, AFTER_LOADING + 2 * (time.monotonic() - started - answer.asked))


def _refused(release: Release, problems: dict[str, Problem]) -> Failure:
    clean, general = redactor(release.project, release.name).clean, "fix the command in project.workers"
    told, fixes, logs = [], [], []
    for name, problem in problems.items():
        log = clean(problem.log)
        known, fix = causes.explain_any(log, "")
        told.append(": ".join(filter(None, (name, clean(problem.cause), known))))
        fixes.append(fix or problem.fix or general)
        logs.append(log)
    # The general one comes last.
    fix = "\n".join(dict.fromkeys(sorted(fixes, key=lambda fix: fix == general)))
    return Failure("workers that cannot start", "\n".join(told), fix, "\n".join(filter(None, logs)))


@dataclass(frozen=True)
class Renewal:
    """Workers that were told to start at `began` (seconds since the epoch), after `old` processes by their unit.

    `restarts` is how often each worker of the manifest had been restarted.
    """

    began: float
    started: Sequence[str]
    old: Mapping[str, str]
    restarts: Mapping[str, str]


def begin(change: Change, stale: Collection[str]) -> Renewal | None:
    """Have old workers finish their work and new ones start, without waiting for them; `finish` does.

    None where that must wait: a new worker may take over the work of one that left the manifest.
    """
    return None if _departed(change) else _start(change.manifest.named("worker"), stale)


def finish(change: Change, stale: Collection[str], renewal: Renewal | None, grace: float) -> list[str]:
    """Wait until the manifest's workers run. Raises Failure for one that ends within `grace` seconds.

    Returns a warning for each old one that was killed, because its work took longer than it may take to stop.
    """
    began, departed = time.time(), _departed(change)
    if renewal is None:
        _stop_departed(change)
        renewal = _start(change.manifest.named("worker"), stale)
    old = renewal.old

    def is_replaced(name: str, state: UnitState) -> bool:
        return state.main_pid not in (old[name], "0") or state.active == "failed"

    _wait_for_end(change.step, list(old), is_replaced)
    # At once, for the journal of the new one may be long.
    killed = [name for name in (*old, *departed) if KILLED.search(units.journal_of(name, min(began, renewal.began)))]
    _await_grace(change, renewal, grace)
    return [_killed(name) for name in killed]


def _killed(name: str) -> str:
    return (
        f"{name}: its work took longer than it may take to stop, and was killed: raise project.stopTimeout.workers, or"
        f" stopTimeout of this worker, and look whether a job is lost (on the server: journalctl -u {name})"
    )


def _departed(change: Change) -> list[str]:
    return sorted(set(change.now.units) - {unit.name for unit in change.manifest.units})


def _stop_departed(change: Change) -> None:
    """End processes that left the manifest, before new ones start."""
    step, departed = change.step, _departed(change)
    if running := [name for name, state in units.show_all(departed).items() if not state.has_ended]:
        systemctl("stop", "--no-block", *running)
    _wait_for_end(step, running, lambda name, state: state.has_ended)
    for name in departed:
        if paths.unit(name).exists():
            systemctl("disable", "--now", name)
        step.converge(files.remove_path(paths.unit(name)), f"{name} stopped and removed")
    systemctl("daemon-reload")
    if departed:
        # systemd lists those that ended badly for ever.
        systemctl("reset-failed", *departed, check=False)


def _start(names: list[str], stale: Collection[str]) -> Renewal:
    """Start what does not run, and replace what must be new: the old process drains first, up to its stop timeout."""
    began, before = time.time(), units.show_all(names)
    active = {name: state.main_pid for name, state in before.items() if state.active == "active"}
    old = {name: pid for name, pid in active.items() if name in stale}
    # Without --no-block: a unit whose start is only queued looks like one that has ended.
    if missing := [name for name in names if name not in active]:
        systemctl("start", *missing, check=False)
    if old:
        # They start after the web process: in that order systemd would let it end only after them, jobs and all.
        systemctl("restart", "--no-block", "--job-mode=ignore-dependencies", *old)
    # systemd counts from 0 again after a restart that somebody has asked for.
    restarts = {name: "0" if name in old else state.restarts for name, state in before.items()}
    return Renewal(began, [*missing, *old], old, restarts)


def _wait_for_end(step: Step[object], names: list[str], has_ended: Callable[[str, UnitState], bool]) -> None:
    """Wait for processes to finish their work. It ends: systemd kills them after TimeoutStopSec."""
    told = began = time.monotonic()
    while draining := [name for name, state in units.show_all(names).items() if not has_ended(name, state)]:
        if time.monotonic() - told > jobs.QUIET_SECONDS:
            told = time.monotonic()
            step.say(f"{', '.join(draining)}: finishing its work for {told - began:.0f} s")
        time.sleep(PAUSE)


def _await_grace(change: Change, renewal: Renewal, grace: float) -> None:
    """Wait until all that were started count as started. Raises Failure for a worker that ends, or finds no broker."""
    release, single = change.release, _single(change.manifest)
    began, started = renewal.began, renewal.started
    deadline = time.monotonic() + grace
    waiting, ready = set(started), dict[str, float]()
    while waiting:
        time.sleep(2 * PAUSE)
        for name, state in units.show_all(renewal.restarts).items():
            if not _lives(state) or state.restarts != renewal.restarts[name]:
                raise _died(release, name, state, began, grace)
        now = time.monotonic()
        for name in waiting & single - ready.keys():
            if READY.search(units.journal_of(name, began, sync=False)):
                ready[name] = now
        waiting -= {name for name in waiting if now >= min(deadline, ready.get(name, deadline) + AFTER_READY)}
    for name in started:
        if problem := _takes_no_work(log := log_of(release, name, began)):
            raise Failure(name, *problem, log, where=f"on the server: journalctl -u {name}")


def _single(manifest: Manifest) -> set[str]:
    """The workers whose line is one command."""
    return {unit.name for unit in manifest.units if unit.kind == "worker" and not SEVERAL.search(unit.command.strip())}


def _takes_no_work(log: str) -> tuple[str, str] | None:
    """Why a worker that runs will take no work, with the fix."""
    reason = "its journal has the reason"
    if _is_last(UNRECOVERABLE, log):
        cause, fix = causes.explain_any(log, reason)
        return (
            f"it ends, because it cannot go on: {cause}",
            fix or "fix what it names, in the settings or in the broker",
        )
    if _is_last(RETRYING, log):
        cause, fix = causes.explain(log) or (reason, "check the broker's URL in the settings")
        return f"it runs, but tries again and again to reach its broker: {cause}", fix
    return None


def _is_last(problem: re.Pattern[str], log: str) -> bool:
    """Whether a worker tells of a problem, and has not reached its broker since."""
    ends = [found.end() for found in problem.finditer(log)]
    return bool(ends) and "Connected to " not in log[ends[-1] :]


def _lives(state: UnitState) -> bool:
    """Whether the unit runs or starts, other than by waiting for a restart after it ended."""
    return state.active in ("active", "activating") and state.sub != "auto-restart"


def _died(release: Release, name: str, state: UnitState, began: float, grace: float) -> Failure:
    log = log_of(release, name, began)
    result, status = _ending(state, log)
    ended = f"it ended within {grace:.0f} s of its start ({result}, status {status})"
    cause, fix = causes.explain_any(f"{log}\n{result}", "")
    cause, fix = f"{ended}: {cause}" if cause else ended, fix or "fix its command in project.workers"
    return Failure(name, cause, fix, log, where=f"on the server: journalctl -u {name}")


def _ending(state: UnitState, log: str) -> tuple[str, str]:
    """The result and the status with which it ended last, in systemd's words."""
    endings, statuses = ENDING.findall(log), STATUS.findall(log)
    if not endings:
        return state.result, state.exit_status
    result = "".join(endings[-1])
    return result, statuses[-1] if statuses and result != "success" else "0"
