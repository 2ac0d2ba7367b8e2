"""Prove a release before it gets traffic: it starts beside the live one and must answer on a socket of its own."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from codesensei.scripts.base import files, probe, units
from codesensei.scripts.base import host as host_facts
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.probe import Answer
from codesensei.scripts.base.step import Step
from codesensei.scripts.release import causes, jobs
from codesensei.scripts.release.jobs import Job
from codesensei.scripts.release.release import Release
from codesensei.scripts.serving import hand_over
from codesensei.scripts.serving.health import Question, log_of
from codesensei.wire import paths
from codesensei.wire.manifest import HealthCheck, Manifest
from codesensei.wire.names import RELEASE_PLACEHOLDER, WORKERS_PLACEHOLDER, candidate_unit
from codesensei.wire.paths import ProjectPaths

# After which an answer counts as never coming, where the request is made again to see what it waits for.
HANG_SECONDS = 10
# How much of the available memory the candidate may take.
SPARE = 0.8


@contextlib.contextmanager
def proved(step: Step[Manifest], release: Release) -> Iterator[float]:
    """The candidate, running and proved, during the block; gives the seconds until it had answered.

    Raises Failure with status, body, journal and error log when it does not answer as the health check accepts.
    """
    try:
        hand_over.make_place(step.project, release.user)
        _write_files(release, step.data)
        started = time.time()
        systemctl("start", candidate_unit(step.slug), check=False)
        for host in step.data.health.hosts:
            _prove(step, release, Question(step.data.health, host), started)
        yield time.time() - started
    finally:
        _end(step.project)


def end_orphan(step: Step[object]) -> None:
    """End a candidate that a killed run has left running; the lock says that nobody else started it."""
    if any(map(os.path.lexists, [_unit(step.project), *_traces(step.project)])):
        step.say(f"ending {candidate_unit(step.slug)}, left by an interrupted run")
        _end(step.project)


def retire(project: ProjectPaths) -> None:
    """Let the candidate finish what it has begun, and wait for nothing."""
    systemctl("stop", "--no-block", candidate_unit(project.slug), check=False)


def _end(project: ProjectPaths) -> None:
    name = candidate_unit(project.slug)
    stopped = systemctl("stop", name, check=False).ok
    systemctl("reset-failed", name, check=False)
    for path in _traces(project):
        files.remove_path(path)
    # By its unit the next run finds one that still runs.
    if stopped:
        files.remove_path(_unit(project))
    systemctl("daemon-reload")


def _unit(project: ProjectPaths) -> Path:
    return paths.SERVER.runtime_units / candidate_unit(project.slug)


def _drop_in(project: ProjectPaths) -> Path:
    return paths.SERVER.runtime_units / f"{candidate_unit(project.slug)}.d"


def _traces(project: ProjectPaths) -> list[Path]:
    """What is there beside its unit while it runs."""
    credentials = jobs.credentials_of(project)
    return [_drop_in(project), project.candidate_programs, credentials, project.candidate_place]


def _write_files(release: Release, manifest: Manifest) -> None:
    project, programs = release.project, release.project.candidate_programs
    files.make_directory(programs.parent, 0o755)
    files.make_directory(programs, 0o750, "root", release.user)
    for file in manifest.candidate.files:
        files.write_file(Path(file.path), file.content, 0o640, "root", release.user)
    files.write_file(_unit(project), unit_text(release, manifest), 0o644)
    files.remove_path(_drop_in(project))
    if credentials := jobs.write_credentials(release):
        files.make_directory(_drop_in(project), 0o755)
        text = f"[Service]\nEnvironmentFile={credentials}\n"
        files.write_file(_drop_in(project) / "server.conf", text, 0o644)
    systemctl("daemon-reload")


def unit_text(release: Release, manifest: Manifest) -> str:
    """The candidate's unit, with fewer processes where memory is short beside those that are live."""
    text, wanted = manifest.candidate.unit.replace(RELEASE_PLACEHOLDER, release.name), manifest.candidate.workers
    if wanted is None:
        return text
    used = systemctl("show", "--value", "--property=MemoryCurrent", manifest.web, check=False).stdout.strip()
    fitting = fitting_workers(wanted, int(used), host_facts.available_memory()) if used.isdigit() else wanted
    return text.replace(WORKERS_PLACEHOLDER, str(fitting))


def fitting_workers(wanted: int, used: int, available: int) -> int:
    """How many of `wanted` processes fit beside as many live ones that use `used` bytes together with their master."""
    each = max(1, used // (wanted + 1))
    return max(1, min(wanted, int(available * SPARE) // each - 1))


def _prove(step: Step[Manifest], release: Release, question: Question, started: float) -> None:
    health, name = question.health, candidate_unit(step.slug)
    slow = Answer(error=f"it did not answer within {health.timeout} s")
    answer = _answer(step.project, question, started + health.timeout, slow)
    if question.accepts(answer):
        return
    # Its error log goes to the journal as well.
    log = log_of(release, name, started)
    refused = answer.status >= 400 and not probe.accepted(answer, health.accept)
    if (refused or answer == slow) and not causes.explain(log):
        log = _ask_why(step, release, health, question.host) or log
    raise question.failure(release, answer, log, where=f"on the server: journalctl -u {name}")


def _answer(project: ProjectPaths, question: Question, deadline: float, slow: Answer) -> Answer:
    """The candidate's first answer; `slow` where it gives none in time."""
    answer = slow
    while time.time() < deadline:
        if project.candidate_socket.exists():
            answer = question.ask(max(1.0, deadline - time.time()), project.candidate_socket)
            if answer.error == probe.SLOW:
                answer = slow
            if answer.status:
                return answer
        if units.show(candidate_unit(project.slug)).has_ended:
            return Answer(error="its process ended before it answered")
        time.sleep(0.1)
    return answer


def _ask_why(step: Step[Manifest], release: Release, health: HealthCheck, host: str) -> str:
    """What Django itself says of such a request, where its log says nothing."""
    script = Path(__file__).with_name("ask_why.py")
    seconds = min(health.timeout, HANG_SECONDS)
    asked = json.dumps({"host": host, "path": health.path, "scheme": health.scheme, "seconds": seconds})
    argv = [f"{release.venv}/bin/python", "-B", str(script), asked]
    return jobs.run_job(step, release, Job("ask Django why", argv, seconds=health.timeout + HANG_SECONDS)).tail
