"""systemd units of one project: the web socket and process, its candidate, its workers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import field
from pathlib import Path

from codesensei.render import queues, systemd
from codesensei.render.programs import STOP_WORKER
from codesensei.render.templates import render
from codesensei.webservers import Process, WebServer
from codesensei.wire import names, processes, sandbox
from codesensei.wire.names import RELEASE_PLACEHOLDER, WORKERS_PLACEHOLDER
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass
from codesensei.wire.sandbox import Loosened

# Seconds between the end of the last request and systemd's SIGKILL.
STOP_MARGIN = 5
# Processes and threads: more than a project needs, fewer than would stop its neighbors from starting any.
TASKS = 2048
# Runs the shell line in the file, with the packages that are there now. A simple command replaces the shell, so SIGTERM
# reaches it directly.
RUN_FILE = (
    'VIRTUAL_ENV=$(readlink -f "$VIRTUAL_ENV"); PATH=$VIRTUAL_ENV/bin:${PATH#*:}; exec /bin/bash -c "$(<"$0")" "$0"'
)
# Makes root's own name for the socket, by which the proxy goes: what the app user puts in its place is not taken. It is
# one command: of several, systemd repeats some where anybody has it read its units again meanwhile.
MAKE_DOOR = 'ln -fPT "$0" "$1" && test ! -L "$1" && mv -fT "$1" "$2"'
SCHEDULE = ' -s "$HOME/celerybeat-schedule"'
# One call of celery, up to the end of its command.
_CELERY = re.compile(r"(?:^|(?<=[\s/]))celery\s[^|&;<>\n]*", re.MULTILINE)
_BEAT = re.compile(r"(?<!-A)(?<!--app)\sbeat(?=\s|$)|\sworker(?=\s(?:.*\s)?(?:-B|--beat)(?:\s|$))")
_SCHEDULE = re.compile(r"\s(?:-s|--schedule|--schedule-filename)(?:[\s=]|$)|\s-s[^\s-]")


@dataclass(frozen=True, kw_only=True)
class UnitContext:
    """What all units of a project have in common. `directory` is where manage.py is, relative to the code."""

    paths: ProjectPaths
    user: str
    title: str
    settings_module: str
    directory: str
    loosened: Loosened = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a process and those that it starts may use together; sizes as systemd reads them, None for no bound."""

    memory_high: str | None = None
    memory_max: str | None = None
    tasks_max: int = TASKS
    cpu_weight: int | None = None

    def directives(self) -> dict[str, str]:
        """Those that are set, as a unit has them."""
        values = {
            "MemoryHigh": self.memory_high,
            "MemoryMax": self.memory_max,
            "TasksMax": self.tasks_max,
            "CPUWeight": self.cpu_weight,
        }
        return {name: str(value) for name, value in values.items() if value is not None}


DEFAULT_RESOURCES = Resources()


@dataclass(frozen=True, kw_only=True)
class Web:
    """How the project is served. `workers` processes (None: one, or a secret number); `stop_timeout` in seconds."""

    server: WebServer
    application: str
    workers: int | None
    stop_timeout: int
    resources: Resources = DEFAULT_RESOURCES


def socket_unit(context: UnitContext) -> str:
    """The socket that the proxy connects to. It outlives every release: requests wait in it during a switch."""
    paths = context.paths
    return render(
        "web.socket.j2",
        title=context.title,
        socket=str(paths.socket),
        make_door=systemd.command(["/bin/sh", "-c", MAKE_DOOR, *map(str, (paths.socket, paths.new_door, paths.door))]),
        user=context.user,
        proxy_group="www-data",
        backlog=2048,
    )


def web_unit(context: UnitContext, web: Web) -> str:
    """The live web process."""
    paths = context.paths
    workers, error_log = str(web.workers or ""), str(paths.logs / "error.log")
    command = _command(
        context, web, paths.venv_link, paths.programs, paths.socket, workers=workers, error_log=error_log
    )
    live = _live(context, "web", web.stop_timeout, web.resources)
    return render("web.service.j2", **live, socket_unit=names.socket_unit(paths.slug), command=command)


def candidate_unit(context: UnitContext, web: Web, workers: Sequence[str] = ()) -> str:
    """The web process of a release that is not live, on a socket of its own, never restarted.

    It is the same text for all releases and servers, with placeholders. Its own messages go to the journal. Once it is
    proved, it serves while the live process is replaced. These units of workers are replaced at the same time: the
    candidate keeps the /tmp that all of them share.
    """
    paths = context.paths
    folder = paths.own_folder(RELEASE_PLACEHOLDER)
    release, home, venv = paths.release(RELEASE_PLACEHOLDER), paths.candidate_home, folder / "venv"
    processes = WORKERS_PLACEHOLDER if web.workers else ""
    return render(
        "candidate.service.j2",
        # Its own HOME too: a server may have a control socket there, which the live process must keep.
        **_common(context, release, folder / "env", venv, home, web.stop_timeout),
        confined=_confined(context, web.resources, paths.candidate_place),
        sharing=[names.web_unit(paths.slug), *workers],
        runtime_directory=str(home.relative_to("/run")),
        command=_command(context, web, venv, paths.candidate_programs, paths.candidate_socket, workers=processes),
    )


def worker_unit(
    context: UnitContext,
    key: str,
    *,
    stop_timeout: int,
    stop_signal: str = queues.DEFAULT,
    resources: Resources = DEFAULT_RESOURCES,
) -> str:
    """A worker's process: the line in its command file, run by bash. `stop_timeout` in seconds.

    Only its main process gets the signal: each queue program tells those that it has started. SIGTERM is not written.
    """
    paths, signal = context.paths, "" if stop_signal == queues.DEFAULT else stop_signal
    return render(
        "worker.service.j2",
        **_live(context, key, stop_timeout, resources),
        key=key,
        web_unit=names.web_unit(paths.slug),
        command=systemd.command(["/bin/bash", "-c", RUN_FILE, str(paths.worker_script(key))]),
        stop=systemd.command(["/bin/bash", str(paths.programs / STOP_WORKER)]),
        stop_signal=signal,
        identifier=names.worker_unit(paths.slug, key).removesuffix(".service"),
    )


def worker_script(paths: ProjectPaths, key: str, *, command: str) -> str:
    """The command file: a comment and the user's line as written in the stack config."""
    return render("worker.sh.j2", unit=names.worker_unit(paths.slug, key), key=key, command=with_schedule(command))


def with_schedule(command: str) -> str:
    """The line, with a schedule file in HOME for each `celery … beat` (or `worker -B`) that names none.

    Celery's default is the current directory: the release, where nothing can be written.
    """

    def extended(found: re.Match[str]) -> str:
        line = found.group()
        word = _BEAT.search(line)
        return line if word is None or _SCHEDULE.search(line) else f"{line[: word.end()]}{SCHEDULE}{line[word.end() :]}"

    return _CELERY.sub(extended, command)


def _live(context: UnitContext, process: str, stop_timeout: int, resources: Resources) -> dict[str, object]:
    paths = context.paths
    common = _common(context, paths.current, paths.env_link, paths.venv_link, paths.home(process), stop_timeout)
    return {**common, "confined": _confined(context, resources)}


def _confined(context: UnitContext, resources: Resources, *writable: Path) -> dict[str, str]:
    shown = [str(path) for path in (context.paths.shared, *writable)]
    return {**resources.directives(), **sandbox.directives(context.loosened, shown)}


def _common(
    context: UnitContext, code: Path, env_file: Path, venv: Path, home: Path, stop_timeout: int
) -> dict[str, object]:
    variables = processes.environment(venv=str(venv), settings_module=context.settings_module, home=str(home))
    return {
        "title": context.title,
        "user": context.user,
        "working_directory": str(code / context.directory),
        "env_file": str(env_file),
        "environment": [systemd.assignment(name, value) for name, value in variables.items()],
        "stop_timeout": stop_timeout,
    }


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
