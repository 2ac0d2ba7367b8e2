"""What visitors are served, asked for after a switch."""

from __future__ import annotations

import os
import time
from pathlib import Path

from codesensei.scripts.base import probe, units
from codesensei.scripts.base.probe import Answer
from codesensei.scripts.base.step import Failure
from codesensei.scripts.serving.change import Change
from codesensei.scripts.serving.health import Question, log_of
from codesensei.wire import paths


def read_back(change: Change, socket: Path | None = None) -> None:
    """Ask through the proxy, or over a socket, and make sure that it is this release's process which serves."""
    release, health, web = change.release, change.manifest.health, change.manifest.web
    question, since = Question(health, health.hosts[0]), time.time() - 30
    answer = Answer(error="it was not asked")

    def answers() -> bool:
        nonlocal answer
        if units.show(web).active == "failed":
            return True
        answer = question.ask(health.timeout, socket)
        return answer.status != 0 and not probe.is_nginx_own(answer)

    units.wait_until(answers, health.timeout)
    if probe.is_nginx_own(answer):
        answer = Answer(answer.status, error=f"nginx itself answered with status {answer.status}, not the project")
    if not question.accepts(answer):
        where = f"on the server: journalctl -u {web}, and {release.project.logs}/error.log"
        raise question.failure(release, answer, log_of(release, web, since), where=where)
    process = units.show(web).main_pid
    directory = os.path.realpath(paths.SERVER.processes / process / "cwd") if process != "0" else "nothing"
    if not f"{directory}/".startswith(f"{release.path}/"):
        log = log_of(release, web, since)
        raise Failure(web, f"it serves {directory}, not {release.path}", "run pulumi up again", log)
