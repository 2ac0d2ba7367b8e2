"""The closure of a requirements file: every file that decides what gets installed, and whether that is fixed."""

from __future__ import annotations

import posixpath
import re
import shlex
from dataclasses import dataclass, field

from codesensei.source import bounds, locks
from codesensei.source.archive import Checkout
from codesensei.source.closure import BUILDS, VCS, Closure, digest_of, moves, plain, without_credentials
from codesensei.source.errors import SourceError, listing, together
from codesensei.source.leftovers import refuse_leftover
from codesensei.source.tree import join
from codesensei.wire.together import Together

_COMMENT = re.compile(r"(^\s*|(?<=\S)\s+)#.*$")
_INCLUDE = re.compile(r"(?:-r|-c|--requirements?|--constraints?)(?:\s+|=)?(?P<path>.+)")
_INCLUDE_START = re.compile(r"-[rc](?![a-z-])|--(?:requirement|constraint)(?=[\s=])")
_EDITABLE = re.compile(r"(?:-e|--editable)(?:\s+|=)?(?P<what>.+)")
_FIND_LINKS = re.compile(r"(?:-f|--find-links)(?:\s+|=)?(?P<where>.+)")
_NAMED_URL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(?:\[[^\]]*\]\s*)?@\s*(?P<url>\S+)")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_ARCHIVE = re.compile(r"[^\s;\[]+\.(?:whl|tar\.gz|tar\.bz2|tar\.xz|tgz|zip)(?:\[[^\]]*\])?(?=\s|;|$)", re.IGNORECASE)
_VERSION = re.compile(r"[\w.-]+\s*(?:\[[^\]]*\]\s*)?\(?(?P<asked>[<>=!~][^()]*)\)?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")
# What else may be taken for a requirements file, and what is to be named instead.
_INSTEAD = {
    "Pipfile": "commit Pipfile.lock (pipenv lock), and set project.requirements to it",
    "setup.py": "a requirements file with one line, a dot, installs the repository itself",
    "setup.cfg": "a requirements file with one line, a dot, installs the repository itself",
    "environment.yml": "commit a requirements file (pip freeze > requirements.txt)",
}


@dataclass
class _Walk:
    """What has been read so far. `local`: paths of the repository that are installed, each by its line.

    `asked`: how each name is spelled first, and where it is from, if that is said. `marked` are the names of which a
    marker chooses between lines.
    """

    project: Checkout
    files: list[str] = field(default_factory=list)
    why: list[str] = field(default_factory=list)
    local: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    versions: dict[str, list[str]] = field(default_factory=dict)
    marked: set[str] = field(default_factory=set)
    asked: dict[str, tuple[str, str]] = field(default_factory=dict)
    unknown: bool = False
    in_place: bool = False
    hashed: bool = False
    checks: Together[SourceError] = field(default_factory=together)

    def read(self, path: str, included_at: str | None) -> None:
        if path in self.files:
            return
        if not self.project.tree.is_file(path):
            raise _missing(self.project, path, included_at)
        if len(self.files) >= bounds.REQUIREMENTS:
            cause = f"includes {path}, and only {bounds.REQUIREMENTS} files are read for one deploy"
            raise SourceError(included_at or path, cause, "include fewer files")
        self.files.append(path)
        text = self.project.read(path)
        above = ["", *text.splitlines()]
        for number, line in logical_lines(text):
            with self.checks:
                refuse_leftover(f"{path}:{number}", line, above[number - 1])
                self._line(path, f"{path}:{number}", line)

    def _line(self, path: str, place: str, line: str) -> None:
        self.hashed = self.hashed or "--hash" in line or line == "--require-hashes"
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
        if _URL.match(what) and not what.lower().startswith("file:"):
            self.why.append(f"{place}: includes {without_credentials(what)}, whose content can change")
            self.unknown = True
            return
        if _VARIABLE.search(what):
            self.why.append(f"{place}: includes {what}, which a variable names")
            self.in_place = self.unknown = True
            return
        if what.startswith(("/", "file:")):
            raise SourceError(place, f"includes {what}, outside the repository", "name a file of the repository")
        self.read(join(posixpath.dirname(path), what), place)

    def _editable(self, place: str, what: str) -> None:
        self.unknown = True
        self.asked[what] = without_credentials(what), ""
        named = _NAMED_URL.fullmatch(what)
        url = named["url"] if named else what
        if VCS.match(url):
            self._vcs(place, url)
        else:
            self.in_place = True
            self._local(place, what)

    def _requirement(self, place: str, line: str) -> None:
        named = _NAMED_URL.match(line)
        target = named["url"] if named else line.split(";", maxsplit=1)[0].split(" --", maxsplit=1)[0].strip()
        is_local = target.lower().startswith("file:") or (not _URL.match(target) and self._is_local(target))
        name = _NAME.match(line)
        if name and (named or not (is_local or _URL.match(target) or VCS.match(target))):
            self.names.add(name[0])
            # A constraint may spell a name in another way.
            spelled, where = self.asked.get(plain(name[0]), (name[0], ""))
            self.asked[plain(name[0])] = spelled, without_credentials(named["url"]) if named else where
            if ";" in line:
                self.marked.add(plain(name[0]))
            if version := _VERSION.fullmatch(line.split(";", maxsplit=1)[0].split(" --", maxsplit=1)[0].strip()):
                self.versions.setdefault(plain(name[0]), []).append(version["asked"].replace(" ", ""))
        else:
            self.unknown = True
            self.asked[target] = without_credentials(target), ""
        if VCS.match(target):
            self._vcs(place, target)
        elif is_local:
            self._local(place, target)

    def _local(self, place: str, target: str) -> None:
        self.why.append(f"{place}: installs {without_credentials(target)} from the repository itself")
        path = re.sub(r"\[[^\]]*\]$", "", target).removeprefix("file:").split("#")[0]
        if not path.startswith("/") and not _VARIABLE.search(path):
            self.local[place] = path

    def _is_local(self, target: str) -> bool:
        bare = target.partition("[")[0].strip()
        looks_local = bare in (".", "..") or bare.startswith(("./", "../", "/")) or "/" in bare
        return looks_local or bool(_ARCHIVE.fullmatch(target))

    def _vcs(self, place: str, url: str) -> None:
        if moves(url):
            self.why.append(f"{place}: installs {without_credentials(url)}, which names no full commit and can move")


def requirements_closure(project: Checkout, path: str, directory: str = ".", extras: tuple[str, ...] = ()) -> Closure:
    """Read `path` and what it includes. SourceError for a file that is not there, with those that are near.

    `directory` is where manage.py is: local paths may be meant from there too. `extras`: what else is installed of a
    lock file.
    """
    file = join(".", path)
    if (tool := locks.tool_of(file)) and project.tree.is_file(file):
        return locks.lock_closure(project, file, tool, extras)
    _refuse_other_files(project, file)
    if extras and project.tree.is_file(file):
        cause = f"says what is installed beside what a lock file has anyway, and {file} is none"
        raise SourceError("project.extras", cause, "leave it out, or set project.requirements to a lock file")
    walk = _Walk(project)
    walk.read(file, None)
    walk.checks.end()
    base = _base(project, walk.local, (".", posixpath.dirname(file) or ".", directory))
    places = [join(base, path) for path in walk.local.values()]
    versions = {name: ",".join(dict.fromkeys(asked)) for name, asked in walk.versions.items()}
    return Closure(
        files=tuple(walk.files),
        digest=digest_of(project, walk.files),
        per_release=bool(walk.why),
        why=tuple(walk.why),
        in_place=walk.in_place,
        directory=base,
        names=frozenset(map(plain, walk.names)),
        roots=tuple(dict.fromkeys(root for place in places for root in (place, join(place, "src")))),
        # Which of several lines with markers counts, only the server's Python decides.
        versions={
            name: version
            for name, version in versions.items()
            if name not in walk.marked or len(walk.versions[name]) == 1
        },
        unknown=walk.unknown or bool(walk.local),
        hashed=walk.hashed,
        asked={name: where or versions.get(key, "") for key, (name, where) in walk.asked.items()},
        uv=locks.other_uv(project, base),
    )


def _base(project: Checkout, local: dict[str, str], candidates: tuple[str, ...]) -> str:
    """The directory from which all local paths lead to something that can be installed."""
    for base in dict.fromkeys(candidates):
        if all(_is_installable(project, join(base, path)) for path in local.values()):
            return base
    place, path = next(item for item in local.items() if not _is_installable(project, join(".", item[1])))
    if project.tree.is_directory(join(".", path)):
        cause = f"installs {path}, and there is no pyproject.toml or setup.py in it"
        raise SourceError(place, cause, "commit one, or fix the line")
    fix = "commit it, or fix the line (paths are taken from the repository's root)"
    raise SourceError(place, f"installs {path}, which is not in commit {project.short}", fix)


def _is_installable(project: Checkout, path: str) -> bool:
    return project.tree.is_file(path) or any(project.tree.is_file(join(path, name)) for name in BUILDS)


def _refuse_other_files(project: Checkout, file: str) -> None:
    fix = _INSTEAD.get(posixpath.basename(file))
    if fix and project.tree.is_file(file):
        raise SourceError(f"project.requirements {file}", "is not a requirements file", fix)


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


def _missing(project: Checkout, path: str, included_at: str | None) -> SourceError:
    if included_at:
        names = [name for name in project.files if posixpath.basename(name) == posixpath.basename(path)]
        found = f"there is {listing(sorted(names))}: fix the line" if names else "commit the file, or fix the line"
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
    # A lock says more than what it was made from.
    others = sorted((name for name in project.files if locks.tool_of(name)), key=locks.rank)
    if others:
        return SourceError(thing, cause, f"found {listing(others)}: set project.requirements to the right one")
    for name, fix in _INSTEAD.items():
        if any(posixpath.basename(file) == name for file in project.files):
            return SourceError(thing, cause, f"found {name}: {fix}")
    return SourceError(thing, cause, "commit a requirements file (pip freeze > requirements.txt)")


def _unquoted(text: str) -> str:
    """The first word, as pip's option parser reads it."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    return words[0] if words else ""
