"""systemd units of one project: the web socket and process, its candidate, its workers."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import Literal, Protocol

from codesensei.render import systemd
from codesensei.render.templates import render

Server = Literal["gunicorn", "daphne"]

JOURNAL = "-"
DEFAULT_WORKERS = 3
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What is left between the last request's end and systemd's SIGKILL.
STOP_MARGIN = 5
CANDIDATE_STOP_TIMEOUT = 10
# Appends its own standard error to the file named first and becomes the rest: the app user opens the file, never root.
APPEND_ERRORS = 'exec "$@" 2>>"$0"'
# Daphne on a socket that systemd passed. Twisted takes it for its own: it would open it to everybody at the start, and
# remove and shut it down at the end, when the next process needs it. With these two settings it leaves it alone.
DAPHNE_ON_PASSED_SOCKET = (
    "from twisted.internet import unix; "
    "unix._inFilesystemNamespace = lambda path: False; "
    "unix.Port._shouldShutdown = False; "
    "from daphne.cli import CommandLineInterface; "
    "CommandLineInterface.entrypoint()"
)
# Becomes the shell line in the file. A simple command replaces the shell, so SIGTERM reaches it directly.
RUN_FILE = 'exec /bin/bash -c "$(<"$0")" "$0"'


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
    workers: int = DEFAULT_WORKERS,
    stop_timeout: int = 40,
) -> str:
    """The live web process. `workers` counts for gunicorn only; `stop_timeout` in seconds."""
    virtualenv = posixpath.join(names.shared, "venv")
    logs = posixpath.join(names.shared, "logs")
    command = _server_lines(
        server,
        programs=posixpath.join(virtualenv, "bin"),
        application=application,
        workers=workers,
        socket=names.socket,
        passed=True,
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
    release_path: str,
    directory: str,
    title: str,
    settings_module: str,
    server: Server,
    application: str,
    workers: int = 1,
    access_log: str = JOURNAL,
    error_log: str = JOURNAL,
) -> str:
    """The web process of a release that is not live: run in `release_path`, on a socket of its own, never restarted.

    `release_path` is the absolute path of `releases/<release>`, `directory` the project's directory in it. Logs go to
    the unit's journal unless paths are given; those must be writable for the app user.
    """
    virtualenv = posixpath.join(release_path, ".codesensei/venv")
    # Its HOME too: recent gunicorn has a control socket there, which the live process must keep.
    runtime = posixpath.dirname(names.candidate_socket)
    command = _server_lines(
        server,
        programs=posixpath.join(virtualenv, "bin"),
        application=application,
        workers=workers,
        socket=names.candidate_socket,
        passed=False,
        access_log=access_log,
        error_log=error_log,
        graceful=_graceful(CANDIDATE_STOP_TIMEOUT),
    )
    return render(
        "candidate.service.j2",
        title=title,
        user=names.user,
        group=names.group,
        working_directory=posixpath.normpath(posixpath.join(release_path, directory)),
        env_file=posixpath.join(release_path, ".codesensei/env"),
        environment=_environment(virtualenv, settings_module, runtime),
        runtime_directory=posixpath.relpath(runtime, "/run"),
        command=command,
        stop_timeout=CANDIDATE_STOP_TIMEOUT,
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
        identifier=names.worker_unit(key).removesuffix(".service"),
        stop_timeout=stop_timeout,
    )


def worker_script(names: ProjectNames, key: str, *, command: str) -> str:
    """The command file: a comment and the user's line exactly as written in the stack config."""
    return render("worker.sh.j2", unit=names.worker_unit(key), key=key, command=command)


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


def _server_lines(
    server: Server,
    *,
    programs: str,
    application: str,
    workers: int,
    socket: str,
    passed: bool,
    access_log: str,
    error_log: str,
    graceful: int,
) -> str:
    if server == "gunicorn":
        # The command line wins over gunicorn.conf.py and GUNICORN_CMD_ARGS, and a socket passed by systemd over --bind.
        lines = [
            [f"{programs}/gunicorn", "--workers", str(workers), "--bind", f"unix:{socket}"],
            ["--access-logfile", access_log, "--error-logfile", error_log, "--graceful-timeout", str(graceful)],
            [application],
        ]
    else:
        # Not --fd, which takes a passed socket for one of the Internet.
        listen = ["-e", "systemd:domain=UNIX:index=0"] if passed else ["-u", socket]
        program = [f"{programs}/python", "-c", DAPHNE_ON_PASSED_SOCKET] if passed else [f"{programs}/daphne"]
        lines = [
            [*program, *listen, "--proxy-headers"],
            ["--access-log", access_log],
            [application],
        ]
        if error_log != JOURNAL:
            lines.insert(0, ["/bin/sh", "-c", APPEND_ERRORS, error_log])
    return _folded(lines)


def _folded(lines: Sequence[Sequence[str]]) -> str:
    first, *others = lines
    return " \\\n  ".join([systemd.command(first), *(" ".join(map(systemd.word, line)) for line in others)])
