"""Folders of the source that outlive releases: each release has a link into shared in their place."""

from __future__ import annotations

import os
from collections.abc import Sequence

from codesensei.scripts.base.step import Step
from codesensei.scripts.release import jobs
from codesensei.scripts.release.install import require
from codesensei.scripts.release.jobs import Job
from codesensei.scripts.release.release import Release

# What the repository has there comes along once, whole or not at all: a copy that was cut off starts again.
COPY = """
set -e
part=$2/.codesensei-part
rm -rf -- "$part"
[ -d "$1" ] && [ -z "$(ls -A -- "$2")" ] || exit 0
cp -rT --no-preserve=mode -- "$1" "$part"
find "$part" -mindepth 1 -maxdepth 1 -exec mv -t "$2" -- {} +
rmdir -- "$part"
"""
LINK = """
set -e
rm -rf -- "$1"
mkdir -p -- "${1%/*}"
ln -s -- "$2" "$1"
"""


def share(step: Step[object], release: Release, paths: Sequence[str]) -> None:
    """Put the links into an unpacked release. Root opens neither side: the app user copies, the build user links."""
    for path in paths:
        inside, shared = release.path / path, release.project.shared / path
        title = f"share {path}"
        # What the serving release shares already was filled then; the app may have emptied it since.
        if not (release.project.current / path).is_symlink():
            argv = ["/bin/sh", "-c", COPY, "copy", str(inside), str(shared)]
            require(jobs.run_job(step, release, Job(title, argv, directory=release.path)), release, title)
        argv = ["/bin/sh", "-c", LINK, "link", str(inside), os.path.relpath(shared, inside.parent)]
        require(jobs.run_job(step, release, Job(title, argv, True, directory=release.path)), release, title)
