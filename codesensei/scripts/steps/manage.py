"""`manage`: manage.py of the current release, as the app user, with its environment."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from codesensei.scripts.base import files
from codesensei.scripts.serving.live import Live
from codesensei.wire import envfile
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.processes import SYSTEM_PATH

# The terminal, and what createsuperuser --noinput takes.
PASSED = re.compile(r"TERM|COLUMNS|LINES|DJANGO_SUPERUSER_\w+")


def run(slug: str, words: list[str]) -> int:
    """Become `manage.py words...`; 1 when nothing is live yet."""
    project = ProjectPaths(slug)
    now = Live.read(project)
    if now.release is None or not now.manifest:
        print(f"error: {slug} has no current release on this server", file=sys.stderr)
        return 1
    user = now.manifest["user"]
    venv = project.current / ".codesensei" / "venv"
    environment = {
        **envfile.parse(envfile.read(project.env_file(now.release))),
        **{name: value for name, value in os.environ.items() if PASSED.fullmatch(name)},
        "PATH": f"{venv}/bin:{SYSTEM_PATH}",
        "VIRTUAL_ENV": str(venv),
        "HOME": str(project.home("manage")),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": now.manifest["settingsModule"],
    }
    os.chdir(project.current / now.manifest["directory"])
    # As the live processes: the proxy reads what is made in shared/media.
    os.umask(0o022)
    os.initgroups(user, files.group_id(user))
    os.setgid(files.group_id(user))
    os.setuid(files.user_id(user))
    os.makedirs(environment["HOME"], exist_ok=True)
    os.execve(Path(f"{venv}/bin/python"), ["python", "manage.py", *words], environment)
