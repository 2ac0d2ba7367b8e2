"""systemd units of one project: the web socket and process, its candidate, its workers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from codesensei.render import systemd
from codesensei.render.programs import STOP_WORKER
from codesensei.render.templates import render
from codesensei.webservers import Process, WebServer
from codesensei.wire import names, processes
from codesensei.wire.names import RELEASE_PLACEHOLDER, WORKERS_PLACEHOLDER
from codesensei.wire.paths import ProjectPaths

# What is left between the last request's end and systemd's SIGKILL.
STOP_MARGIN = 5
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


@dataclass(frozen=True, kw_only=True)
class UnitContext:
    """What all units of a project say. `directory` is where manage.py is, relative to the code."""

    paths: ProjectPaths
    user: str
    title: str
    settings_module: str
    directory: str


@dataclass(frozen=True, kw_only=True)
class Web:
    """How the project is served. `workers` is how many processes; None: one, or as a secret variable says.

    `stop_timeout` in seconds.
    """

    server: WebServer
    application: str
    workers: int | None
    stop_timeout: int


def socket_unit(context: UnitContext) -> str:
    """The socket that the proxy knows. It outlives every release: requests wait in it while the process changes."""
    title, user, socket = context.title, context.user, str(context.paths.socket)
    return render("web.socket.j2", title=title, socket=socket, user=user, proxy_group="www-data", backlog=2048)


def web_unit(context: UnitContext, web: Web) -> str:
    """The live web process."""
    paths = context.paths
    workers, error_log = str(web.workers or ""), str(paths.logs / "error.log")
    command = _command(
        context, web, paths.venv_link, paths.programs, paths.socket, workers=workers, error_log=error_log
    )
    live = _live(context, home="web", stop_timeout=web.stop_timeout)
    return render("web.service.j2", **live, socket_unit=names.socket_unit(paths.slug), command=command)


def candidate_unit(context: UnitContext, web: Web) -> str:
    """The web process of a release that is not live, on a socket of its own, never restarted.

    It is the same text for all releases and servers, with placeholders. What it says of itself goes to its journal;
    once it is proved it serves while the live process is replaced.
    """
    paths = context.paths
    folder = paths.own_folder(RELEASE_PLACEHOLDER)
    venv, workers = folder / "venv", WORKERS_PLACEHOLDER if web.workers else ""
    return render(
        "candidate.service.j2",
        title=context.title,
        user=context.user,
        working_directory=str(paths.release(RELEASE_PLACEHOLDER) / context.directory),
        env_file=str(folder / "env"),
        # Its HOME too: a server may have a control socket there, which the live process must keep.
        environment=_environment(context, venv, paths.candidate_home),
        runtime_directory=str(paths.candidate_home.relative_to("/run")),
        command=_command(context, web, venv, paths.candidate_programs, paths.candidate_socket, workers=workers),
        stop_timeout=web.stop_timeout,
    )


def worker_unit(context: UnitContext, key: str, *, stop_timeout: int) -> str:
    """A worker's process: the line in its command file, run by bash. `stop_timeout` in seconds."""
    paths = context.paths
    return render(
        "worker.service.j2",
        **_live(context, home=key, stop_timeout=stop_timeout),
        key=key,
        web_unit=names.web_unit(paths.slug),
        command=systemd.command(["/bin/bash", "-c", RUN_FILE, str(paths.worker_script(key))]),
        stop=systemd.command(["/bin/bash", str(paths.programs / STOP_WORKER)]),
        identifier=names.worker_unit(paths.slug, key).removesuffix(".service"),
    )


def worker_script(paths: ProjectPaths, key: str, *, command: str) -> str:
    """The command file: a comment and the user's line as written in the stack config."""
    return render("worker.sh.j2", unit=names.worker_unit(paths.slug, key), key=key, command=with_schedule(command))


def with_schedule(command: str) -> str:
    """The line, in which a `celery … beat` (or `worker -B`) without a schedule file has one in its HOME.

    Celery's own place for it is the current directory, where the release is and nothing can be written.
    """

    def extended(found: re.Match[str]) -> str:
        line = found.group()
        word = _BEAT.search(line)
        return line if word is None or _SCHEDULE.search(line) else f"{line[: word.end()]}{SCHEDULE}{line[word.end() :]}"

    return _CELERY.sub(extended, command)


def _live(context: UnitContext, *, home: str, stop_timeout: int) -> dict[str, object]:
    """What the units of the serving release have in common."""
    paths = context.paths
    return {
        "title": context.title,
        "user": context.user,
        "working_directory": str(paths.current / context.directory),
        "env_file": str(paths.env_link),
        "environment": _environment(context, paths.venv_link, paths.home(home)),
        "stop_timeout": stop_timeout,
    }


def _environment(context: UnitContext, venv: Path, home: Path) -> list[str]:
    variables = processes.environment(venv=str(venv), settings_module=context.settings_module, home=str(home))
    return [systemd.assignment(name, value) for name, value in variables.items()]


def _command(
    context: UnitContext, web: Web, venv: Path, programs: Path, socket: Path, *, workers: str, error_log: str = ""
) -> str:
    process = Process(
        programs=str(venv / "bin"),
        program=str(programs / web.server.program),
        application=web.application,
        socket=str(socket),
        workers=workers,
        access_log=str(context.paths.logs / "access.log"),
        error_log=error_log,
        drain=max(1, web.stop_timeout - STOP_MARGIN),
    )
    first, *others = web.server.command(process)
    return " \\\n  ".join([systemd.command(first), *(" ".join(map(systemd.word, line)) for line in others)])
