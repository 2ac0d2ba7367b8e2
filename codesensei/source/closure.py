"""What says which packages are installed: the files that are read for it, and what they ask for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import field

from codesensei.source.archive import Checkout
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import LockFile

BUILDS = ("pyproject.toml", "setup.py")
VCS = re.compile(r"(?:git|hg|svn|bzr)\+", re.IGNORECASE)
_PINNED_VCS = re.compile(r"git\+[^#]*@[0-9a-f]{40}(?:[#\s;].*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Closure:
    """The requirements file and all that it includes, or the file of another tool.

    `files`: the named file first, then its includes in the order they are met. `digest`: 64 hexadecimal digits over
    names and contents. `per_release`: something in it can differ from one release to the next with the same text;
    `why` says what, one sentence for each line. `in_place`: packages are used where they are in the release's own
    directory (`-e .`), or variables decide what is installed. `directory`: where the installer runs, so that local
    paths lead to what is there. `names`: the distributions that are asked for; `roots`: directories of the repository
    that become importable because they are installed from it. `versions`: what is asked of some of them (`>=4.2,<5`).
    `unknown`: something is installed whose name no line tells. `asked`: what each line asks for, as a person reads it:
    a distribution's name as it is spelled, or the address of one without a name, and the version or where it is from.
    `hashed`: a line has a hash. `lock` is where other than pip's lines say what is installed. `uv`: which versions of
    uv the project takes, where the one that is used by default is none of them.
    """

    files: tuple[str, ...]
    digest: str
    per_release: bool
    why: tuple[str, ...]
    in_place: bool = False
    directory: str = "."
    names: frozenset[str] = frozenset()
    roots: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    unknown: bool = False
    asked: Mapping[str, str] = field(default_factory=dict)
    hashed: bool = False
    lock: LockFile | None = None
    uv: str = ""

    @property
    def edited(self) -> str:
        """The file in which a person writes what shall be installed."""
        return self.files[-1] if self.lock else self.files[0]

    @property
    def resolved(self) -> bool:
        """Whether the lines seem to name everything that is installed, as pip freeze and pip-compile write them."""
        pinned = [version for version in self.versions.values() if version.startswith("==")]
        return {"asgiref", "sqlparse"} <= self.names and len(pinned) >= len(self.names)


def digest_of(project: Checkout, files: Iterable[str]) -> str:
    """64 hexadecimal digits over names and contents."""
    digest = hashlib.sha256()
    for name in sorted(files):
        for part in (name.encode("utf-8", "surrogateescape"), project.tree.read_bytes(name)):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.hexdigest()


def moves(url: str) -> bool:
    """Whether a reference into a repository names no full commit."""
    return bool(VCS.match(url)) and not _PINNED_VCS.fullmatch(url)


def plain(name: str) -> str:
    """A distribution's name in the one form that all its spellings have."""
    return re.sub(r"[-_.]+", "_", name).lower()


def without_credentials(url: str) -> str:
    """An address as it may stand in a message."""
    return re.sub(r"://[^/@\s]+@", "://", url)
