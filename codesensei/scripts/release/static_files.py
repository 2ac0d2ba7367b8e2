"""What visitors would miss of the static files that were collected, or have in an older version."""

from __future__ import annotations

import filecmp
import os
import re
from collections.abc import Iterator
from pathlib import Path

from codesensei.scripts.base.files import link_target
from codesensei.scripts.release.release import Release

MANIFEST = '"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}'
_ABSENT = re.compile(r"\(staticfiles\.W004\) The directory '([^']+)' in the STATICFILES_DIRS setting does not exist")
# What a page is broken without; an older picture is no harm.
_CODE = (".css", ".js", ".mjs")
_SHOWN = 3


def absent(release: Release, said: str) -> Iterator[str]:
    """A sentence for each folder of STATICFILES_DIRS that collectstatic did not find, from what it said."""
    for folder in dict.fromkeys(_ABSENT.findall(said)):
        path = os.path.relpath(folder, release.path)
        where = folder if path.startswith("..") else path
        yield (
            f"there is no {where}, which STATICFILES_DIRS names: its static files are not served; commit it (is it in"
            " .gitignore?), build it in project.hooks.beforeCollectstatic, or take it out of the setting"
        )


def kept_names(release: Release, public: Path) -> Iterator[str]:
    """A sentence where styles and scripts of the serving release have other contents now, under the same names.

    nginx lets browsers keep each name for a year.
    """
    facts, serving = release.facts, link_target(release.project.current)
    if serving is None or facts.visitors is None or facts.visitors.static_renamed:
        return
    before = Path(os.path.realpath(release.project.own_folder(Path(serving).name) / "static"))
    changed = sorted(
        str(path.relative_to(public))
        for path in public.rglob("*")
        if path.suffix in _CODE and _differs(path, before / path.relative_to(public))
    )
    if changed:
        names = ", ".join(changed[:_SHOWN]) + (f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else "")
        yield (
            f"static files have changed and kept their names ({names}): who was here before sees the old ones for"
            f" up to a year; give them names that change, in STORAGES: {MANIFEST}"
        )


def _differs(path: Path, before: Path) -> bool:
    """Whether both are files of the releases themselves: what a link leads to is nothing for root to read."""
    plain = all(one.is_file() and os.path.realpath(one) == str(one) for one in (path, before))
    return plain and not filecmp.cmp(path, before, shallow=False)
