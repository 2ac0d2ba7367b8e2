"""Remove a project's site, log rotation and workers' commands, and whatever else its manifest wrote."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from codesensei.scripts.base import commands, files, nginx
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.serving import default_tls
from codesensei.scripts.serving.live import is_own_path
from codesensei.wire import paths
from codesensei.wire.paths import site_link


def remove(step: Step[object], written: Iterable[str]) -> None:
    """Site, log rotation, workers' commands, and what of `written` is in a place of this project's own."""
    project = step.project
    sites = [path for path in (site_link(project.site), project.site) if path]
    listed = [Path(path) for path in written if is_own_path(project, path)]
    # There until nginx has forgotten the site: a run that was cut off, or refused by nginx -t, is completed.
    pending = project.memory / "destroy.pending"
    shown = default_tls.wanted(step, None) is not None
    if shown or any(path.is_symlink() or path.exists() for path in sites):
        files.write_file(pending, "", 0o600)
    for path in [*sites, *listed, project.rotation, project.config]:
        step.converge(files.remove_path(path), f"{path} removed")
    default_tls.point(step, None)
    if pending.exists():
        _reload_proxy(step)
        pending.unlink()
    for log in paths.SERVER.nginx_logs.glob(f"codesensei-{step.slug}.*log*"):
        files.remove_path(log)


def _reload_proxy(step: Step[object]) -> None:
    check = commands.run(["nginx", "-t"], check=False)
    if not check.ok:
        raise Failure(
            "nginx configuration",
            f"the site of {step.slug} is removed, but nginx -t refuses what is left, so the old one is still in use",
            "correct the file that is named, then run pulumi destroy again",
            check.stderr,
        )
    nginx.reload()
