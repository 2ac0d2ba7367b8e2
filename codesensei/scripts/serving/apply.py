"""Bring the manifest to the server: files, links, the role's password, the web process."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from codesensei.scripts.base import commands, files, nginx, units
from codesensei.scripts.base.commands import systemctl
from codesensei.scripts.postgres import passwords
from codesensei.scripts.release import jobs
from codesensei.scripts.serving import default_tls
from codesensei.scripts.serving.change import Change
from codesensei.wire import paths


def write(change: Change) -> bool:
    """Put everything in place that processes need when they start; True when nginx must reload."""
    step, project, manifest = change.step, change.step.project, change.manifest
    for process in manifest.homes:
        jobs.make_app_home(change.release, process)
    proxy_changed = _write_files(change)
    proxy_changed = default_tls.point(step, manifest.default_tls) or proxy_changed
    for name in change.taken:
        proxy_changed = step.converge(_disable(Path(name)), f"{name} disabled: this project has its hostnames now")
    if role := manifest.database:
        passwords.apply(step.slug, role.role, role.digest)
    if change.of_code():
        before, name = change.now.release, change.release.name
        if before and project.release(before).is_dir():
            files.make_link(project.previous, f"releases/{before}")
        files.make_link(project.current, f"releases/{name}")
        step.changed(f"current points to {name}")
    return proxy_changed


def load_units(change: Change) -> None:
    """Have systemd start the units that were written when it boots, and read them."""
    names = [unit.name for unit in change.manifest.units]
    systemctl("enable", "--quiet", "--no-reload", *names)
    units.read_again(names, enabled=True)


def start_web(change: Change, stale: Collection[str]) -> None:
    """Start socket and web process; restart those in `stale`."""
    for name in change.manifest.named("socket"):
        if name in stale and units.is_active(name):
            units.restart_socket(name)
        else:
            systemctl("start", name)
    web = change.manifest.web
    systemctl("restart" if web in stale else "start", web)


def _disable(path: Path) -> bool:
    if not path.is_symlink():
        files.write_file(paths.taken_copy(path), path.read_bytes())
    return files.remove_path(path)


def reload_proxy(slug: str) -> None:
    """Reload nginx, or start it. Raises Failure where it refuses its configuration."""
    tested = commands.run(["nginx", "-t", "-q"], check=False)
    if not tested.ok:
        raise nginx.refusal(tested.stderr, slug, "the new site is not in use")
    nginx.reload(start=True)


def _write_files(change: Change) -> bool:
    """Write the manifest's files and remove those that left it; True when the proxy's changed."""
    step, config, proxy_changed = change.step, change.step.project.config, False
    for file in change.manifest.files:
        path = Path(file.path)
        if path.is_relative_to(config):
            files.make_directory(config.parent, 0o755)
            files.make_directory(config, 0o751)
            files.make_directory(path.parent, 0o750, "root", file.group)
        changed = files.write_file(path, file.content, int(file.mode, 8), "root", file.group)
        if link := paths.site_link(path):
            changed = files.make_link(link, paths.site_target(path)) or changed
            proxy_changed = proxy_changed or changed
        step.converge(changed, f"{path} written")
    for path in map(Path, _gone(change)):
        if link := paths.site_link(path):
            proxy_changed = files.remove_path(link) or proxy_changed
        # A unit's file is removed once its process has ended; so is what its programs are.
        if path.parent != paths.SERVER.units and not path.is_relative_to(config):
            step.converge(files.remove_path(path), f"{path} removed")
    return proxy_changed


def remove_left(change: Change) -> None:
    """Remove the programs that left the manifest: no process starts or stops by them any more."""
    for name in _gone(change):
        if Path(name).is_relative_to(change.step.project.config):
            change.step.converge(files.remove_path(Path(name)), f"{name} removed")


def _gone(change: Change) -> list[str]:
    return sorted(set(change.now.contents) - {file.path for file in change.manifest.files})
