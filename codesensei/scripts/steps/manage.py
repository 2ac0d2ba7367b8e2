"""`manage`: manage.py of the current release, as the app user, with its environment."""

from __future__ import annotations

import os
import re
import sys

from codesensei.scripts.base import files
from codesensei.scripts.release import jobs
from codesensei.scripts.release.release import Release
from codesensei.scripts.serving.live import Live
from codesensei.wire import envfile, processes
from codesensei.wire.paths import OWN_FOLDER, ProjectPaths

# The terminal, and what createsuperuser --noinput takes.
PASSED = re.compile(r"TERM|COLUMNS|LINES|DJANGO_SUPERUSER_\w+")

RUNUSER, SETSID = "/usr/sbin/runuser", "/usr/bin/setsid"


def run(slug: str, words: list[str]) -> int:
    """Become `manage.py words...`; 1 when nothing is live yet."""
    project = ProjectPaths(slug)
    now = Live.read(project)
    if now.release is None or now.manifest is None:
        print(f"error: {slug} has no current release on this server", file=sys.stderr)
        return 1
    user, venv, home = now.manifest.user, project.current / OWN_FOLDER / "venv", project.home("manage")
    environment = {
        **envfile.parse(project.env_file(now.release).read_bytes().decode()),
        **{name: value for name, value in os.environ.items() if PASSED.fullmatch(name)},
        **processes.environment(venv=str(venv), settings_module=now.manifest.settings_module, home=str(home)),
        "LANG": "C.UTF-8",
    }
    os.chdir(project.current / now.manifest.directory)
    # As the live processes: the proxy reads what is made in shared/media.
    os.umask(0o022)
    release = Release(project, now.release, user, now.manifest.directory, now.manifest.settings_module)
    jobs.make_app_home(release, "manage")
    program = [str(venv / "bin/python"), "manage.py", *words]
    # Whoever has root's terminal as his own could type into it (TIOCSTI): the project's code gets another, or none.
    if os.isatty(0) and os.isatty(1):
        os.execve(RUNUSER, ["runuser", "-u", user, "--pty", "--", *program], environment)
    os.initgroups(user, files.group_id(user))
    os.setgid(files.group_id(user))
    os.setuid(files.user_id(user))
    os.execve(SETSID, ["setsid", "--wait", *program], environment)
