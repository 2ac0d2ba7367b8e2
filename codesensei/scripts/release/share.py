"""Folders of the source that outlive releases: each release has a link into shared in their place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from codesensei.scripts.base.step import Step
from codesensei.scripts.release import jobs
from codesensei.scripts.release.builder import require
from codesensei.scripts.release.jobs import Job
from codesensei.scripts.release.release import Release

COPY, LINK = (Path(__file__).with_name(name) for name in ("share_copy.sh", "share_link.sh"))


def share(step: Step[object], release: Release, paths: Sequence[str]) -> None:
    """Put the links into an unpacked release. Root opens neither side: the app user copies, the build user links."""
    for path in paths:
        inside, shared = release.path / path, release.project.shared / path
        title = f"share {path}"
        # What the serving release shares already was filled then; the app may have emptied it since.
        if not (release.project.current / path).is_symlink():
            argv = ["/bin/sh", str(COPY), str(inside), str(shared)]
            require(jobs.run_job(step, release, Job(title, argv, directory=release.path)), release, title)
        argv = ["/bin/sh", str(LINK), str(inside), os.path.relpath(shared, inside.parent)]
        require(jobs.run_job(step, release, Job(title, argv, True, directory=release.path)), release, title)
