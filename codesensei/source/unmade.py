"""What neither the commit has nor a deploy makes by itself: compiled translations, tables of caches."""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Iterator

from codesensei.config.project import ProjectConfig
from codesensei.source import ignored
from codesensei.source.errors import SourceError, Told, listing
from codesensei.source.settings import Modules, Settings

_CACHE = "django.core.cache.backends.db.DatabaseCache"
_TEXTS = ("django.po", "djangojs.po")
# Not of the site: others' packages, and what only tests or documentation read.
_OTHERS = {"node_modules", "tests", "test", "docs", "doc"}


def translations(modules: Modules, settings: Settings, config: ProjectConfig) -> Iterator[Told]:
    """Translations that are not compiled: Django shows the text of the source instead, and says nothing."""
    project, i18n = modules.project, settings.found.get("USE_I18N")
    hooks = _hooks(config)
    if (i18n is not None and i18n.value is False) or any(
        "compilemessages" in line or "msgfmt" in line for line in hooks
    ):
        return
    plain = sorted(name for name in project.files if _is_text(name) and f"{name[:-3]}.mo" not in project.files)
    if plain:
        unless = ", unless a hook makes it" if hooks else ""
        cause = f"the commit has no compiled translation beside it{unless}, so the site is not translated"
        cause += f" (nor for {listing(plain[1:], limit=2)})" if plain[1:] else ""
        fix = (
            "set project.hooks.beforeCollectstatic: [python manage.py compilemessages] and project.systemPackages:"
            f" [gettext], or commit the .mo files{ignored.by_line(project, f'{plain[0][:-3]}.mo')}"
        )
        yield Told(SourceError(plain[0], cause, fix), False)


def _is_text(name: str) -> bool:
    """Whether a file has texts of another language than that of most sources."""
    folders = posixpath.dirname(name).split("/")
    named = posixpath.basename(name) in _TEXTS and folders[-1] == "LC_MESSAGES" and len(folders) > 1
    return named and not folders[-2].startswith("en") and not _OTHERS & set(folders)


def cache_tables(modules: Modules, settings: Settings, config: ProjectConfig) -> Iterator[Told]:
    """Caches in tables of the database, which `migrate` does not make."""
    setting = settings.found.get("CACHES")
    caches = setting.value if setting and isinstance(setting.value, dict) else {}
    named = [
        str(alias) for alias, cache in caches.items() if isinstance(cache, dict) and cache.get("BACKEND") == _CACHE
    ]
    if setting is None or not named or any("createcachetable" in line for line in _hooks(config)):
        return
    migrations = fnmatch.filter(modules.project.files, "*migrations/*.py")
    if not any("createcachetable" in modules.project.read(name) for name in migrations):
        aliases = listing(f"CACHES[{alias!r}]" for alias in named)
        cause = f"{aliases} is in a table of the database, which migrate does not make: whatever uses it fails"
        fix = (
            "set project.hooks.afterMigrate: [python manage.py createcachetable], which leaves one that is there alone"
        )
        yield Told(SourceError(setting.place, cause, fix), False)


def _hooks(config: ProjectConfig) -> list[str]:
    """The lines of all hooks before the switch."""
    return [line for lines in config.hooks.model_dump(exclude={"after_switch"}).values() for line in lines]
