"""What Django's settings must say before a release may go on; each refusal names the line to change."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from codesensei.scripts.base.step import Failure
from codesensei.scripts.release.record import DatabaseFacts, Facts, Record
from codesensei.scripts.release.release import Release
from codesensei.wire import envfile, policy, shared
from codesensei.wire.manifest import Manifest
from codesensei.wire.steps import Build, BuildDatabase, Finding

OVERRIDDEN_FIX = "remove what overrides them: a committed .env (loaded with override=True), or lines of the settings"
PARTS = ("name", "user", "password", "host", "port")


def problems(facts: Facts, release: Release, data: Build) -> Iterator[Failure]:
    """All settings with which the site would lose data or not work."""
    yield from _check_applications(facts, data)
    yield from _check_sqlite(facts, release, data)
    yield from [*_check_served_media(facts, release, data)] or _check_media(facts, release)
    yield from _check_static(facts, release, data)
    # A SQLite file that would be lost has been told with the line for the generated database.
    if "default" not in _lost_sqlite(facts, release):
        yield from _check_database(facts, data)


def debug(facts: Facts, release: Release) -> Finding:
    """DEBUG, and which of the stack's variables the project does not have, of which it may be the end."""
    found = policy.finding("debug", module=facts.settings_module or release.settings_module)
    if names := overridden(facts, release):
        cause = f"{found.cause}; the project does not have the stack's values of {', '.join(names)}"
        return Finding(thing=found.thing, cause=cause, fix=f"{found.fix}; {OVERRIDDEN_FIX}")
    return found


def debug_in_production(facts: Facts, release: Release, manifest: Manifest) -> Iterator[Failure]:
    """DEBUG of what is about to serve, where it is on in production and not waived."""
    if not facts.debug or not manifest.production or "debug" in manifest.waived:
        return
    found = debug(facts, release)
    cause = f"codesensei:production is true, and {found.cause}"
    yield Failure(f"release {release.name}", cause, f"{found.fix}; or give your reason: {policy.waiver(['debug'])}")


def overridden(facts: Facts, release: Release) -> list[str]:
    """The stack's variables that the project has with another value."""
    if not release.env_file.exists():
        return []
    return sorted(set(facts.overridden) & set(envfile.assignments(release.env_file.read_bytes().decode())))


def _check_applications(facts: Facts, data: Build) -> Iterator[Failure]:
    """What was read from the settings on the operator's machine must be what Django says."""
    declared, thing = facts.asgi_application, "ASGI_APPLICATION"
    if data.asgi_declared is True and not declared:
        fix = "set project.interface to wsgi (or to asgi, to serve with ASGI anyway)"
        yield Failure(thing, "the settings seem to declare it, and Django says that they do not", fix)
    if data.asgi_declared is False and declared:
        fix = "set project.interface to asgi and project.asgiApplication to that, or to wsgi, to serve with WSGI anyway"
        yield Failure(thing, f"Django says {declared}, which reading the settings did not find", fix)
    wsgi, expected = facts.wsgi_application, data.wsgi_declared
    if wsgi and expected and wsgi.replace(":", ".") != expected.replace(":", "."):
        fix = f"set project.wsgiApplication: {':'.join(wsgi.replace(':', '.').rsplit('.', 1))}"
        yield Failure("WSGI_APPLICATION", f"Django says {wsgi}, and reading the settings found {expected}", fix)


def inside(path: str, tree: Path) -> bool:
    """Whether `path` lies in `tree`, links resolved."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(tree))


def outlives(path: str, release: Release) -> bool:
    """Whether what is at `path`, relative to the code, is there for the next release too."""
    whole = os.path.join(release.code, path)
    return inside(whole, release.project.shared) or not inside(whole, release.project.root)


def is_sqlite(database: DatabaseFacts) -> bool:
    """Whether an entry of DATABASES is a SQLite file."""
    return database.engine.endswith(("sqlite3", "spatialite"))


def sqlite_path(name: str) -> str | None:
    """The file of a SQLite database's NAME, which may be a URI; None for one in memory."""
    if not name.startswith("file:"):
        return None if name == ":memory:" else name
    found = urlsplit(name)
    return None if found.path == ":memory:" or "mode=memory" in found.query else unquote(found.path)


def sqlite_names(records: Iterable[Record]) -> set[str]:
    """What the SQLite files are called with which these releases work."""
    known = [found for each in records if each.facts for found in each.facts.databases.values() if is_sqlite(found)]
    return {os.path.basename(path) for found in known if (path := sqlite_path(found.name))}


def _lost_sqlite(facts: Facts, release: Release) -> dict[str, str]:
    """By alias, the SQLite files that the next release would not have."""
    paths = {alias: sqlite_path(known.name) for alias, known in facts.databases.items() if is_sqlite(known)}
    return {alias: path for alias, path in paths.items() if path is not None and not outlives(path, release)}


def _check_sqlite(facts: Facts, release: Release, data: Build) -> Iterator[Failure]:
    for alias, path in _lost_sqlite(facts, release).items():
        cause = f"the SQLite file {path} lies inside the release; the next release would start without its data"
        fix = f"set DATABASE_URL to sqlite:///{release.project.shared}/db.sqlite3 and read it in the settings"
        if alias != "default":
            fix = f'set DATABASES[{alias!r}]["NAME"] = "{release.project.shared}/{alias}.sqlite3" in the settings'
        if alias == "default" and data.database.kind == "generated":
            fix = f"write in {data.settings_module}: {_line(data.database.variables)}\nor, to keep SQLite, {fix}"
        yield Failure(f"DATABASES[{alias!r}]", cause, fix)


def _check_media(facts: Facts, release: Release) -> Iterator[Failure]:
    root = facts.media_root
    if root and facts.uploads_on_disk and not outlives(root, release):
        cause = f"{root} lies inside the release; the next release would lose what people uploaded"
        fix = f'set MEDIA_ROOT = "{release.project.media}" in the production settings'
        yield Failure("MEDIA_ROOT", cause, _shared_fix(root, release) + fix)


def _shared_fix(path: str, release: Release) -> str:
    """How to keep the folder of the release that `path` names; empty where it is none of its own."""
    folder = os.path.relpath(os.path.realpath(os.path.join(release.code, path)), os.path.realpath(release.path))
    return "" if folder == "." or folder.startswith("..") else f"add {folder} to project.sharedPaths, or "


def _check_served_media(facts: Facts, release: Release, data: Build) -> Iterator[Failure]:
    """If the proxy serves uploads, Django must store them there and say so."""
    root, folder, url = facts.media_root, release.project.shared / data.media, data.media_url
    if url is None or not root:
        return
    if os.path.realpath(os.path.join(release.code, root)) != os.path.realpath(folder):
        # nginx serves a shared folder of this name.
        kept = _shared_fix(root, release) if os.path.basename(root.rstrip("/")) == "media" else ""
        fix = f'{kept}set MEDIA_ROOT = "{folder}" in the production settings, or project.mediaServing to none'
        yield Failure("MEDIA_ROOT", f"it is {root}, and with project.mediaServing nginx serves {folder}", fix)
    if facts.media_url and _local_path(facts.media_url) != url:
        fix = "write MEDIA_URL as a plain string in the settings, or set project.mediaServing to none"
        yield Failure("MEDIA_URL", f"Django says {facts.media_url}, and the proxy serves {url}", fix)


def _local_path(url: str) -> str:
    """The path of a STATIC_URL or MEDIA_URL; one with a host is not on this site, and stays whole."""
    found = urlsplit(url)
    return url if found.netloc else f"/{found.path.lstrip('/')}"


def _check_static(facts: Facts, release: Release, data: Build) -> Iterator[Failure]:
    if data.static == "none" or not facts.installed_staticfiles:
        return
    root = facts.static_root
    if not root:
        fix = 'add STATIC_ROOT = BASE_DIR / "staticfiles" to the settings, or set project.static to none'
        yield Failure("STATIC_ROOT", "it is not set, and collectstatic needs it", fix)
    path = os.path.join(release.code, root)
    if root and (not inside(path, release.path) or os.path.realpath(path) == os.path.realpath(release.path)):
        cause = f"{root} lies outside the release; old and new releases would overwrite each other's files"
        yield Failure("STATIC_ROOT", cause, 'set STATIC_ROOT = BASE_DIR / "staticfiles" in the settings')
    # As written: in the release it is a link already.
    within = f"{os.path.normpath(path)}/"
    for folder in data.shared_paths:
        if root and f"{release.path / folder}/".startswith(within):
            yield Failure(f"project.sharedPaths: {folder}", *shared.IN_STATIC_ROOT)
    expected = data.static_url
    if not facts.static_url:
        yield Failure("STATIC_URL", "it is not set", f'add STATIC_URL = "{expected}" to the settings')
    elif _local_path(facts.static_url) != expected:
        fix = "write STATIC_URL as a plain string in the settings; with S3 or a CDN, set project.static to none"
        yield Failure("STATIC_URL", f"Django says {facts.static_url}, and the proxy serves {expected}", fix)


def _check_database(facts: Facts, data: Build) -> Iterator[Failure]:
    """The settings must use a DATABASE_URL that the program generated."""
    expected = data.database
    if expected.kind != "generated":
        return
    used = facts.databases
    if any(_is_generated(database, expected) for database in used.values()):
        return
    says = "; ".join(
        f"{alias}: {database.engine.rpartition('.')[2] or 'nothing'} {database.name}".rstrip()
        for alias, database in sorted(used.items())
    )
    fix = (
        f"write in {data.settings_module}: {_line(expected.variables)}\n"
        "or map codesensei:database.env to the variables that the settings read, or set database.kind to none"
    )
    yield Failure("DATABASES", f"the settings do not use the generated database {expected.name} ({says})", fix)


def _is_generated(database: DatabaseFacts, expected: BuildDatabase) -> bool:
    # Backends of other packages (a pool, tenants, metrics) have `postgres` or `postgis` somewhere in their names.
    engine = "postg" in database.engine or "psycopg" in database.engine
    return engine and (database.name, database.user) == (expected.name, expected.role)


def _line(variables: Mapping[str, str]) -> str:
    """The line of the settings that reads the variables that the program sets."""
    by_part = {part: name for name, part in variables.items()}
    if name := by_part.get("url"):
        given = "" if name == "DATABASE_URL" else f'env="{name}"'
        return f'DATABASES = {{"default": dj_database_url.config({given})}}  # from the package dj-database-url'
    parts = [f'"{part.upper()}": os.environ["{by_part[part]}"]' for part in PARTS if part in by_part]
    return f'DATABASES = {{"default": {{"ENGINE": "django.db.backends.postgresql", {", ".join(parts)}}}}}'
