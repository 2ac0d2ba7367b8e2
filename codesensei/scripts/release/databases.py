"""What Django says of the project's databases, and of models that its migrations do not make."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.release import jobs
from codesensei.scripts.release.builder import require
from codesensei.scripts.release.jobs import Job
from codesensei.scripts.release.release import Release, redactor
from codesensei.wire import codec
from codesensei.wire.codec import WireError
from codesensei.wire.quick import dataclass

A = TypeVar("A")
SCRIPT = Path(__file__).with_name("ask_databases.py")
ASKED = "codesensei-databases:"
FOREIGN = "foreign"


@dataclass(frozen=True, kw_only=True)
class Database:
    """An entry of DATABASES. `why_not`: why migrate leaves it alone; `collation`: two versions that differ.

    `work`: whether migrate has any, None where that was not to be found out.
    """

    alias: str
    why_not: str = ""
    collation: tuple[str, ...] = ()
    work: bool | None = None


@dataclass(frozen=True, kw_only=True)
class App:
    """An app that is ahead of its migrations by `changes`, or has `models` and no migrations package at all."""

    app: str
    own: bool
    changes: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What `ask_databases.py` says. `unknown`: why it cannot tell of the models."""

    databases: tuple[Database, ...]
    apps: tuple[App, ...] = ()
    unknown: str = ""


def ask(step: Step[object], release: Release) -> Asked:
    """Start the project for this question alone."""
    argv = [f"{release.venv}/bin/python", "-B", str(SCRIPT), str(release.path)]
    done = jobs.run_job(step, release, Job("ask Django for its databases", argv, answer=ASKED))
    return read(Asked, require(done, release, "Django's databases").answer, release, ASKED, done.tail)


def read(kind: type[A], answer: str, release: Release, what: str, log: str = "") -> A:
    """The answer of a program that asks Django, or does something for it, without secrets.

    Raises Failure, with the end of its log, where there is none.
    """
    try:
        return codec.decode(kind, json.loads(redactor(release.project, release.name).clean(answer)), what)
    except (ValueError, WireError):
        raise Failure("Django's databases", "the project printed no answer", log=log) from None
