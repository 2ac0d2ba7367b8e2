"""What a web server is to the product: one value holds all that is peculiar to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from codesensei.wire.names import WORKERS_PLACEHOLDER
from codesensei.wire.steps import ExtraPackage, WebServerPackage

Interface = Literal["wsgi", "asgi"]
# The words of a command, in the lines in which a unit has them.
Lines = list[list[str]]
JOURNAL = "-"
# Starts the program of the packages that are there now, so that its later imports are of the same packages, and appends
# its standard error to the file named first: the app user opens it, never root.
START_LOGGED = 'exec "$(readlink -f "${1%/*}")/${1##*/}" "${@:2}" 2>>"$0"'


@dataclass(frozen=True, kw_only=True)
class Process:
    """A web process to be started. Paths are on the server; `graceful` is seconds for what has begun.

    `programs` is where those of its packages are, `program` the server's own of the product. `workers` is how many
    processes it has; empty: no word of it in the command. `is_live`: systemd passes it the socket, else it makes it.
    """

    programs: str
    program: str
    application: str
    socket: str
    access_log: str
    error_log: str
    graceful: int
    workers: str = ""
    is_live: bool = True


@dataclass(frozen=True, kw_only=True)
class OwnSettings:
    """A project's own settings for its server, in `file` beside manage.py, or where the variable `moved_by` says.

    With a text for `setting` that begins with one of `refused` the server is not run; `why` and `fix` are for people.
    """

    file: str
    moved_by: str
    setting: str
    refused: tuple[str, ...]
    why: str
    fix: str


@dataclass(frozen=True, kw_only=True)
class WebServer:
    """One web server, under the name that its package and the stack config have for it.

    `version` is installed where the requirements bring none, with `beside`. `is_default`: it serves its interfaces
    where the stack config names no server. `program` is the file of `codesensei/programs` that it runs with,
    `candidate_program` what follows that one's text for a candidate. `workers_variable` tells how many processes it
    has, else they are `default_workers`; empty: one, whatever any variable says. `logs_to_stderr`: it cannot open an
    error log itself. Its log files are opened again on `reopen_signal`; empty: never, so they are copied and emptied.
    `noise` are regular expressions for lines of its log that say nothing of why something failed; `halt` begins the
    last line of a traceback that does not either.
    """

    name: str
    version: str
    interfaces: tuple[Interface, ...]
    program: str
    words: Callable[[Process], Lines]
    is_default: bool = False
    beside: tuple[ExtraPackage, ...] = ()
    candidate_program: str = ""
    workers_variable: str = ""
    default_workers: int = 1
    logs_to_stderr: bool = False
    reopen_signal: str = ""
    noise: tuple[str, ...] = ()
    halt: str = ""
    own_settings: OwnSettings | None = None

    @property
    def package(self) -> WebServerPackage:
        """What the step `build` installs."""
        return WebServerPackage(name=self.name, version=self.version, beside=self.beside)

    def live(self, process: Process) -> Lines:
        """The command of the live process."""
        wrapper = [["/bin/bash", "-c", START_LOGGED, process.error_log]] if self.logs_to_stderr else []
        return [*wrapper, *self.words(process)]

    def candidate(self, process: Process) -> Lines:
        """The command of a candidate: it says all to its journal; the server puts in how many processes it has."""
        workers = WORKERS_PLACEHOLDER if process.workers else ""
        return self.words(replace(process, workers=workers, error_log=JOURNAL, is_live=False))


def process_count(text: str) -> int | None:
    """How many processes a variable asks for; None for what is no whole number from 1."""
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,3}", text) else None
