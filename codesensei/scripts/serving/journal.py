"""The journal of a switch: what was live before it, kept until the switch has ended or everything is put back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from codesensei.scripts.base import files
from codesensei.scripts.base.step import read_json, write_json
from codesensei.wire import codec
from codesensei.wire.manifest import Manifest
from codesensei.wire.paths import ProjectPaths


@dataclass(frozen=True, kw_only=True)
class SavedFile:
    """A file as it was; `group` is a number."""

    text: str
    mode: int
    group: int


@dataclass(frozen=True, kw_only=True)
class SavedUnit:
    """A unit as it was; `invocation` tells whether its process is still the same one."""

    exists: bool
    active: bool
    invocation: str = ""


@dataclass(frozen=True, kw_only=True)
class SavedPassword:
    """The verifier that the role `name` had; None for no password."""

    name: str
    verifier: str | None = field(repr=False)
    port: int


@dataclass(frozen=True, kw_only=True)
class Journal:
    """Everything that a switch may change, as it was before. None is what was not there.

    `renewed` are the units whose process the switch replaces, `role` is None where the password stays.
    """

    live: Manifest | None
    links: Mapping[str, str | None]
    files: Mapping[str, SavedFile | None]
    units: Mapping[str, SavedUnit]
    renewed: tuple[str, ...]
    role: SavedPassword | None

    @property
    def running(self) -> list[str]:
        """The units that ran and can run again."""
        return sorted(name for name, unit in self.units.items() if unit.active and unit.exists)


def _place(project: ProjectPaths) -> Path:
    return project.memory / "switch" / "journal.json"


def read(project: ProjectPaths) -> Journal | None:
    """The journal of a switch that neither ended nor was wholly put back; None where there is none."""
    path = _place(project)
    data = read_json(path, None)
    if data is None:
        return None
    # Versions before 1.0 wrote an empty map for nothing.
    return codec.decode(Journal, {**data, "live": data["live"] or None}, str(path), kept=True)


def write(project: ProjectPaths, journal: Journal) -> None:
    """Keep the journal from now on."""
    files.make_directory(_place(project).parent, 0o700)
    write_json(_place(project), codec.encode(journal))


def exists(project: ProjectPaths) -> bool:
    """Whether a switch was interrupted, or not wholly put back."""
    return _place(project).exists()


def forget(project: ProjectPaths) -> None:
    """What was live before is history."""
    _place(project).unlink(missing_ok=True)
