"""Entry point on the server: `run <step> <format> [arguments] [repair=<n>]`, data as JSON on standard input."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import io
import os
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TextIO

from codesensei.scripts.base import damage, files, lines, locks, proofs
from codesensei.scripts.base.files import link_target, make_directory
from codesensei.scripts.base.lines import StepRun
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.release import record
from codesensei.wire import codec, digests, names, paths, said
from codesensei.wire.codec import WireError
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.steps import RENEWED, REPAIR, RESULT, STEPS, StepKind

COMMANDS = ("look", "ask", "manage", "backup", "releases", "status", "recover")
# Set for the programs that a step runs: `renewed`, called by one of them, leaves the work to that step.
CALLED_BY_STEP = "CODESENSEI_STEP"
LOCK_WAIT = 3600.0


def main() -> int:
    """Run one step. Returns 0 on success, 1 with the reason on standard error, 2 for an unknown step."""
    slug, name, *words = sys.argv[1:]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if name in COMMANDS:
        return int(importlib.import_module(f"codesensei.scripts.steps.{name}").run(slug, words))
    kind = STEPS.get(name)
    if kind is None:
        print(f"error: there is no step named {name}", file=sys.stderr)
        return 2
    if kind is RENEWED and CALLED_BY_STEP in os.environ:
        return 0
    try:
        step = _read_step(kind, slug, words)
        with _lock(kind, step):
            for done in damage.repair(step.project):
                step.say(done)
            _run(kind, step)
    except (Failure, OSError) as error:
        # Locks, notes and logs are files, too.
        failure = Failure.of(error, name)
        # The release that keeps serving although a step on the way to the next one failed.
        served = link_target(ProjectPaths(slug).current) if kind.of_release else None
        failure.served = f"release {Path(served).name}" if served else ""
        # The SSH provider shows standard output as it arrives, and again in its error: the reason must not be in it.
        with contextlib.suppress(OSError):
            print(failure.text(), file=sys.stderr, flush=True)
        return 1
    with contextlib.suppress(OSError):
        if step.result:
            print(f"{RESULT}{said.to_line(step.result)}", file=sys.stderr, flush=True)
        elif not step.changes:
            print("unchanged", flush=True)
    return 0


def _read_step(kind: StepKind[object], slug: str, words: list[str]) -> Step[object]:
    # The number makes the engine run the step again; to the step it means nothing.
    plain = [word for word in words if not word.startswith(REPAIR)]
    stdin = "" if kind is RENEWED else sys.stdin.read()
    try:
        data = codec.from_text(kind.data, stdin, f"step {kind.name}")
    except WireError as error:
        fix = "the program and the toolkit on the server are of different versions: run pulumi up again"
        raise Failure(error.what, f"its data is invalid: {error.key}: {error.cause}", fix) from None
    return Step(slug, kind.name, tuple(plain[1:]), data, digests.of_step([kind.name, *plain], stdin))


def _run(kind: StepKind[object], step: Step[object]) -> None:
    module = importlib.import_module(f"codesensei.scripts.steps.{step.name}")
    started = time.monotonic()
    recorded = kind is not RENEWED
    if recorded:
        proofs.begin(step)
    try:
        module.run(step)
    except Exception as error:
        proofs.abandon(step)
        if kind.of_release and names.RELEASE.fullmatch(step.args[0]):
            record.failed(step.project, step.args[0], step.name)
        _log(step, "failed", started)
        if isinstance(error, (Failure, OSError)):
            raise
        raise _bug(step, error) from error
    if recorded:
        proofs.finish(step)
    _log(step, "changed" if step.changes else "unchanged", started)


def _bug(step: Step[object], error: Exception) -> Failure:
    """An exception that nobody expected; its traceback stays on the server, for whoever fixes it."""
    log = (step.project.memory if step.project.memory.is_dir() else paths.SERVER.locks) / f"mistake-{step.slug}.log"
    name = error.__class__.__name__
    with open(log, "a", opener=files.private) as file:
        # Without the exception's message, which may contain a secret.
        file.write("".join(traceback.format_tb(error.__traceback__)) + f"{name}\n")
    return Failure(f"step {step.name}", f"a bug in codesensei ({name})", "please report it", where=str(log))


def _log(step: Step[object], result: Literal["changed", "unchanged", "failed"], started: float) -> None:
    if step.project.memory.is_dir():
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        seconds = round(time.monotonic() - started, 2)
        run = StepRun(time=now, step=step.name, args=step.args, result=result, seconds=seconds)
        lines.append(step.project.steps, run)


@contextlib.contextmanager
def _lock(kind: StepKind[object], step: Step[object]) -> Iterator[None]:
    """Hold the lock of the project or of the server; the kernel releases it when this process ends, however it ends."""
    make_directory(paths.SERVER.locks, 0o700)
    name = "server" if kind.lock == "server" else f"project-{step.slug}"
    with open(locks.file_of(name), "a+", opener=files.private) as handle:
        _wait(step, handle, name)
        locks.note(name, step)
        yield


def _wait(step: Step[object], handle: TextIO, name: str) -> None:
    deadline = time.monotonic() + LOCK_WAIT
    told = ""
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        who = locks.holder(name)
        if who != told:
            step.say(f"{step.name} waits for {who}")
            told = who
        if time.monotonic() > deadline:
            cause = f"{who} still holds it after {LOCK_WAIT / 60:.0f} minutes"
            raise Failure(f"lock of {step.slug}", cause, "wait for it; codesensei recover tells what it is")
        time.sleep(0.3)


if __name__ == "__main__":
    sys.exit(main())
