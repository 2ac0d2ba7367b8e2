"""What visitors are served, asked for after a switch."""

from __future__ import annotations

import os
import time
from pathlib import Path

from codesensei.scripts.base import probe, units
from codesensei.scripts.base.step import Failure
from codesensei.scripts.serving import candidate
from codesensei.scripts.serving.change import Change


def read_back(change: Change, socket: Path | None = None) -> None:
    """Ask through the proxy, or over a socket, and make sure that it is this release's process which serves."""
    release, manifest = change.release, change.manifest
    [web] = change.named("web")
    health = manifest["health"]
    began = time.time()
    answer = probe.Answer(error="it was not asked")
    asked = {"host": health["hosts"][0], "scheme": health["scheme"], "url_path": health["path"]}

    def answers() -> bool:
        nonlocal answer
        if units.show(web)["ActiveState"] == "failed":
            return True
        if socket:
            answer = probe.ask_socket(str(socket), **asked, timeout=health["timeout"])
        else:
            answer = probe.ask_proxy(**asked, timeout=health["timeout"])
        return answer.status != 0 and not probe.is_nginx_own(answer)

    units.wait_until(answers, health["timeout"])
    if probe.is_nginx_own(answer):
        answer = probe.Answer(
            answer.status, error=f"nginx itself answered with status {answer.status}, not the project"
        )
    where = f"on the server: journalctl -u {web}, and {release.project.shared}/logs/error.log"
    candidate.judge(release, manifest, health["hosts"][0], answer, web, began - 30, where=where)
    process = units.show(web)["MainPID"]
    directory = os.path.realpath(f"/proc/{process}/cwd") if process != "0" else "nothing"
    if not f"{directory}/".startswith(f"{release.path}/"):
        log = candidate.log_of(release, web, began - 30)
        raise Failure(web, f"it serves {directory}, not {release.path}", "run pulumi up again", log)
