"""Log rotation of one project, done as the app user, who owns the directory."""

from __future__ import annotations

from typing import Protocol

from codesensei.render.templates import render
from codesensei.render.units import Server


class LogNames(Protocol):
    """What log rotation needs of a project's names and paths."""

    @property
    def slug(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def shared(self) -> str: ...
    @property
    def web_unit(self) -> str: ...


def logrotate(names: LogNames, *, server: Server) -> str:
    """gunicorn opens its files anew on USR1; Daphne cannot, so its files are copied and emptied."""
    return render(
        "logrotate.j2",
        slug=names.slug,
        user=names.user,
        group=names.group,
        logs=f"{names.shared}/logs",
        web_unit=names.web_unit,
        server=server,
    )
