"""What a step works with: its data, its output to the user, its files, and how it fails."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import socket
import stat
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from codesensei.scripts.base import excerpt, files
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.said import Said, shortened
from codesensei.wire.text import printable_lines

D_co = TypeVar("D_co", covariant=True)

# As a fix, of a failure with a log.
BELOW = "see what it says below"
OURS_LINES = 25
OURS_WIDTH = 200
LOG_LINES = 8
_FREE_SPACE = "free some space on the server (df -h, df -i), then {again}"
_FIXES = {
    errno.ENOSPC: _FREE_SPACE,
    errno.EDQUOT: _FREE_SPACE,
    files.NO_SUCH_USER: "run pulumi up again: with codesensei:drift: true it makes the project's users again",
    errno.EROFS: "the file system is read-only: look at the server's kernel log (dmesg)",
}


class Failure(Exception):
    """A step cannot go on: what failed, why, and what to do about it.

    `log` is the relevant output, filtered; `where` says where all of it is; `served` is the release that still serves.
    """

    most_lines = OURS_LINES

    def __init__(self, thing: str, cause: str, fix: str = "", log: str = "", *, where: str = "") -> None:
        super().__init__(f"{thing}: {cause}")
        self.thing, self.cause, self.fix, self.log, self.where = thing, cause, fix, log, where
        self.served = ""

    @classmethod
    def of(cls, error: Failure | OSError, thing: str, again: str = "run pulumi up again") -> Failure:
        """An error of a file in these words; `thing` is what failed where it names no file."""
        if isinstance(error, Failure):
            return error
        fix = _FIXES.get(error.errno or 0, f"look at that path on the server, then {again}")
        return cls(str(error.filename or thing), error.strerror or str(error), fix.format(again=again))

    def text(self) -> str:
        """At most 25 lines of 200 characters of ours (or `most_lines`), then the last lines of the log."""
        ours = _folded(f"error: {self.thing} on {socket.gethostname()}: {self.cause}")
        if self.fix:
            ours += _folded(f"fix: {self.fix}")
        facts = {"still served": self.served, "full log": self.where}
        after = [line for name, fact in facts.items() if fact for line in _folded(f"{name}: {fact}")]
        ours = ours[: self.most_lines - len(after)] + after
        return printable_lines("\n".join(ours + [f"  | {line}" for line in excerpt.last_lines(self.log, LOG_LINES)]))


def _folded(text: str) -> list[str]:
    """The text in lines of at most 200 characters, those after the first indented."""
    first, *others = text.splitlines()
    whole = [first, *(f"      {line}" for line in others)]
    return [
        part
        for line in whole
        for part in textwrap.wrap(line, OURS_WIDTH, subsequent_indent="      ", break_on_hyphens=False) or [""]
    ]


@dataclass
class Step(Generic[D_co]):
    """One call of one step for one project; `data` is what the operator's side has sent."""

    slug: str
    name: str
    args: tuple[str, ...]
    data: D_co
    digest: str = ""
    changes: int = 0
    result: Said | None = None
    managed: dict[str, None] = field(default_factory=dict)
    shared: dict[str, None] = field(default_factory=dict)
    shown: dict[str, None] = field(default_factory=dict)
    owned: dict[str, None] = field(default_factory=dict)
    packages: dict[str, None] = field(default_factory=dict)
    users: dict[str, None] = field(default_factory=dict)

    @property
    def project(self) -> ProjectPaths:
        return ProjectPaths(self.slug)

    def say(self, text: str) -> None:
        """One progress line for the person who runs `pulumi up`; a closed connection does not stop it."""
        with contextlib.suppress(OSError):
            sys.stdout.write(printable_lines(shortened(text)).replace("\n", " ") + "\n")
            sys.stdout.flush()

    def changed(self, text: str) -> None:
        """Say what was changed."""
        self.changes += 1
        self.say(text)

    def converge(self, did_change: bool, text: str) -> bool:
        """Count and say a change; stay silent if there was none."""
        if did_change:
            self.changed(text)
        return did_change

    def manage(self, path: Path | str, *, shown: bool = False) -> None:
        """Remember a file or link; a later change to it by hand is drift.

        `shown`: nothing in it is secret, so the change may be shown as text.
        """
        self.managed[str(path)] = None
        if shown:
            self.shown[str(path)] = None

    def manage_shared(self, path: Path | str) -> None:
        """The same for a file that all projects of the server share: what another project writes there is no drift.

        None of them has a secret.
        """
        self.shared[str(path)] = None
        self.shown[str(path)] = None

    def manage_owner(self, path: Path | str) -> None:
        """Remember whose a folder is; that it is gone, or another user's, is drift. What is in it is its owner's."""
        self.owned[str(path)] = None

    def need_package(self, *names: str) -> None:
        """Remember a package of the system, or several of which any will do; that it is not installed is drift."""
        self.packages[" ".join(names)] = None

    def need_user(self, name: str) -> None:
        """Remember a user of the system; that it is gone is drift."""
        self.users[name] = None


def fingerprint(path: str) -> str:
    """Content, mode and owner of a file, or a link's target, as one word; `absent` when there is nothing."""
    try:
        found = os.lstat(path)
    except OSError:
        return "absent"
    if stat.S_ISLNK(found.st_mode):
        return f"link:{os.readlink(path)}"
    head = f"{stat.S_IMODE(found.st_mode):o}:{found.st_uid}:{found.st_gid}"
    if stat.S_ISDIR(found.st_mode):
        return f"directory:{head}"
    if not stat.S_ISREG(found.st_mode):
        return f"other:{head}"
    return f"file:{head}:{hashlib.sha256(Path(path).read_bytes()).hexdigest()}"


def read_json(path: Path, default: Any) -> Any:
    """What a note of root's says; of a damaged one its copy counts, and else the default, as where there is none."""
    with contextlib.suppress(FileNotFoundError):
        try:
            return json.loads(path.read_text())
        except ValueError:
            with contextlib.suppress(ValueError):
                return json.loads(copy_of(path).read_text())
    return default


def write_json(path: Path, value: Any, mode: int = 0o600, *, copied: bool = True) -> bool:
    """Write a note of root's and its copy; a step that runs again makes what has none."""
    text = json.dumps(value, indent=1, sort_keys=True) + "\n"
    if copied:
        files.write_file(copy_of(path), text, mode)
    return files.write_file(path, text, mode)


def remove_json(path: Path) -> None:
    """Remove a note and its copy."""
    for place in (path, copy_of(path)):
        place.unlink(missing_ok=True)


def copy_of(path: Path) -> Path:
    """Where the copy of a note is; it is written first."""
    return path.with_name(f"{path.name}.copy")
