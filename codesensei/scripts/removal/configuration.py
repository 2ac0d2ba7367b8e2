"""Remove a project's site, log rotation and workers' commands, and everything else that its manifest wrote."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from codesensei.scripts.base import commands, files, nginx
from codesensei.scripts.base.step import Step
from codesensei.scripts.serving import default_tls
from codesensei.scripts.serving.live import is_own_path
from codesensei.wire import paths
from codesensei.wire.paths import site_link


def remove(step: Step[object], written: Iterable[str]) -> None:
    """Remove site, log rotation, workers' commands, and the paths in `written` that belong to this project."""
    project = step.project
    sites = [path for path in (site_link(project.site), project.site) if path]
    listed = [Path(path) for path in written if is_own_path(project, path)]
    # It exists until nginx has dropped the site: the next run completes one that was cut off, or refused by nginx -t.
    pending = project.memory / "destroy.pending"
    shown = default_tls.wanted(step.project, None) is not None
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
        meaning = f"the site of {step.slug} is removed, but nginx still serves it"
        raise nginx.refusal(check.stderr, step.slug, meaning, "run pulumi destroy again")
    nginx.reload()
