"""What the project's settings say on this server, with its own variables."""

from __future__ import annotations

import json
from pathlib import Path

from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.release import databases, jobs
from codesensei.scripts.release.builder import require
from codesensei.scripts.release.databases import Asked
from codesensei.scripts.release.jobs import Job
from codesensei.scripts.release.record import Facts
from codesensei.scripts.release.release import Release
from codesensei.wire import codec
from codesensei.wire.codec import WireError
from codesensei.wire.quick import dataclass

FACTS = "codesensei-facts:"
FIX = "take out of them what ends the program or closes its standard output (sys.exit, os._exit)"
SCRIPT = Path(__file__).with_name("ask_django.py")
# With its parts.
ASKING = (SCRIPT, *(SCRIPT.with_name(f"ask_{part}.py") for part in ("shared", "places", "visitors")))


@dataclass(frozen=True, kw_only=True)
class DjangoAnswer:
    """What `ask_django.py` prints; `databases` is None where they were not asked, or cannot be yet."""

    facts: Facts
    databases: Asked | None = None


def ask(step: Step[object], release: Release) -> Facts:
    """The facts that `ask_django.py` prints as the app user in the release's own Python."""
    return _ask(step, release).facts


def ask_all(step: Step[object], release: Release) -> tuple[Facts, Asked | None]:
    """The facts and, of the same start of the project, what it says of its databases; None where it cannot tell."""
    answer = _ask(step, release, str(release.path))
    found = answer.databases
    # An error in it may quote a secret; a masked path of the facts would be another path.
    return answer.facts, found and databases.read(Asked, json.dumps(codec.encode(found)), release, databases.ASKED)


def _ask(step: Step[object], release: Release, *words: str) -> DjangoAnswer:
    argv = [f"{release.venv}/bin/python", "-B", str(SCRIPT), *words]
    job = Job("ask Django for its settings", argv, answer=FACTS, looks_around=True)
    done = require(jobs.run_job(step, release, job), release, "Django's settings")
    try:
        return codec.decode(DjangoAnswer, json.loads(done.answer), FACTS)
    except (ValueError, WireError):
        raise Failure("Django's settings", "the project's settings printed no facts", FIX, done.tail) from None
