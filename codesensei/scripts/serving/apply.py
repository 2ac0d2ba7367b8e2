"""Make the manifest what the server has: files, links, the role's password, the web process."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from codesensei.scripts.base import commands, files, nginx, units
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.base.step import Failure
from codesensei.scripts.postgres import passwords
from codesensei.scripts.release import jobs
from codesensei.scripts.serving import default_tls
from codesensei.scripts.serving.change import Change
from codesensei.wire import paths
from codesensei.wire.manifest import File
from codesensei.wire.paths import ProjectPaths


def write(change: Change) -> bool:
    """Put everything in its place that processes find when they start; whether nginx must read something again."""
    step, manifest = change.step, change.manifest
    for process in manifest.homes:
        jobs.make_app_home(change.release, process)
    proxy_changed = _write_files(change)
    proxy_changed = default_tls.point(step, manifest.default_tls) or proxy_changed
    if role := manifest.database:
        passwords.apply(step.slug, role.role, role.digest)
    if change.of_code():
        _point_current(change)
    return proxy_changed


def start_web(change: Change, stale: Collection[str]) -> None:
    """Start socket and web process, new ones where they are in `stale`."""
    systemctl("daemon-reload")
    systemctl("enable", "--quiet", *(unit.name for unit in change.manifest.units))
    for name in change.manifest.named("socket"):
        if name in stale and units.is_active(name):
            units.restart_socket(name)
        else:
            systemctl("start", name)
    web = change.manifest.web
    systemctl("restart" if web in stale else "start", web)


def reload_proxy() -> None:
    """Let nginx read its configuration again, unless it would refuse it."""
    tested = commands.run(["nginx", "-t", "-q"], check=False)
    if not tested.ok:
        raise Failure("proxy", "nginx refuses the new site", "nothing was changed", tested.stderr)
    nginx.reload(start=True)


def _write_files(change: Change) -> bool:
    """The manifest's files, and none that left it; whether the proxy's changed."""
    step, proxy_changed = change.step, False
    for file in change.manifest.files:
        path = Path(file.path)
        _make_parents(step.project, file)
        changed = files.write_file(path, file.content, int(file.mode, 8), "root", file.group)
        if link := paths.site_link(path):
            changed = files.make_link(link, f"../sites-available/{path.name}") or changed
            proxy_changed = proxy_changed or changed
        step.converge(changed, f"{path} written")
    for gone in sorted(set(change.now.contents) - {file.path for file in change.manifest.files}):
        path = Path(gone)
        if link := paths.site_link(path):
            proxy_changed = files.remove_path(link) or proxy_changed
        # A unit's file goes when its process has ended.
        if path.parent != paths.SERVER.units:
            step.converge(files.remove_path(path), f"{path} removed")
    return proxy_changed


def _make_parents(project: ProjectPaths, file: File) -> None:
    folder = Path(file.path).parent
    if folder.is_relative_to(project.config):
        files.make_directory(project.config.parent, 0o755)
        files.make_directory(project.config, 0o751)
        files.make_directory(folder, 0o750, "root", file.group)


def _point_current(change: Change) -> None:
    project, before, name = change.step.project, change.now.release, change.release.name
    if before and project.release(before).is_dir():
        files.make_link(project.previous, f"releases/{before}")
    files.make_link(project.current, f"releases/{name}")
    change.step.changed(f"current leads to {name}")
