"""What a build has left in a release that the team should know of: databases that would be lost, Node's packages."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

from codesensei.scripts.base import files
from codesensei.scripts.release.release import Release

NODE = "node_modules"
MUCH = 20 << 20


def warnings(release: Release, archive: Path) -> Iterator[str]:
    """Sentences about a sealed release: its files are root's, and nothing changes them any more."""
    committed: set[str] | None = None
    if archive.exists():
        with tarfile.open(archive, "r:") as tar:
            committed = set(tar.getnames())
    databases, packages = [], {}
    for folder, folders, names in os.walk(release.path):
        if NODE in folders:
            folders.remove(NODE)
            packages[os.path.relpath(os.path.join(folder, NODE), release.path)] = _size(os.path.join(folder, NODE))
        paths = {
            os.path.relpath(os.path.join(folder, name), release.path): os.path.join(folder, name) for name in names
        }
        # Without the archive nobody knows which of them the commit has.
        if committed is not None:
            databases += [path for path, whole in paths.items() if path not in committed and files.is_sqlite(whole)]
    for path in sorted(databases):
        yield (
            f"{path} is a SQLite file in the release, made by its build: nothing can write it, and the next release"
            f" will not have it; let the project keep it in {release.project.shared}"
        )
    for path, size in sorted(packages.items()):
        if size >= MUCH and path not in (committed or ()):
            yield (
                f"{path} takes {size >> 20} MB in each release that is kept; if nothing needs it once the assets are"
                f" built, add rm -rf {path} to project.hooks.afterCollectstatic"
            )


def _size(folder: str) -> int:
    return sum(os.lstat(os.path.join(inner, name)).st_size for inner, _, names in os.walk(folder) for name in names)
