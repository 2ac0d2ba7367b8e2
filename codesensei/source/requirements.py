"""The closure of a requirements file: every file that decides what gets installed, and whether that is fixed."""

from __future__ import annotations

import hashlib
import posixpath
import re
import shlex
from dataclasses import dataclass, field

from codesensei.source.errors import SourceError, listing
from codesensei.source.git import Project
from codesensei.source.tree import join

_COMMENT = re.compile(r"(^|\s+)#.*$")
_INCLUDE = re.compile(r"(?:-r|-c|--requirements?|--constraints?)(?:\s+|=)?(?P<path>.+)")
_INCLUDE_START = re.compile(r"-[rc](?![a-z-])|--(?:requirement|constraint)(?=[\s=])")
_EDITABLE = re.compile(r"(?:-e|--editable)(?:\s+|=)?(?P<what>.+)")
_FIND_LINKS = re.compile(r"(?:-f|--find-links)(?:\s+|=)?(?P<where>.+)")
_NAMED_URL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(?:\[[^\]]*\])?\s*@\s*(?P<url>\S+)")
_VCS = re.compile(r"(?:git|hg|svn|bzr)\+", re.IGNORECASE)
_PINNED_VCS = re.compile(r"git\+[^#]*@[0-9a-f]{40}(?:[#\s;].*)?", re.IGNORECASE)
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_ARCHIVE = re.compile(r"[^\s;\[]+\.(?:whl|tar\.gz|tar\.bz2|tar\.xz|tgz|zip)(?:\[[^\]]*\])?(?=\s|;|$)", re.IGNORECASE)
_EXPORTS = {
    "uv.lock": "uv export --no-dev --output-file requirements.txt",
    "poetry.lock": "poetry export --output requirements.txt",
    "pdm.lock": "pdm export --prod --output requirements.txt",
    "Pipfile.lock": "pipenv requirements > requirements.txt",
}


@dataclass(frozen=True)
class Closure:
    """The requirements file and all that it includes.

    `files`: the named file first, then its includes in the order they are met. `digest`: 64 hexadecimal digits over
    names and contents. `per_release`: something in it can differ from one release to the next with the same text;
    `why` says what, one sentence for each line.
    """

    files: tuple[str, ...]
    digest: str
    per_release: bool
    why: tuple[str, ...]


@dataclass
class _Walk:
    project: Project
    files: list[str] = field(default_factory=list)
    why: list[str] = field(default_factory=list)

    def read(self, path: str, included_at: str | None) -> None:
        if path in self.files:
            return
        if not self.project.tree.is_file(path):
            raise _missing(self.project, path, included_at)
        self.files.append(path)
        for number, line in logical_lines(self.project.read(path)):
            self._line(path, f"{path}:{number}", line)

    def _line(self, path: str, place: str, line: str) -> None:
        include = _INCLUDE.fullmatch(line) if _INCLUDE_START.match(line) else None
        if include:
            self._include(path, place, _unquoted(include["path"]))
            return
        editable = _EDITABLE.fullmatch(line) if line.startswith(("-e", "--editable")) else None
        links = _FIND_LINKS.fullmatch(line) if line.startswith(("-f", "--find-links")) else None
        if editable:
            self._editable(place, _unquoted(editable["what"]))
        elif links and not _URL.match(_unquoted(links["where"])):
            self.why.append(f"{place}: looks for packages in the repository's {_unquoted(links['where'])}")
        elif not line.startswith("-"):
            self._requirement(place, line)

    def _include(self, path: str, place: str, what: str) -> None:
        if _URL.match(what):
            self.why.append(f"{place}: includes {_shown(what)}, whose content can change")
            return
        if what.startswith("/"):
            raise SourceError(place, f"includes {what}, outside the repository", "name a file of the repository")
        self.read(join(posixpath.dirname(path), what), place)

    def _editable(self, place: str, what: str) -> None:
        named = _NAMED_URL.fullmatch(what)
        url = named["url"] if named else what
        if _VCS.match(url):
            self._vcs(place, url)
        else:
            self.why.append(f"{place}: installs {_shown(what)} from the repository itself")

    def _requirement(self, place: str, line: str) -> None:
        named = _NAMED_URL.match(line)
        target = named["url"] if named else line.split(";", maxsplit=1)[0].split(" --", maxsplit=1)[0].strip()
        if _VCS.match(target):
            self._vcs(place, target)
        elif target.lower().startswith("file:") or (not _URL.match(target) and self._is_local(target)):
            self.why.append(f"{place}: installs {_shown(target)} from the repository itself")

    def _is_local(self, target: str) -> bool:
        bare = target.partition("[")[0].strip()
        looks_local = bare in (".", "..") or bare.startswith(("./", "../", "/")) or "/" in bare
        return looks_local or bool(_ARCHIVE.fullmatch(target))

    def _vcs(self, place: str, url: str) -> None:
        if not _PINNED_VCS.fullmatch(url):
            self.why.append(f"{place}: installs {_shown(url)}, which names no full commit and can move")


def requirements_closure(project: Project, path: str) -> Closure:
    """Read `path` and what it includes. SourceError for a file that is not there, with those that are near."""
    walk = _Walk(project)
    walk.read(join(".", path), None)
    digest = hashlib.sha256()
    for name in sorted(walk.files):
        for part in (name.encode(), project.tree.read_bytes(name)):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return Closure(tuple(walk.files), digest.hexdigest(), bool(walk.why), tuple(walk.why))


def logical_lines(text: str) -> list[tuple[int, str]]:
    """pip's lines: (number of the first one, text), continuations joined, comments and empty lines left out."""
    lines: list[tuple[int, str]] = []
    pending: list[str] = []
    start = 1
    for number, line in enumerate(text.splitlines(), 1):
        if not pending:
            start = number
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment:
            pending.append(line[:-1])
            continue
        # pip takes a comment as the end of a continued line.
        pending.append(f" {line}" if is_comment and pending else line)
        joined = _COMMENT.sub("", "".join(pending)).strip()
        pending = []
        if joined:
            lines.append((start, joined))
    joined = _COMMENT.sub("", "".join(pending)).strip()
    return [*lines, (start, joined)] if joined else lines


def _missing(project: Project, path: str, included_at: str | None) -> SourceError:
    if included_at:
        names = [name for name in project.files if posixpath.basename(name) == posixpath.basename(path)]
        found = f"there is {listing(sorted(names))}: mend the line" if names else "commit the file, or mend the line"
        return SourceError(included_at, f"includes {path}, which is not in commit {project.short}", found)
    thing = f"project.requirements {path}"
    cause = f"there is no such file in commit {project.short}"
    similar = sorted(
        name
        for name in project.files
        if name.endswith((".txt", ".in")) and "requirements" in name.lower() and "/tests/" not in f"/{name}"
    )
    if similar:
        return SourceError(thing, cause, f"found {listing(similar)}: set project.requirements to the right one")
    for lock, command in _EXPORTS.items():
        if any(posixpath.basename(name) == lock for name in project.files):
            return SourceError(thing, cause, f"found {lock}: export one and commit it ({command})")
    return SourceError(thing, cause, "commit a requirements file (pip freeze > requirements.txt)")


def _unquoted(text: str) -> str:
    """The first word, as pip's option parser reads it."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    return words[0] if words else ""


def _shown(url: str) -> str:
    # Credentials of private repositories stay out of messages.
    return re.sub(r"://[^/@\s]+@", "://", url)
