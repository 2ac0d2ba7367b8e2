"""A release on this server, as the project's programs see it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from pathlib import Path

from codesensei.scripts.base.files import link_target
from codesensei.scripts.base.step import read_json
from codesensei.scripts.release import record
from codesensei.scripts.release.record import Facts, Record
from codesensei.scripts.release.redact import Redactor
from codesensei.wire import codec, envfile
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass
from codesensei.wire.sandbox import Loosened
from codesensei.wire.steps import DatabaseAccount


@dataclass(frozen=True)
class Release:
    """`directory` is where manage.py is, relative to the source's root; `sandbox` is what its jobs may do beyond."""

    project: ProjectPaths
    name: str
    user: str
    directory: str
    settings_module: str
    sandbox: Loosened = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return self.project.release(self.name)

    @property
    def code(self) -> Path:
        """Where manage.py is."""
        return self.path / self.directory

    @property
    def record(self) -> Record:
        """What it has gone through so far."""
        return record.read(self.project, self.name)

    @property
    def venv(self) -> Path:
        """Its packages; several releases may share them."""
        return self.project.venvs / (self.record.venv or "none")

    @property
    def facts(self) -> Facts:
        """What Django said about its settings; only for a built release."""
        facts = self.record.facts
        assert facts is not None
        return facts

    @property
    def env_file(self) -> Path:
        return self.project.env_file(self.name)


@dataclass(frozen=True, kw_only=True)
class VariableNotes:
    """What the step `environment` noted about an env file."""

    secret_names: tuple[str, ...] = ()
    managed_names: tuple[str, ...] = ()
    account: DatabaseAccount | None = None
    user: str = ""


def variable_notes(project: ProjectPaths, release: str) -> VariableNotes:
    """The notes about a release's variables; empty if there are none."""
    path = project.variable_notes(release)
    return codec.decode(VariableNotes, read_json(path, {}), str(path), kept=True)


def redactor(project: ProjectPaths, release: str) -> Redactor:
    """The filter for everything that comes out of a release."""
    try:
        values = envfile.parse(project.env_file(release).read_bytes().decode())
    except FileNotFoundError:
        values = {}
    return Redactor(values[name] for name in variable_notes(project, release).secret_names if name in values)


def redactor_of_all(project: ProjectPaths, more: Iterable[str] = ()) -> Redactor:
    """The filter for what may hold a secret of any release, or one of `more`.

    KeyError, OSError or ValueError where one of them cannot be read.
    """
    values = [*more]
    for notes in sorted(project.variable_notes("").parent.glob("*.env.json")):
        variables = notes.name.partition(".")[0]
        known = envfile.parse(project.env_file(variables).read_bytes().decode())
        values += [known[name] for name in variable_notes(project, variables).secret_names]
    return Redactor(values)


def links_to(release: Release) -> bool:
    """Whether the release is current or previous."""
    links = (release.project.current, release.project.previous)
    return release.name in [Path(target).name for link in links if (target := link_target(link))]
