"""Entry point on the server: `run <step> <format> [arguments] [mend=<n>]`, data as JSON on standard input."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import importlib
import io
import json
import os
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from codesensei.scripts.base import proofs
from codesensei.scripts.base.files import link_target, make_directory
from codesensei.scripts.base.paths import LOCKS
from codesensei.scripts.base.step import Failure, Step, digest_of, read_json

# The lock each step takes: the stack's own, or the server's where several stacks share what it changes.
PROJECT_STEPS = ("database", "environment", "build", "prepare", "tls", "acme", "switch", "destroy")
SERVER_STEPS = ("claim", "preflight", "packages", "account", "proxy", "broker")
RELEASE_STEPS = ("environment", "build", "prepare", "switch")
READ_ONLY = ("look", "manage")
# What other programs call between deploys; called inside a step, they leave the work to it.
HOOKS = ("renewed",)
CALLED_BY_STEP = "CODESENSEI_STEP"
LOCK_WAIT = 3600.0


def main() -> int:
    """Run one step; 0 when it is as asked, 1 with the reason on standard error otherwise."""
    slug, name, *words = sys.argv[1:]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if name in READ_ONLY:
        return int(importlib.import_module(f"codesensei.scripts.steps.{name}").run(slug, words))
    if name in HOOKS and CALLED_BY_STEP in os.environ:
        return 0
    if name not in PROJECT_STEPS + SERVER_STEPS + HOOKS:
        print(f"error: there is no step named {name}", file=sys.stderr)
        return 2
    step = _read_step(slug, name, words) if name not in HOOKS else Step(slug, name, (), {})
    try:
        with _lock(step):
            _run(step)
    except Failure as failure:
        return _fail(step, failure)
    except OSError as error:
        # Also locks, notes and logs are files.
        return _fail(step, _refused(step, error))
    if step.result or not step.changes:
        with contextlib.suppress(OSError):
            print(step.result or "unchanged", flush=True)
    return 0


def _read_step(slug: str, name: str, words: list[str]) -> Step:
    # The number makes the engine run the step again; to the step it means nothing.
    plain = [word for word in words if not word.startswith("mend=")]
    stdin = sys.stdin.read()
    return Step(
        slug=slug,
        name=name,
        args=tuple(plain[1:]),
        data=read_data(stdin),
        digest=digest_of([name, *plain], stdin),
    )


def read_data(stdin: str) -> dict[str, Any]:
    """The data of a step: JSON after a line that is none, in which a longer text is a list of its lines."""
    text = stdin.partition("\n")[2] if stdin.startswith("---") else stdin
    data: dict[str, Any] = json.loads(text, object_hook=_joined) if text.strip() else {}
    return data


def _joined(value: dict[str, Any]) -> Any:
    return "\n".join(value["lines"]) if set(value) == {"lines"} else value


def _run(step: Step) -> None:
    module = importlib.import_module(f"codesensei.scripts.steps.{step.name}")
    started = time.monotonic()
    recorded = step.name not in HOOKS
    if recorded:
        proofs.begin(step)
    try:
        module.run(step)
    except Failure:
        proofs.abandon(step)
        _log(step, "failed", started)
        raise
    except OSError as error:
        proofs.abandon(step)
        _log(step, "failed", started)
        raise _refused(step, error) from error
    except Exception as error:
        proofs.abandon(step)
        _log(step, "failed", started)
        raise _mistake(step, error) from error
    if recorded:
        proofs.finish(step)
    _log(step, "changed" if step.changes else "unchanged", started)


def _fail(step: Step, failure: Failure) -> int:
    failure.served = _served(step)
    # The SSH provider repeats all output in its error: this alone must not be among what it has shown before.
    with contextlib.suppress(OSError):
        print(failure.text(), file=sys.stderr, flush=True)
    return 1


def _refused(step: Step, error: OSError) -> Failure:
    """What the file system refuses."""
    return Failure(str(error.filename or step.name), error.strerror or str(error), _cure(error))


def _cure(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space on the server (df -h, df -i), then run pulumi up again"
    if error.errno == errno.EROFS:
        return "the file system is read-only: look at the server's kernel log (dmesg)"
    return "look at that path on the server, then run pulumi up again"


def _mistake(step: Step, error: Exception) -> Failure:
    """What nobody foresaw; where it happened is for those who mend it, so it stays on the server."""
    log = (step.project.memory if step.project.memory.is_dir() else LOCKS) / f"mistake-{step.slug}.log"
    name = error.__class__.__name__
    with open(log, "a", opener=_private) as file:
        # Without the exception's own words, which may hold a value.
        file.write("".join(traceback.format_tb(error.__traceback__)) + f"{name}\n")
    return Failure(f"step {step.name}", f"a mistake in codesensei itself ({name})", "report it", where=str(log))


def _served(step: Step) -> str:
    """The release that serves on although a step on the way to the next one has failed."""
    target = link_target(step.project.current) if step.name in RELEASE_STEPS else None
    return f"release {Path(target).name}" if target else ""


def _log(step: Step, result: str, started: float) -> None:
    if not step.project.memory.is_dir():
        return
    line = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "step": step.name,
        "args": list(step.args),
        "result": result,
        "seconds": round(time.monotonic() - started, 2),
    }
    with open(step.project.memory / "steps.jsonl", "a", opener=_private) as log:
        log.write(json.dumps(line, sort_keys=True) + "\n")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@contextlib.contextmanager
def _lock(step: Step) -> Iterator[None]:
    """Hold the lock of the project or of the server; it is gone with this process, however that ends."""
    make_directory(LOCKS, 0o700)
    name = "server" if step.name in SERVER_STEPS else f"project-{step.slug}"
    with open(LOCKS / f"{name}.lock", "a+", opener=_private) as handle:
        _wait(step, handle, str(LOCKS / f"{name}.holder"))
        with open(LOCKS / f"{name}.holder", "w", opener=_private) as holder:
            json.dump(
                {
                    "step": step.name,
                    "slug": step.slug,
                    "pid": os.getpid(),
                    "since": time.strftime("%H:%M:%S"),
                },
                holder,
            )
        yield


def _wait(step: Step, handle: TextIO, holder: str) -> None:
    deadline = time.monotonic() + LOCK_WAIT
    told = ""
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            who = _holder(holder)
        if who != told:
            step.say(f"{step.name} waits for {who}")
            told = who
        if time.monotonic() > deadline:
            raise Failure(
                f"lock of {step.slug}",
                f"{who} still holds it after {LOCK_WAIT / 60:.0f} minutes",
                "wait for it, or end that process on the server",
            )
        time.sleep(0.3)


def _holder(path: str) -> str:
    with contextlib.suppress(OSError, ValueError):
        note = read_json(Path(path), {})
        return f"{note['step']} of {note['slug']} (process {note['pid']}, since {note['since']})"
    return "another step"


if __name__ == "__main__":
    sys.exit(main())
