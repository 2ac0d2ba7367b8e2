"""What the server answers to a person's commands: how its releases, processes and backups are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from codesensei.wire.quick import dataclass
from codesensei.wire.steps import Finding

Result = Literal["served", "failed", "abandoned", "unfinished"]


@dataclass(frozen=True, kw_only=True)
class KeptRelease:
    """One release on the server. Times are UTC, ISO 8601; `seconds` is how long each phase took.

    `failed` is the step that ended in an error, `built` when its code and packages were made.
    """

    name: str
    place: Literal["", "current", "previous"] = ""
    revision: str = ""
    result: Result = "unfinished"
    failed: str = ""
    built: str = ""
    served: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Releases:
    """The releases that are kept, the newest first."""

    releases: tuple[KeptRelease, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ProcessState:
    """A unit of the project, in systemd's own words."""

    unit: str
    active: str
    sub: str = ""
    restarts: str = ""


@dataclass(frozen=True, kw_only=True)
class BackupState:
    """How the newest backup and its check went; times in seconds since the epoch, 0 for never."""

    to: str
    made: float = 0.0
    snapshot: str = ""
    error: str = ""
    checked: float = 0.0
    check_error: str = ""


@dataclass(frozen=True, kw_only=True)
class ServerStatus:
    """What serves, who works on it, and what an interrupted deploy has left.

    `holder` is the step that holds a lock now; `last_holder` one that has ended since. `orphan` is a job whose step has
    ended; `interrupted` are steps that never came to their end, `open_switch` is whether the switch is one of them.
    """

    release: str = ""
    revision: str = ""
    served: str = ""
    processes: tuple[ProcessState, ...] = ()
    holder: str = ""
    last_holder: str = ""
    orphan: str = ""
    interrupted: tuple[str, ...] = ()
    open_switch: bool = False
    backups: BackupState | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MadeBackup:
    """A backup at the target; `time` is UTC, ISO 8601."""

    id: str
    time: str


@dataclass(frozen=True, kw_only=True)
class Backups:
    """The backups at the target, the oldest first, and how the last check went; `days` as in Backup."""

    to: str
    days: int = 0
    backups: tuple[MadeBackup, ...] = ()
    checked: float = 0.0
    check_error: str = ""
