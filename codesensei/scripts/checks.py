"""What Django's own settings must say before a release may go on; each refusal names the line to change."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from codesensei.scripts.jobs import Release
from codesensei.scripts.step import Failure

Facts = dict[str, Any]


def check(facts: Facts, release: Release, data: dict[str, Any]) -> None:
    """Raise Failure for settings with which the site would lose data or not work."""
    _check_sqlite(facts, release)
    _check_media(facts, release)
    _check_static(facts, release, data)
    _check_database(facts, data.get("database") or {})


def inside(path: str, tree: Path) -> bool:
    """Whether `path` lies in `tree`, links resolved."""
    resolved = Path(os.path.realpath(path))
    tree = Path(os.path.realpath(tree))
    return resolved == tree or tree in resolved.parents


def _check_sqlite(facts: Facts, release: Release) -> None:
    for alias, database in facts["databases"].items():
        name = database["NAME"]
        if not database["ENGINE"].endswith(("sqlite3", "spatialite")) or name.startswith(("file:", ":memory:")):
            continue
        if inside(os.path.join(release.code, name), release.project.releases):
            raise Failure(
                f"DATABASES[{alias!r}]",
                f"the SQLite file {name} lies inside the release; the next release would start without its data",
                f"set DATABASE_URL to sqlite:///{release.project.shared}/db.sqlite3 and read it in the settings",
            )


def _check_media(facts: Facts, release: Release) -> None:
    root = facts["MEDIA_ROOT"]
    if root and inside(os.path.join(release.code, root), release.project.releases):
        raise Failure(
            "MEDIA_ROOT",
            f"{root} lies inside the release; the next release would lose what people uploaded",
            f'set MEDIA_ROOT = "{release.project.shared}/media" in the production settings',
        )


def _check_static(facts: Facts, release: Release, data: dict[str, Any]) -> None:
    if data["static"] == "none" or not facts["installedStaticfiles"]:
        return
    root = facts["STATIC_ROOT"]
    if not root:
        raise Failure(
            "STATIC_ROOT",
            "it is not set, and collectstatic needs it",
            'add STATIC_ROOT = BASE_DIR / "staticfiles" to the settings, or set project.static to none',
        )
    path = os.path.join(release.code, root)
    if not inside(path, release.path) or os.path.realpath(path) == os.path.realpath(release.path):
        raise Failure(
            "STATIC_ROOT",
            f"{root} lies outside the release; old and new releases would overwrite each other's files",
            'set STATIC_ROOT = BASE_DIR / "staticfiles" in the settings',
        )
    found = urlsplit(facts["STATIC_URL"])
    expected = data.get("staticUrl") or "/static/"
    served = found.path if found.path.startswith("/") else f"/{found.path}"
    if found.netloc or served != expected:
        raise Failure(
            "STATIC_URL",
            f"Django says {facts['STATIC_URL']}, and the proxy serves {expected}",
            "write STATIC_URL as a plain string in the settings; for files served elsewhere (S3, CDN) set"
            " project.static to none",
        )


def _check_database(facts: Facts, expected: dict[str, Any]) -> None:
    """A DATABASE_URL that the program made must be what the settings use."""
    if expected.get("kind") != "generated":
        return
    names = {database["NAME"] for database in facts["databases"].values()}
    if expected["name"] not in names:
        raise Failure(
            "DATABASES",
            f"the settings do not use the generated database {expected['name']}"
            f" (they name {', '.join(sorted(filter(None, names))) or 'none'})",
            'read DATABASE_URL, for example DATABASES = {"default": dj_database_url.config()}, or map'
            " codesensei:database.env to the variables that the settings read, or set database.kind to none",
        )
