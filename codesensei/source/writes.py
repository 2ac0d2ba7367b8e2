"""Files and folders inside the release that the settings let the project write: a release is read-only."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from codesensei.config.project import ProjectConfig
from codesensei.source.errors import SourceError, Told
from codesensei.source.places import ROOT, inside
from codesensei.source.settings import Modules, Setting, Settings
from codesensei.source.tree import join
from codesensei.source.values import Value, parts
from codesensei.wire.paths import ProjectPaths
from codesensei.wire.quick import dataclass

_SQLITE = re.compile(r"(?:db\+|sqla\+)?sqlite:/{2,3}(?P<path>[^?]+)")
# Settings, and keys in them, that name what is written.
_WRITTEN = re.compile(
    r"HAYSTACK_CONNECTIONS\.\w+\.PATH"
    r"|(HUEY|HUEY\.connection|DJANGO_HUEY\.queues\.\w+(\.connection)?|HUEY_STATS)\.(filename|path)"
    r"|STORAGES\.(?!staticfiles)\w+\.OPTIONS\.location"
    # Whole words: there is LOG in LOGO, and TEMP in TEMPLATE.
    r"|(?!\w*TEMPLATE)(\w+_)?"
    r"(LOG(S|GING|FILE)?|CACHES?|INDEX(ES)?|UPLOADS?|TMP|TEMP|EXPORTS?|BACKUPS?|SESSIONS?|EMAILS?|SCHEDULER?)"
    r"(_\w+)?_(FILE|FILENAME|PATH|DIR|ROOT|FOLDER)"
)
_KEPT_EMPTY = (".gitkeep", ".gitignore", ".keep")


@dataclass(frozen=True)
class _Write:
    """`path` relative to the source's root; `fatal` where Django refuses it, or writes it before anything serves."""

    what: str
    path: str | None
    setting: Setting
    fix: str
    fatal: bool = False
    why: str = "a release is read-only"


def written(modules: Modules, settings: Settings, config: ProjectConfig) -> Iterator[Told]:
    """What would be written into the release, told with a place that outlives it."""
    base, shared, seen = modules.roots[0], str(ProjectPaths(config.slug).shared), set[str]()
    absent = ", ".join(settings.absent)
    left_out = f"; the settings also take what {absent} sets, which is not in the commit" if absent else ""
    for write in (
        *_databases(settings, base, shared),
        *_logs(settings, base, shared),
        *_caches(settings, base, shared),
        *_others(modules, settings, base, shared),
        *_by_default(settings, base, shared),
        *_made(modules, settings, base),
    ):
        path = write.path
        if path is None or path in seen or any(f"{path}/".startswith(f"{kept}/") for kept in config.shared_paths):
            continue
        seen.add(path)
        doubt = "" if write.setting.certain else ", unless something changes it"
        cause = f"{write.what} is {path} inside the release{doubt}: {write.why}"
        yield Told(SourceError(write.setting.place, cause, write.fix + left_out), write.fatal)


def _at(base: str, value: object) -> str | None:
    """Where in the source a path of the settings leads to, from the folder that manage.py runs in."""
    place = inside(join(f"{ROOT}/{base}", value)) if isinstance(value, str) and value else None
    return None if place == "." else place


def _databases(settings: Settings, base: str, shared: str) -> Iterator[_Write]:
    setting = settings.found.get("DATABASES")
    for alias, database in _maps(setting):
        name, on_disk = database.get("NAME"), str(database.get("ENGINE")).endswith(("sqlite3", "spatialite"))
        # What a condition sets, or a variable changes, Django tells on the server.
        if setting and setting.certain and on_disk and not str(name).startswith((":memory:", "file:")):
            kept = f"{shared}/{'db' if alias == 'default' else alias}.sqlite3"
            own = "" if alias != "default" else '; or use the stack\'s own: "default": dj_database_url.config()'
            fix, why = f'set its NAME to "{kept}"{own}', "the next release would start without its data"
            yield _Write(f"the SQLite file of DATABASES[{alias!r}]", _at(base, name), setting, fix, fatal=True, why=why)


def _logs(settings: Settings, base: str, shared: str) -> Iterator[_Write]:
    setting, own = settings.found.get("LOGGING"), settings.found.get("LOGGING_CONFIG")
    for name, handler in _maps(setting, "handlers") if own is None or own.value is not None else ():
        path = _at(base, handler.get("filename"))
        if setting and path:
            file = f"{shared}/logs/{posixpath.basename(path)}"
            fix = f'log to standard error, which the journal keeps, or set it to "{file}"'
            opened = setting.certain and not handler.get("delay")
            yield _Write(f"the file of the log handler {name}", path, setting, fix, fatal=opened)


def _caches(settings: Settings, base: str, shared: str) -> Iterator[_Write]:
    setting = settings.found.get("CACHES")
    for alias, cache in _maps(setting):
        if setting and str(cache.get("BACKEND")).endswith("FileBasedCache"):
            fix = f'set its LOCATION to "{shared}/cache"'
            yield _Write(f"the file cache CACHES[{alias!r}]", _at(base, cache.get("LOCATION")), setting, fix)


def _others(modules: Modules, settings: Settings, base: str, shared: str) -> Iterator[_Write]:
    """What the names of settings tell: indexes, queues, exports."""
    for name, setting in settings.found.items():
        for way, text in parts(setting.value):
            if name == "STORAGES" and _is_elsewhere(setting.value, way):
                continue
            key = ".".join((name, *way))
            in_file = _SQLITE.fullmatch(text) if name != "DATABASES" else None
            path = _at(base, in_file["path"] if in_file else text) if in_file or _WRITTEN.fullmatch(key) else None
            if path and not path.endswith(".html") and not _has_data(modules, path):
                kept = f"{shared}/{posixpath.basename(path)}"
                is_file = in_file or "." in posixpath.basename(path)
                share = "" if is_file else f", or keep it by project.sharedPaths: [{path}]"
                new = f"{text.partition(':')[0]}:///{kept}" if in_file else kept
                yield _Write(key, path, setting, f'set it to "{new}"{share}')


def _is_elsewhere(storages: Value, way: Sequence[str]) -> bool:
    """Whether what a storage's options name is no folder, but a place in S3 or its like."""
    storage = storages.get(way[0]) if isinstance(storages, dict) and way else None
    backend = storage.get("BACKEND") if isinstance(storage, dict) else None
    return isinstance(backend, str) and "FileSystem" not in backend


def _by_default(settings: Settings, base: str, shared: str) -> Iterator[_Write]:
    """Files that packages make beside the settings where nothing is set."""
    apps = settings.found.get("INSTALLED_APPS")
    if apps and "huey.contrib.djhuey.stats" in [text for _, text in parts(apps.value)]:
        fix = f'set HUEY_STATS = {{"filename": "{shared}/huey-stats.db"}}'
        if "HUEY_STATS" not in settings.found:
            yield _Write("the file of huey's statistics", join(base, "huey-stats.db"), apps, fix)


def _made(modules: Modules, settings: Settings, base: str) -> Iterator[_Write]:
    """Folders that the settings make while they are loaded, which happens in the sealed release too."""
    for folder in settings.made:
        path = _at(base, folder.value)
        if path and not modules.project.tree.is_directory(path):
            fix = f"commit it, with an empty {path}/.gitkeep"
            if "static" not in posixpath.basename(path):
                fix = f"keep it by project.sharedPaths: [{path}]; or, if nothing is written into it, {fix}"
            yield _Write("a folder that the settings make", path, folder, fix, fatal=folder.certain)


def _has_data(modules: Modules, path: str) -> bool:
    """Whether the commit has files there, which the project may only read."""
    below = (name for name in modules.project.files if name.startswith(f"{path}/"))
    return modules.project.tree.is_file(path) or any(not name.endswith(_KEPT_EMPTY) for name in below)


def _maps(setting: Setting | None, *way: str) -> Iterator[tuple[str, dict[str, object]]]:
    """The maps in a map, by name."""
    value = setting.value if setting else {}
    for key in way:
        value = value.get(key, {}) if isinstance(value, dict) else {}
    if isinstance(value, dict):
        yield from ((str(name), inner) for name, inner in value.items() if isinstance(inner, dict))
