"""What the product knows of a web server: everything specific to one of them is in one value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from codesensei.wire.quick import dataclass
from codesensei.wire.steps import WebServerPackage

Interface = Literal["wsgi", "asgi"]
# The words of a command, line by line as they stand in a unit.
Lines = list[list[str]]
# Resolves the program's path, so that all later imports come from the same packages, and appends its standard error to
# the file named first, which the app user opens, never root.
START_LOGGED = 'exec "$(readlink -f "${1%/*}")/${1##*/}" "${@:2}" 2>>"$0"'


@dataclass(frozen=True, kw_only=True)
class Process:
    """A web process to start. Paths are on the server; `drain` is how many seconds its open requests get at its end.

    `workers` is its number of processes, empty where the server itself decides. `error_log` is empty for a candidate,
    which makes `socket` itself and logs to the journal; systemd passes the socket to the live process.
    """

    programs: str
    program: str
    application: str
    socket: str
    workers: str
    access_log: str
    error_log: str
    drain: int


@dataclass(frozen=True, kw_only=True)
class OwnSettings:
    """A project's own settings for its server, in `file` beside manage.py or where the variable `moved_by` says.

    If the value of `name` begins with one of `refused`, the server is not run: `cause` and `fix` say why.
    """

    file: str
    moved_by: str
    name: str
    refused: tuple[str, ...]
    cause: str
    fix: str


@dataclass(frozen=True, kw_only=True)
class WebServer:
    """One web server; its package, its program in a venv and its name in the stack config are the same word.

    `is_default`: it serves its interfaces where the stack config names no server. `program` is the product's own
    program that it runs with, `candidate_program` what a candidate runs, which runs that in turn. The variable
    `workers_variable` sets its number of processes, `default_workers` by default; empty: always one. It reopens its log
    files on `reopen_signal`; empty: never, so they are copied and emptied. When it ends, WebSockets close with
    `close_code`. `noise` matches lines of its log that do not tell why something failed, `halt` begins the last line of
    a traceback that does not either; both are left out of errors.
    """

    interfaces: tuple[Interface, ...]
    package: WebServerPackage
    command: Callable[[Process], Lines]
    is_default: bool = False
    program: str = ""
    candidate_program: str = ""
    workers_variable: str = ""
    default_workers: int = 1
    reopen_signal: str = ""
    close_code: int | None = None
    noise: str = ""
    halt: str = ""
    own_settings: OwnSettings | None = None

    @property
    def name(self) -> str:
        """Its name in the stack config."""
        return self.package.name
