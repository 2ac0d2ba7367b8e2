"""What a web server is to the product: one value holds all that is peculiar to one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from codesensei.wire.steps import WebServerPackage

Interface = Literal["wsgi", "asgi"]
# The words of a command, in the lines in which a unit has them.
Lines = list[list[str]]
# Starts the program of the packages that are there now, so that its later imports are of the same packages, and appends
# its standard error to the file named first: the app user opens it, never root.
START_LOGGED = 'exec "$(readlink -f "${1%/*}")/${1##*/}" "${@:2}" 2>>"$0"'


@dataclass(frozen=True, kw_only=True)
class Process:
    """A web process to be started. Paths are on the server; `drain` is seconds for what has begun.

    `workers` is how many processes it has, empty where the server itself knows. `error_log` is empty for a candidate:
    that makes `socket` itself, where the live process is passed it by systemd, and says all to its journal.
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

    With a text for `name` that begins with one of `refused` the server is not run: `cause` and `fix` say why.
    """

    file: str
    moved_by: str
    name: str
    refused: tuple[str, ...]
    cause: str
    fix: str


@dataclass(frozen=True, kw_only=True)
class WebServer:
    """One web server; its package and its program in a venv have the same name, by which the stack config knows it.

    `is_default`: it serves its interfaces where the stack config names no server. `program` is the product's own that
    it runs with, `candidate_program` what follows that in a candidate's. `workers_variable` says how many processes it
    has, else they are `default_workers`; empty: one, whatever any variable says. It opens its log files again on
    `reopen_signal`; empty: never, so they are copied and emptied. At its end WebSockets close with `close_code`.
    `noise` are lines of its log that say nothing of why something failed, `halt` begins the last line of a traceback
    that does not either; both are left out of an error.
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
