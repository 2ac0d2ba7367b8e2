"""Files of other tools than pip that say what is installed: lock files, and pyproject.toml itself."""

from __future__ import annotations

import json
import posixpath
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from codesensei.source.archive import Checkout
from codesensei.source.closure import BUILDS, Closure, digest_of, moves, plain, without_credentials
from codesensei.source.errors import SourceError, listing
from codesensei.source.tree import join
from codesensei.source.versions import allowed, version
from codesensei.wire import uv
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import LockFile, LockTool

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Table = Mapping[str, Any]

_NAMES = re.compile(r"(?P<uv>uv\.lock)|(?P<poetry>poetry\.lock)|(?P<pdm>pdm\.lock)|(?P<pipenv>Pipfile\.lock)|"
                    r"(?P<pylock>pylock(\.[^.]+)?\.toml)|(?P<pyproject>pyproject\.toml)")  # fmt: skip
_LOCK = {"uv": "uv lock", "poetry": "poetry lock", "pdm": "pdm lock", "pipenv": "pipenv lock"}
_REQUIREMENT = re.compile(r"\s*(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?P<rest>[^;]*)")
# Keys by which a table leaves a package out: Poetry's, and Pipenv's, which are those of markers.
_MARKERS = frozenset(
    "python markers platform os_name sys_platform implementation_name implementation_version platform_machine"
    " platform_python_implementation platform_release platform_system platform_version python_version"
    " python_full_version".split()
)
_OWN_TABLES = ("packages", "dev-packages", "source", "requires", "pipenv", "scripts")


@dataclass(frozen=True)
class _Package:
    """One that a lock file names. `local` is its path in the repository, `url` where else it is from."""

    name: str
    version: str = ""
    local: str = ""
    url: str = ""


@dataclass(frozen=True)
class _Chosen:
    """What a project wants, in the file that people edit: `asked` are names, `extras` and `groups` what it offers.

    `sometimes` are those of `asked` that a marker leaves out somewhere; a lock may have no row for one.
    """

    asked: frozenset[str] = frozenset()
    sometimes: frozenset[str] = frozenset()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


def tool_of(file: str) -> LockTool | None:
    """The tool that reads a file of this name; None where pip does."""
    found = _NAMES.fullmatch(posixpath.basename(file))
    tools: tuple[LockTool, ...] = ("uv", "poetry", "pdm", "pipenv", "pylock", "pyproject")
    return next((tool for tool in tools if found and found[tool]), None)


def rank(file: str) -> tuple[bool, int, str]:
    """Locks before pyproject.toml, and those near the root first."""
    return tool_of(file) == "pyproject", file.count("/"), file


def lock_closure(project: Checkout, file: str, tool: LockTool, extras: tuple[str, ...]) -> Closure:
    """What `file` has installed, with `extras`. SourceError for one that cannot be read or is out of date."""
    folder = posixpath.dirname(file) or "."
    data = _data(project, file)
    edited = {"pipenv": "Pipfile", "pylock": ""}.get(tool, "pyproject.toml")
    beside = join(folder, edited) if edited else ""
    if beside and not project.tree.is_file(beside):
        cause = f"belongs to {edited}, which is not beside it in commit {project.short}"
        raise SourceError(f"project.requirements {file}", cause, "commit it")
    wanted = _chosen(_data(project, beside)) if beside else _Chosen()
    lock = _lock(tool, extras, wanted, beside or file)
    packages = list(_READERS[tool](data, lock))
    if tool == "uv" and not _own_of_uv(data):
        fix = "export a requirements file of the package that serves (uv export --package), and commit it"
        raise SourceError(f"project.requirements {file}", "locks no project at its own folder", fix)
    if tool == "pyproject":
        _refuse_without_list(data, file)
    elif stale := sorted(_lacks(data, tool, wanted)):
        cause = f"does not have {listing(stale)}, which {beside} asks for"
        raise SourceError(f"project.requirements {file}", cause, f"bring it up to date ({_LOCK[tool]}), and commit it")
    local = {package.name: join(folder, package.local) for package in packages if package.local}
    for name, path in local.items():
        if not project.tree.is_file(path) and not any(project.tree.is_file(join(path, build)) for build in BUILDS):
            cause = f"installs {name} from {path}, which is not in commit {project.short}"
            raise SourceError(f"project.requirements {file}", cause, "commit it")
    # What a lock names is a full commit.
    moving = [without_credentials(package.url) for package in packages if moves(package.url)]
    why = (
        *(f"{file}: installs {path} from the repository itself" for path in local.values()),
        *(f"{file}: installs {url}, which names no full commit and can move" for url in moving),
    )
    return Closure(
        files=tuple(dict.fromkeys([file, *([beside] if beside else [])])),
        digest=digest_of(project, {file, *([beside] if beside else [])}),
        per_release=bool(why),
        why=why,
        directory=folder,
        names=frozenset(plain(package.name) for package in packages),
        roots=tuple(dict.fromkeys(root for path in local.values() for root in (path, join(path, "src")))),
        versions=_versions(packages),
        unknown=bool(local),
        asked={
            package.name: without_credentials(package.url or package.local) or package.version for package in packages
        },
        # One without a hash would be refused among others that have them.
        hashed=tool not in ("pylock", "pyproject") and not any(package.local or package.url for package in packages),
        lock=lock,
        uv=other_uv(project, folder),
    )


def _versions(packages: Iterable[_Package]) -> dict[str, str]:
    """By name; none for one that is locked in several, of which the server's Python chooses."""
    found: dict[str, set[str]] = {}
    for package in packages:
        found.setdefault(plain(package.name), set()).add(package.version)
    return {name: version for name, versions in found.items() for version in versions if version and len(versions) == 1}


def other_uv(project: Checkout, folder: str) -> str:
    """Which versions of uv may run in a folder of the repository, where the usual one may not; else empty.

    As uv finds it: the nearest uv.toml, or pyproject.toml with a table for uv, decides.
    """
    place = folder
    while True:
        for name in ("uv.toml", "pyproject.toml"):
            if project.tree.is_file(join(place, name)):
                data = _data(project, join(place, name))
                settings = data if name == "uv.toml" else _table(_table(data, "tool"), "uv")
                if settings or name == "uv.toml":
                    wanted = settings.get("required-version")
                    wanted = f"=={wanted}" if isinstance(wanted, str) and wanted[:1].isdigit() else wanted
                    return wanted if isinstance(wanted, str) and not allowed(wanted).takes(version(uv.VERSION)) else ""
        if place in (".", ""):
            return ""
        place = posixpath.dirname(place) or "."


def _data(project: Checkout, file: str) -> Table:
    text = project.read(file)
    try:
        found = json.loads(text) if file.endswith("Pipfile.lock") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        words = str(error).splitlines()[0] if str(error) else "it is nested too deeply"
        raise SourceError(file, f"cannot be read: {words}", "fix that line, or make the file again") from None
    if not isinstance(found, dict):
        raise SourceError(file, "cannot be read: it holds no table", "make the file again")
    return found


def _lock(tool: LockTool, extras: tuple[str, ...], wanted: _Chosen, file: str) -> LockFile:
    """Which of `extras` are optional dependencies, and which are groups."""
    known = sorted({*wanted.extras, *wanted.groups})
    if missing := [name for name in extras if name not in known]:
        fix = f"it has {listing(known)}" if known else "it has none: leave project.extras out"
        raise SourceError("project.extras", f"{file} has no extra or group {listing(missing)}", fix)
    return LockFile(
        tool=tool,
        extras=tuple(name for name in extras if name in wanted.extras),
        groups=tuple(name for name in extras if name in wanted.groups),
    )


def _chosen(data: Table) -> _Chosen:
    """What pyproject.toml or Pipfile asks for and offers."""
    project, tools = _table(data, "project"), _table(data, "tool")
    poetry, pdm = _table(tools, "poetry"), _table(tools, "pdm")
    optional, groups = _table(project, "optional-dependencies"), _table(data, "dependency-groups")
    lines = {name: ";" in line for line in _texts(project.get("dependencies")) for name in _names([line])}
    tables = {**_table(poetry, "dependencies"), **_table(data, "packages")}
    asked = {**lines, **{name: _has_marker(row) for name, row in tables.items() if name != "python"}}
    return _Chosen(
        asked=frozenset(map(plain, asked)),
        sometimes=frozenset(plain(name) for name, is_marked in asked.items() if is_marked),
        extras=(*optional, *_table(poetry, "extras")),
        groups=(
            *groups,
            *_table(poetry, "group"),
            *_table(pdm, "dev-dependencies"),
            *(name for name in data if "packages" in data and name not in _OWN_TABLES),
        ),
    )


def _has_marker(row: object) -> bool:
    """Whether a table of Poetry or Pipenv, or one of several for a package, says where it is left out."""
    rows = row if isinstance(row, list) else [row]
    return any(isinstance(one, dict) and not _MARKERS.isdisjoint(one) for one in rows)


def _lacks(data: Table, tool: LockTool, wanted: _Chosen) -> frozenset[str]:
    """What the project asks for, and the lock does not know."""
    found = frozenset(plain(name) for name in _all_names(data, tool))
    known = [_table(row, "metadata") for row in _own_of_uv(data)] if tool == "uv" else []
    if any("requires-dist" in table for table in known):
        # uv writes down there what it was asked for, whether it has a row for it or not.
        return (
            wanted.asked - found - {plain(str(row.get("name"))) for one in known for row in _rows(one, "requires-dist")}
        )
    return wanted.asked - wanted.sometimes - found


def _refuse_without_list(data: Table, file: str) -> None:
    if "project" in data:
        return
    tools = {"poetry": "poetry.lock", "pdm": "pdm.lock", "uv": "uv.lock"}
    found = [lock for tool, lock in tools.items() if tool in _table(data, "tool")]
    fix = (
        f"commit {found[0]}, and set project.requirements to it" if found else "list them under [project] dependencies"
    )
    raise SourceError(f"project.requirements {file}", "has no table [project], which lists dependencies", fix)


def _table(data: Table, key: str) -> Table:
    found = data.get(key)
    return found if isinstance(found, dict) else {}


def _rows(data: Table, key: str) -> list[Table]:
    found = data.get(key)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _texts(value: object) -> tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()


def _names(lines: object) -> Iterator[str]:
    for line in _texts(lines):
        if found := _REQUIREMENT.match(line):
            yield found["name"]


def _all_names(data: Table, tool: LockTool) -> Iterator[str]:
    """Every package that the lock has, wherever it is installed."""
    if tool == "pipenv":
        yield from (name for table in data.values() if isinstance(table, dict) for name in table)
    yield from (str(row.get("name", "")) for row in _rows(data, "package"))


def _own_of_uv(data: Table) -> list[Table]:
    """The project at the lock's own folder; a workspace may have none there."""
    kinds = ("virtual", "editable")
    return [row for row in _rows(data, "package") if "." in (_table(row, "source").get(kind) for kind in kinds)]


def _of_uv(data: Table, lock: LockFile) -> Iterator[_Package]:
    """Those that the project at the lock's own folder reaches."""
    rows = _rows(data, "package")
    own = _own_of_uv(data)
    by_name: dict[str, list[Table]] = {}
    for row in rows:
        by_name.setdefault(str(row.get("name")), []).append(row)
    edges = [edge for row in own for edge in _edges_of_uv(row, lock.extras, lock.groups)]
    seen = set[str]()
    while edges:
        edge = edges.pop()
        extras = _texts(edge.get("extra"))
        key = f"{edge.get('name')} {edge.get('version', '')} {extras}"
        if key in seen:
            continue
        seen.add(key)
        for row in by_name.get(str(edge.get("name")), ()):
            if edge.get("version", row.get("version")) != row.get("version"):
                continue
            edges += _edges_of_uv(row, extras, ())
            # A project may ask for extras of its own.
            if row not in own:
                source = _table(row, "source")
                local = str(next((source[kind] for kind in ("directory", "editable", "path") if kind in source), ""))
                url = str(source.get("git") or source.get("url") or "")
                yield _Package(str(row.get("name")), f"=={row.get('version', '')}", local, url)


def _edges_of_uv(row: Table, extras: Iterable[str], groups: Iterable[str]) -> Iterator[Table]:
    yield from _rows(row, "dependencies")
    for extra in extras:
        yield from _rows(_table(row, "optional-dependencies"), extra)
    for group in groups:
        yield from _rows(_table(row, "dev-dependencies"), group)


def _of_poetry(data: Table, lock: LockFile) -> Iterator[_Package]:
    """Locks since Poetry 2 say of each package for which groups it is; older ones are taken whole."""
    for row in _rows(data, "package"):
        groups = _texts(row.get("groups")) or (str(row.get("category", "main")),)
        if {"main", *lock.groups} & set(groups) and (lock.extras or not row.get("optional")):
            source = _table(row, "source")
            local = str(source.get("url", "")) if source.get("type") in ("directory", "file") else ""
            url = str(source.get("url", "")) if source.get("type") in ("git", "url") else ""
            yield _Package(str(row.get("name")), f"=={row.get('version', '')}", local, url)


def _of_pdm(data: Table, lock: LockFile) -> Iterator[_Package]:
    chosen = {"default", *lock.extras, *lock.groups}
    for row in _rows(data, "package"):
        if chosen & set(_texts(row.get("groups")) or ("default",)):
            url = str(row.get("git") or row.get("url") or "")
            yield _Package(str(row.get("name")), f"=={row.get('version', '')}", str(row.get("path", "")), url)


def _of_pipenv(data: Table, lock: LockFile) -> Iterator[_Package]:
    for category in ("default", *lock.groups):
        for name, row in _table(data, category).items():
            known = row if isinstance(row, dict) else {}
            url = str(known.get("git") or known.get("file") or "")
            yield _Package(name, str(known.get("version", "")), str(known.get("path", "")), url)


def _of_pylock(data: Table, lock: LockFile) -> Iterator[_Package]:
    for row in _rows(data, "packages"):
        paths = (_table(row, kind).get("path") for kind in ("directory", "archive"))
        urls = (_table(row, kind).get("url") for kind in ("vcs", "archive"))
        version = f"=={row['version']}" if row.get("version") else ""
        local, url = (str(next(filter(None, found), "")) for found in (paths, urls))
        yield _Package(str(row.get("name")), version, local, url)


def _of_pyproject(data: Table, lock: LockFile) -> Iterator[_Package]:
    project = _table(data, "project")
    lists = [
        project.get("dependencies"),
        *(_table(project, "optional-dependencies").get(extra) for extra in lock.extras),
        *(_table(data, "dependency-groups").get(group) for group in lock.groups),
    ]
    for line in (line for found in lists for line in _texts(found)):
        if found := _REQUIREMENT.match(line):
            rest = found["rest"].strip()
            url = rest.removeprefix("@").strip() if rest.startswith("@") else ""
            yield _Package(found["name"], "" if url else rest.strip("()").replace(" ", ""), "", url)


_READERS: Mapping[LockTool, Callable[[Table, LockFile], Iterator[_Package]]] = {
    "uv": _of_uv,
    "poetry": _of_poetry,
    "pdm": _of_pdm,
    "pipenv": _of_pipenv,
    "pylock": _of_pylock,
    "pyproject": _of_pyproject,
}
