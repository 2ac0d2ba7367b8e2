"""Settings without which a project is not deployed, or answers nobody: told before anything is installed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from codesensei.config import StackConfig
from codesensei.config.types import LeftOut
from codesensei.source.errors import SourceError, Told, listing
from codesensei.source.places import inside
from codesensei.source.settings import Setting, Settings
from codesensei.source.values import parts
from codesensei.wire import shared

_GEOGRAPHY = "django.contrib.gis.db.backends.postgis"


def needs(settings: Settings, config: StackConfig) -> Iterator[Told]:
    """What is plainly not there."""
    yield from _secret_key(settings)
    for check in (_static_root, _hosts, _geography):
        # What is wrong in the stack file itself is told anyway.
        with suppress(LeftOut):
            yield from check(settings, config)


def _secret_key(settings: Settings) -> Iterator[Told]:
    setting = settings.found.get("SECRET_KEY")
    if setting and setting.certain and setting.value in (None, ""):
        fix = (
            "read it from a variable, and add that to codesensei:generateSecrets, or run"
            " pulumi config set --secret --path codesensei:secretEnv.SECRET_KEY"
        )
        yield Told(SourceError(setting.place, "SECRET_KEY is empty, which Django refuses", fix), True)


def _static_root(settings: Settings, config: StackConfig) -> Iterator[Told]:
    apps, root = settings.found.get("INSTALLED_APPS"), settings.found.get("STATIC_ROOT")
    serves = config.project.static == "serve" and _has(apps, "django.contrib.staticfiles")
    lacks = root.certain and root.value in (None, "") if root else settings.whole
    if apps and serves and apps.certain and lacks:
        cause = "STATIC_ROOT is not set, so static files cannot be collected"
        fix = 'write STATIC_ROOT = BASE_DIR / "staticfiles", or set project.static to none'
        yield Told(SourceError((root or apps).place, cause, fix), True)
    folder = inside(root.value) if root and serves and isinstance(root.value, str) else None
    for path in config.project.shared_paths:
        if root and folder and f"{path}/".startswith(f"{folder}/"):
            yield Told(SourceError(f"project.sharedPaths: {path}", *shared.IN_STATIC_ROOT), root.certain)


def _hosts(settings: Settings, config: StackConfig) -> Iterator[Told]:
    """Hostnames for which Django would answer 400."""
    setting = settings.found.get("ALLOWED_HOSTS")
    if setting is None or not isinstance(setting.value, list):
        return
    allowed = setting.value
    if not all(isinstance(host, str) for host in allowed):
        return
    debug = settings.found.get("DEBUG")
    if not allowed and not (setting.certain and debug and debug.certain and debug.value is False):
        # Django allows this machine's own names then, which the server tells of.
        return
    refused = [name for name in config.domains if not _is_allowed(name.removeprefix("*."), allowed, name)]
    if refused:
        doubt = "" if setting.certain else ", unless something changes it"
        cause = f"ALLOWED_HOSTS does not have {listing(refused)}{doubt}, so Django answers 400 there"
        fix = "add it, or read ALLOWED_HOSTS from a variable"
        yield Told(SourceError(setting.place, cause, fix), setting.certain)


def _is_allowed(name: str, allowed: Sequence[str], asked: str) -> bool:
    below = asked.startswith("*.")
    for host in map(str.lower, allowed):
        if host == "*" or (host.startswith(".") and f".{name}".endswith(host)) or (host == name and not below):
            return True
    return False


def _geography(settings: Settings, config: StackConfig) -> Iterator[Told]:
    setting = settings.found.get("DATABASES")
    made_here = config.database.kind in ("auto", "local") and "DATABASE_URL" not in {*config.env, *config.secret_names}
    if setting and made_here and _has(setting, _GEOGRAPHY) and "postgis" not in config.database.extensions:
        cause = f"DATABASES names {_GEOGRAPHY}, and a new database has no extension postgis"
        fix = "set codesensei:database.extensions: [postgis], which installs GDAL and GEOS too"
        yield Told(SourceError(setting.place, cause, fix), False)


def _has(setting: Setting | None, text: str) -> bool:
    return setting is not None and text in [found for _, found in parts(setting.value)]
