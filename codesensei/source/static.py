"""Storages that the settings lack, and style sheets that would be made while the site serves."""

from __future__ import annotations

from collections.abc import Iterator

from codesensei.config.project import ProjectConfig
from codesensei.source.errors import SourceError, Told
from codesensei.source.settings import Settings
from codesensei.source.values import parts

_PLAIN = '{"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}'
_FILES = '{"BACKEND": "django.core.files.storage.FileSystemStorage"}'


def storages(settings: Settings) -> Iterator[Told]:
    """STORAGES takes the place of Django's own: what it leaves out is not there."""
    setting, apps = settings.found.get("STORAGES"), settings.found.get("INSTALLED_APPS")
    if setting is None or not isinstance(setting.value, dict) or "**" in setting.value or not setting.certain:
        return
    if "staticfiles" not in setting.value:
        used = apps is not None and "django.contrib.staticfiles" in [text for _, text in parts(apps.value)]
        cause = "STORAGES has no storage named staticfiles, which Django needs for static files"
        yield Told(SourceError(setting.place, cause, f'add "staticfiles": {_PLAIN}'), used)
    if "default" not in setting.value:
        cause = "STORAGES has no storage named default, which Django needs for uploads"
        yield Told(SourceError(setting.place, cause, f'add "default": {_FILES}'), False)


def compressor(settings: Settings, config: ProjectConfig) -> Iterator[Told]:
    """django-compressor writes into STATIC_ROOT while it answers, unless everything is compressed before."""
    found = settings.found
    apps = found.get("INSTALLED_APPS")
    if apps is None or "compressor" not in [text for _, text in parts(apps.value)]:
        return
    values = {name: found[name].value if name in found else None for name in ("COMPRESS_ENABLED", "COMPRESS_OFFLINE")}
    hooks = (*config.hooks.after_collectstatic, *config.hooks.before_collectstatic)
    by_hook = any("compress" in line for line in hooks)
    hook = "project.hooks.afterCollectstatic: [python manage.py compress]"
    if values["COMPRESS_ENABLED"] is False:
        return
    if values["COMPRESS_OFFLINE"] in (None, False):
        place = found["COMPRESS_OFFLINE"].place if "COMPRESS_OFFLINE" in found else apps.place
        cause = "django-compressor would write into the release while it answers: COMPRESS_OFFLINE is not on"
        yield Told(SourceError(place, cause, f"set COMPRESS_OFFLINE = True, and {hook}"), False)
    elif values["COMPRESS_OFFLINE"] is True and not by_hook:
        cause = "COMPRESS_OFFLINE is on, and no hook compresses anything"
        yield Told(SourceError(found["COMPRESS_OFFLINE"].place, cause, f"set {hook}"), False)
