"""Log rotation of one project, run as the app user, who owns the directory."""

from __future__ import annotations

from codesensei.render.templates import render
from codesensei.webservers import WebServer
from codesensei.wire import names
from codesensei.wire.paths import ProjectPaths


def logrotate(paths: ProjectPaths, *, user: str, server: WebServer) -> str:
    """Log files that a web server cannot reopen are copied and truncated."""
    logs, web_unit, signal = str(paths.logs), names.web_unit(paths.slug), server.reopen_signal
    return render("logrotate.j2", slug=paths.slug, user=user, logs=logs, web_unit=web_unit, reopen_signal=signal)
