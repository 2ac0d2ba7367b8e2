"""The workers in a switch: proved as far as they take no work, replaced when the old ones have ended their own."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from codesensei.scripts.base import files, units
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.release import causes, jobs
from codesensei.scripts.release.jobs import Job
from codesensei.scripts.release.release import Release, redactor
from codesensei.scripts.serving.live import Live

# How long a worker must live before it counts as started, seconds: longer where the project is slow to load.
GRACE = 5.0
AFTER_LOADING = 3.0
PAUSE = 0.1
ANSWER = "codesensei-workers:"
PROOF = Path(__file__).with_name("ask_workers.py")
UNITS = Path("/etc/systemd/system")


def prove(step: Step[object], release: Release, manifest: dict[str, Any]) -> float:
    """Raise Failure for a worker whose program is not there or whose project cannot be imported.

    Returns the seconds that a new worker must live.
    """
    lines = {unit["name"]: unit["command"] for unit in manifest["units"] if unit["kind"] == "worker"}
    if not lines:
        return GRACE
    started = time.monotonic()
    argv = [f"{release.venv}/bin/python", "-B", str(PROOF), json.dumps(lines)]
    done = jobs.run_job(step, release, Job("prove the workers", argv, answer=ANSWER))
    if not done.answer:
        raise Failure("workers", "their proof did not end", log=done.tail, where=str(done.log))
    clean = redactor(release.project, release.name).clean
    problems = {
        name: {key: clean(text) for key, text in problem.items()} for name, problem in json.loads(done.answer).items()
    }
    if problems:
        raise _refused(problems)
    return max(GRACE, AFTER_LOADING + 2 * (time.monotonic() - started))


def _refused(problems: dict[str, dict[str, str]]) -> Failure:
    known = {name: causes.explain(problem["log"]) for name, problem in problems.items()}
    told = [
        f"{name}: {problem['cause']}" + (f": {explained[0]}" if (explained := known[name]) else "")
        for name, problem in problems.items()
    ]
    fixes = list(dict.fromkeys(explained[1] for explained in known.values() if explained))
    if None in known.values():
        fixes.append("mend the command in project.workers")
    log = "\n".join(filter(None, (problem["log"] for problem in problems.values())))
    return Failure("workers that cannot start", "\n".join(told), "\n".join(fixes), log)


def stop_departed(step: Step[object], now: Live, manifest: dict[str, Any]) -> None:
    """End the processes that are in the manifest no more, before new ones begin: one may have another's work."""
    names = {unit["name"] for unit in manifest["units"]}
    departed = sorted(set(now.units) - names)
    if not departed:
        return
    systemctl("stop", "--no-block", *departed, check=False)
    _wait_for_end(step, departed, lambda name: units.show(name)["ActiveState"] in ("inactive", "failed"))
    for name in departed:
        systemctl("disable", "--now", name, check=False)
        step.converge(files.remove_path(UNITS / name), f"{name} stopped and removed")
    systemctl("daemon-reload")


def start(step: Step[object], names: list[str], stale: set[str]) -> None:
    """Start what does not run, and replace what must be new: the old process drains first, up to its stop timeout."""
    renewed = [name for name in names if name in stale and units.is_active(name)]
    old = {name: units.show(name)["MainPID"] for name in renewed}
    # Waits until the program runs and no longer: a unit whose start is only queued would look like one that has ended.
    missing = [name for name in names if name not in renewed]
    if missing:
        systemctl("start", *missing, check=False)
    if renewed:
        systemctl("restart", "--no-block", *renewed)
    _wait_for_end(
        step,
        renewed,
        lambda name: (state := units.show(name))["MainPID"] not in (old[name], "0") or state["ActiveState"] == "failed",
    )


def _wait_for_end(step: Step[object], names: list[str], has_ended: Any) -> None:
    """Wait for processes that finish their work; systemd itself ends that at TimeoutStopSec, so this ends."""
    told = began = time.monotonic()
    while draining := [name for name in names if not has_ended(name)]:
        if time.monotonic() - told > jobs.QUIET_SECONDS:
            told = time.monotonic()
            step.say(f"{', '.join(draining)}: finishing its work for {told - began:.0f} s")
        time.sleep(PAUSE)


def await_grace(release: Release, names: list[str], began: float, grace: float) -> None:
    """Every worker must live for `grace` seconds without a restart. `began` is seconds since the epoch."""
    first = {name: units.show(name) for name in names}
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline:
        for name in names:
            state = units.show(name)
            if not _lives(state) or state["NRestarts"] != first[name]["NRestarts"]:
                raise _died(release, name, state, began, grace)
        time.sleep(2 * PAUSE)


def _lives(state: dict[str, str]) -> bool:
    """Whether the unit runs or is just being started, and does not wait to be started again after it has ended."""
    return state["ActiveState"] in ("active", "activating") and state["SubState"] != "auto-restart"


def _died(release: Release, name: str, state: dict[str, str], began: float, grace: float) -> Failure:
    log = redactor(release.project, release.name).clean(units.journal_of(name, began))
    ended = f"it ended within {grace:.0f} s of its start ({state['Result']}, status {state['ExecMainStatus']})"
    cause, fix = causes.explain_any(f"{log}\n{state['Result']}", "")
    return Failure(
        name,
        f"{ended}: {cause}" if cause else ended,
        fix or "mend its command in project.workers",
        log,
        where=f"on the server: journalctl -u {name}",
    )
