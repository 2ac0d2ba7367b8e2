"""Queue programs that finish their work on another signal than SIGTERM."""

from __future__ import annotations

import re

DEFAULT = "SIGTERM"
# Celery, RQ, Dramatiq, django-q2, Procrastinate, Taskiq and django-tasks finish on SIGTERM. Huey aborts its tasks on
# it, and the others end at once.
_COMMANDS = {
    "run_huey": "SIGINT",
    "djangohuey": "SIGINT",
    "runworker": "SIGINT",
    "process_tasks": "SIGTSTP",
}
_BEFORE, _AFTER = r"(?:^|(?<=[\s/;&|('\"]))", r"(?=$|[\s;&|)'\"])"
_MANAGED = re.compile(
    rf"{_BEFORE}(?:manage\.py|django-admin(?:\.py)?|-m\s+django)\s+({'|'.join(_COMMANDS)}){_AFTER}", re.MULTILINE
)
_HUEY = re.compile(rf"{_BEFORE}(?:huey_consumer(?:\.py)?|-m\s+huey\.bin\.huey_consumer){_AFTER}", re.MULTILINE)
# What makes Huey finish on SIGTERM, and abort on SIGINT.
_HUEY_TERM = re.compile(r"\s(?:-g\s*|--graceful-signal[\s=]+)TERM\b")


def stop_signal(command: str) -> str:
    """The signal on which the program of this line finishes what it does, and takes nothing new."""
    managed = _MANAGED.search(command)
    if managed is None and not _HUEY.search(command):
        return DEFAULT
    found = _COMMANDS[managed.group(1)] if managed else "SIGINT"
    return DEFAULT if found == "SIGINT" and _HUEY_TERM.search(command) else found
