"""What the project's settings say on this server, with its own variables."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.release import jobs
from codesensei.scripts.release.install import require
from codesensei.scripts.release.jobs import Job
from codesensei.scripts.release.release import Release

FACTS = "codesensei-facts:"
SCRIPT = Path(__file__).with_name("ask_django.py")


def ask(step: Step[object], release: Release) -> dict[str, Any]:
    """The facts that `ask_django.py` prints, run as the app user in the release's own Python."""
    argv = [f"{release.venv}/bin/python", "-B", str(SCRIPT)]
    job = Job("ask Django for its settings", argv, answer=FACTS)
    done = require(jobs.run_job(step, release, job), release, "Django's settings")
    with contextlib.suppress(ValueError):
        facts = json.loads(done.answer)
        assert isinstance(facts, dict)
        return facts
    raise Failure("Django's settings", "the project's settings printed no facts", log=done.tail)
