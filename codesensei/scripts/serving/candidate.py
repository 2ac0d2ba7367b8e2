"""Prove a release before it gets traffic: it runs beside the live one and must answer on a socket of its own."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from codesensei.scripts.base import files, host, units, visits
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Step
from codesensei.scripts.base.visits import Answer, Door, Visit
from codesensei.scripts.release import jobs
from codesensei.scripts.release.release import Release
from codesensei.scripts.release.settings import ASKING
from codesensei.scripts.serving import hand_over, said
from codesensei.scripts.serving.health import Question, log_of
from codesensei.wire import paths
from codesensei.wire.manifest import Manifest
from codesensei.wire.names import RELEASE_PLACEHOLDER, WORKERS_PLACEHOLDER, candidate_unit
from codesensei.wire.paths import ProjectPaths

# The share of the available memory that the candidate may use.
SPARE = 0.8


@contextlib.contextmanager
def running(step: Step[Manifest], release: Release) -> Iterator[float]:
    """Run the candidate during the block; yields when it was started, seconds since the epoch."""
    try:
        hand_over.make_place(step.project, release.user)
        _write_files(release, step.data)
        started = time.time()
        systemctl("start", candidate_unit(step.slug), check=False)
        yield started
    finally:
        _end(step.project)


def prove(step: Step[Manifest], release: Release, started: float) -> float:
    """Wait for the candidate's answers; returns the seconds for which it was waited.

    Raises Failure with status, body, journal and error log where the health check does not accept its answer, and for
    settings other than those that were checked. Its log is read from `started` on.
    """
    began = time.time()
    for name in step.data.health.hosts:
        # Each has its own time: of forty slow pages the last would be given none.
        _prove(step, release, Question(step.data.health, name), started, time.time() + step.data.health.timeout)
    said.hold(step, release)
    return time.time() - began


def end_orphan(step: Step[object]) -> None:
    """End a candidate that a killed run left; it is nobody else's, because this run holds the lock."""
    if any(map(os.path.lexists, _traces(step.project))):
        step.say(f"ending {candidate_unit(step.slug)}, left by an interrupted run")
        _end(step.project)


def retire(project: ProjectPaths) -> None:
    """Let the candidate finish its requests and end, without waiting for it."""
    systemctl("stop", "--no-block", candidate_unit(project.slug), check=False)


def _end(project: ProjectPaths) -> None:
    name = candidate_unit(project.slug)
    stopped = systemctl("stop", name, check=False).ok
    systemctl("reset-failed", name, check=False)
    hand_over.end(project)
    unit, *others = _traces(project)
    for path in others:
        files.remove_path(path)
    # The next run recognizes a candidate that still runs by its unit. systemd forgets one that has ended.
    if stopped:
        files.remove_path(unit)


def _traces(project: ProjectPaths) -> list[Path]:
    """What is there while it runs: its unit, the unit's drop-ins, and the rest."""
    unit = paths.SERVER.runtime_units / candidate_unit(project.slug)
    credentials = jobs.credentials_of(project)
    return [unit, unit.with_suffix(".service.d"), project.candidate_programs, credentials, project.candidate_place]


def _write_files(release: Release, manifest: Manifest) -> None:
    unit, drop_in, programs, *_ = _traces(release.project)
    files.make_directory(programs.parent, 0o755)
    files.make_directory(programs, 0o750, "root", release.user)
    for file in manifest.candidate.files:
        files.write_file(Path(file.path), file.content, 0o640, "root", release.user)
    for script in ASKING:
        files.write_file(programs / script.name, script.read_text(), 0o640, "root", release.user)
    files.write_file(unit, unit_text(release, manifest), 0o644)
    files.remove_path(drop_in)
    if credentials := jobs.write_credentials(release):
        files.make_directory(drop_in, 0o755)
        files.write_file(drop_in / "server.conf", f"[Service]\nEnvironmentFile={credentials}\n", 0o644)
    units.read_again([candidate_unit(release.project.slug)])


def unit_text(release: Release, manifest: Manifest) -> str:
    """The candidate's unit, with fewer processes where memory is short beside the live ones."""
    text, wanted = manifest.candidate.unit.replace(RELEASE_PLACEHOLDER, release.name), manifest.candidate.workers
    if wanted is None:
        return text
    used = systemctl("show", "--value", "--property=MemoryCurrent", manifest.web, check=False).stdout.strip()
    if not used.isdigit():
        return text.replace(WORKERS_PLACEHOLDER, str(wanted))
    # Their master, and the program that proves the workers at the same time.
    beside = 2 if manifest.named("worker") else 1
    fitting = fitting_workers(wanted, beside, int(used), host.available_memory())
    return text.replace(WORKERS_PLACEHOLDER, str(fitting))


def fitting_workers(wanted: int, beside: int, used: int, available: int) -> int:
    """How many of `wanted` processes fit into `available` bytes together with `beside` others of their size.

    So many live ones, with their master, use `used`.
    """
    each = max(1, used // (wanted + 1))
    return max(1, min(wanted, int(available * SPARE) // each - beside))


def _prove(step: Step[Manifest], release: Release, question: Question, started: float, deadline: float) -> None:
    visit = _visit(step.project, question, deadline)
    if not question.accepts(visit):
        name = candidate_unit(step.slug)
        # Its error log goes to the journal, too.
        log, where = log_of(release, name, started), f"on the server: journalctl -u {name}"
        raise question.failure(step, release, visit, log, where=where)


def _visit(project: ProjectPaths, question: Question, deadline: float) -> Visit:
    """What the candidate answers first, and where that leads."""
    slow = visit = Visit((Answer(error=f"it did not answer within {question.health.timeout} s", url=question.url),))
    door = Door(socket=str(project.candidate_socket))
    while time.time() < deadline:
        if project.candidate_socket.exists():
            visit = question.ask(door, max(1.0, deadline - time.time()))
            if visit.end.error == visits.SLOW:
                visit = replace(slow, answers=(*visit.answers[:-1], replace(slow.end, url=visit.end.url)))
            if visit.end.status:
                return visit
        if units.show(candidate_unit(project.slug)).has_ended:
            return Visit((Answer(error="its process ended before it answered"),))
        time.sleep(0.1)
    return visit
