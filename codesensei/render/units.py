"""systemd units of one project: the web socket and process, its candidate, its workers."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from codesensei.render import systemd
from codesensei.render.programs import GUNICORN_CONF, SERVE_ASGI, STOP_WORKER
from codesensei.render.templates import render

Server = Literal["gunicorn", "daphne"]

JOURNAL = "-"
DEFAULT_WORKERS = 3
# The release's name in a candidate's unit; the server puts the name there, so that the text is the same for all.
RELEASE = "@release@"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What is left between the last request's end and systemd's SIGKILL.
STOP_MARGIN = 5
# Starts the program of the packages that are there now, so that its later imports are of the same packages, and appends
# its standard error to the file named first: the app user opens it, never root.
START_LOGGED = 'exec "$(readlink -f "${1%/*}")/${1##*/}" "${@:2}" 2>>"$0"'
# Becomes the shell line in the file, with the packages that are there now. A simple command replaces the shell, so
# SIGTERM reaches it directly.
RUN_FILE = (
    'VIRTUAL_ENV=$(readlink -f "$VIRTUAL_ENV"); PATH=$VIRTUAL_ENV/bin:${PATH#*:}; exec /bin/bash -c "$(<"$0")" "$0"'
)
SCHEDULE = ' -s "$HOME/celerybeat-schedule"'
# One call of Celery's program, as far as its command goes.
_CELERY = re.compile(r"(?:^|(?<=[\s/]))celery\s[^|&;<>\n]*", re.MULTILINE)
_BEAT = re.compile(r"(?<!-A)(?<!--app)\sbeat(?=\s|$)|\sworker(?=\s(?:.*\s)?(?:-B|--beat)(?:\s|$))")
_SCHEDULE = re.compile(r"\s(?:-s|--schedule|--schedule-filename)(?:[\s=]|$)|\s-s[^\s-]")
# The variable of the env file that tells gunicorn's processes where the command line must not.
WORKERS_VARIABLE = "GUNICORN_WORKERS"


class ProjectNames(Protocol):
    """What the units need of a project's names and paths."""

    @property
    def slug(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def shared(self) -> str: ...
    @property
    def socket(self) -> str: ...
    @property
    def socket_unit(self) -> str: ...
    @property
    def web_unit(self) -> str: ...
    @property
    def candidate_socket(self) -> str: ...
    @property
    def candidate_home(self) -> str: ...
    def release(self, release: str) -> str: ...
    def program(self, name: str) -> str: ...
    def candidate_program(self, name: str) -> str: ...
    @property
    def django_directory(self) -> str: ...
    def worker_unit(self, key: str) -> str: ...
    def worker_script(self, key: str) -> str: ...


def socket_unit(names: ProjectNames, *, title: str, proxy_group: str = "www-data", backlog: int = 2048) -> str:
    """The socket that the proxy knows. It outlives every release: requests wait in it while the process changes."""
    return render(
        "web.socket.j2",
        title=title,
        socket=names.socket,
        user=names.user,
        proxy_group=proxy_group,
        backlog=backlog,
    )


def web_unit(
    names: ProjectNames,
    *,
    title: str,
    settings_module: str,
    server: Server,
    application: str,
    workers: int | None = DEFAULT_WORKERS,
    stop_timeout: int = 40,
) -> str:
    """The live web process. `workers` counts for gunicorn only, None leaves it to a secret GUNICORN_WORKERS.

    `stop_timeout` in seconds.
    """
    virtualenv = posixpath.join(names.shared, "venv")
    logs = posixpath.join(names.shared, "logs")
    command = _server_lines(
        server,
        programs=posixpath.join(virtualenv, "bin"),
        application=application,
        workers=workers,
        listen=_passed(server, names.socket),
        program=names.program,
        access_log=posixpath.join(logs, "access.log"),
        error_log=posixpath.join(logs, "error.log"),
        graceful=_graceful(stop_timeout),
    )
    return render(
        "web.service.j2",
        title=title,
        socket_unit=names.socket_unit,
        user=names.user,
        group=names.group,
        working_directory=names.django_directory,
        env_file=posixpath.join(names.shared, ".env"),
        environment=_environment(virtualenv, settings_module, _home(names, "web")),
        command=command,
        stop_timeout=stop_timeout,
    )


def candidate_unit(
    names: ProjectNames,
    *,
    directory: str,
    title: str,
    settings_module: str,
    server: Server,
    application: str,
    workers: int | None = DEFAULT_WORKERS,
    stop_timeout: int = 40,
) -> str:
    """The web process of a release that is not live, on a socket of its own, never restarted; it names `RELEASE`.

    `directory` is the project's directory in the release. What it says of itself goes to its journal; once it is proved
    it serves while the live process is replaced.
    """
    release_path = names.release(RELEASE)
    virtualenv = posixpath.join(release_path, ".codesensei/venv")
    command = _server_lines(
        server,
        programs=posixpath.join(virtualenv, "bin"),
        application=application,
        workers=workers,
        listen=["-u", names.candidate_socket] if server == "daphne" else ["--bind", f"unix:{names.candidate_socket}"],
        program=names.candidate_program,
        access_log=posixpath.join(names.shared, "logs/access.log"),
        error_log=JOURNAL,
        graceful=_graceful(stop_timeout),
    )
    return render(
        "candidate.service.j2",
        title=title,
        user=names.user,
        group=names.group,
        working_directory=posixpath.normpath(posixpath.join(release_path, directory)),
        env_file=posixpath.join(release_path, ".codesensei/env"),
        # Its HOME too: recent gunicorn has a control socket there, which the live process must keep.
        environment=_environment(virtualenv, settings_module, names.candidate_home),
        runtime_directory=posixpath.relpath(names.candidate_home, "/run"),
        command=command,
        stop_timeout=stop_timeout,
    )


def worker_unit(names: ProjectNames, key: str, *, title: str, settings_module: str, stop_timeout: int = 600) -> str:
    """A worker's process: the line in its command file, run by bash. `stop_timeout` in seconds."""
    virtualenv = posixpath.join(names.shared, "venv")
    return render(
        "worker.service.j2",
        title=title,
        key=key,
        web_unit=names.web_unit,
        user=names.user,
        group=names.group,
        working_directory=names.django_directory,
        env_file=posixpath.join(names.shared, ".env"),
        environment=_environment(virtualenv, settings_module, _home(names, key)),
        command=systemd.command(["/bin/bash", "-c", RUN_FILE, names.worker_script(key)]),
        stop=systemd.command(["/bin/bash", names.program(STOP_WORKER)]),
        identifier=names.worker_unit(key).removesuffix(".service"),
        stop_timeout=stop_timeout,
    )


def worker_script(names: ProjectNames, key: str, *, command: str) -> str:
    """The command file: a comment and the user's line as written in the stack config."""
    return render("worker.sh.j2", unit=names.worker_unit(key), key=key, command=with_schedule(command))


def with_schedule(command: str) -> str:
    """The line, in which a `celery … beat` (or `worker -B`) without a schedule file has one in its HOME.

    Celery's own place for it is the current directory, where the release is and nothing can be written.
    """

    def extended(found: re.Match[str]) -> str:
        line = found.group()
        word = _BEAT.search(line)
        return line if word is None or _SCHEDULE.search(line) else f"{line[: word.end()]}{SCHEDULE}{line[word.end() :]}"

    return _CELERY.sub(extended, command)


def _graceful(stop_timeout: int) -> int:
    return max(1, stop_timeout - STOP_MARGIN)


def _home(names: ProjectNames, process: str) -> str:
    return posixpath.join(names.shared, "state", process)


def _environment(virtualenv: str, settings_module: str, home: str) -> list[str]:
    variables = {
        "PATH": f"{posixpath.join(virtualenv, 'bin')}:{SYSTEM_PATH}",
        "VIRTUAL_ENV": virtualenv,
        "DJANGO_SETTINGS_MODULE": settings_module,
        "PYTHONUNBUFFERED": "1",
        "HOME": home,
    }
    return [systemd.assignment(name, value) for name, value in variables.items()]


def _passed(server: Server, socket: str) -> list[str]:
    """How a server is told to take the socket that systemd passes; gunicorn takes it over the one that it is told."""
    # Not --fd, which takes a passed socket for one of the Internet.
    return ["-e", "systemd:domain=UNIX:index=0"] if server == "daphne" else ["--bind", f"unix:{socket}"]


def _server_lines(
    server: Server,
    *,
    programs: str,
    application: str,
    workers: int | None,
    listen: list[str],
    program: Callable[[str], str],
    access_log: str,
    error_log: str,
    graceful: int,
) -> str:
    if server == "gunicorn":
        # The command line wins over gunicorn.conf.py and GUNICORN_CMD_ARGS, and a socket passed by systemd over --bind.
        counted = [] if workers is None else ["--workers", str(workers)]
        lines = [
            [f"{programs}/gunicorn", *counted, *listen],
            ["--access-logfile", access_log, "--error-logfile", error_log],
            ["--graceful-timeout", str(graceful), "--config", program(GUNICORN_CONF)],
            [application],
        ]
    else:
        lines = [
            [f"{programs}/python", program(SERVE_ASGI), str(graceful), *listen],
            ["--proxy-headers", "--proxy-headers-host", "X-Real-IP"],
            ["--access-log", access_log],
            [application],
        ]
        if error_log != JOURNAL:
            lines.insert(0, ["/bin/bash", "-c", START_LOGGED, error_log])
    return _folded(lines)


def _folded(lines: Sequence[Sequence[str]]) -> str:
    first, *others = lines
    return " \\\n  ".join([systemd.command(first), *(" ".join(map(systemd.word, line)) for line in others)])
