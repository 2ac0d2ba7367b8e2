"""`recover`: end what a killed deploy has left running, and put damaged notes back; a step that lives is left alone."""

from __future__ import annotations

import sys

from codesensei.scripts.backups import copies
from codesensei.scripts.base import damage, locks
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.release import jobs
from codesensei.wire.steps import Nothing

AGAIN = "recover again"


def run(slug: str, words: list[str]) -> int:
    """Say what was done; 1 with the reason where a step of the project still runs."""
    step: Step[object] = Step(slug, "recover", (), Nothing())
    name = f"project-{slug}"
    try:
        with locks.held(locks.file_of(name), lambda: _taken(name)):
            locks.note(name, step)
            for done in damage.repair(step.project):
                step.say(done)
            jobs.end_orphans(step)
            copies.sweep(step)
    except (Failure, OSError) as error:
        print(Failure.of(error, "recover", AGAIN).text(), file=sys.stderr)
        return 1
    return 0


def _taken(name: str) -> Failure:
    return Failure("recover", f"{locks.holder(name)} still runs", "wait until it has ended, then recover again")
