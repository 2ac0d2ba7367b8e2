"""The certificate for visitors whose TLS names no host: a throw-away one, or that of the project served by address."""

from __future__ import annotations

from pathlib import Path

from codesensei.scripts.base import files
from codesensei.scripts.base.step import Step
from codesensei.scripts.serving.pair import self_signed
from codesensei.wire import paths
from codesensei.wire.paths import ProjectPaths


def ensure(step: Step[object]) -> None:
    """Make the throw-away certificate and a link to it, where there is none."""
    folder, link = paths.SERVER.unknown_host, paths.SERVER.default_tls
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if not (certificate.is_file() and key.is_file()):
        made = self_signed(["unknown.invalid"])
        files.make_directory(folder, 0o755)
        files.write_file(key, made.key, 0o600)
        files.write_file(certificate, made.certificate, 0o644)
        step.changed(f"throw-away certificate {certificate} made")
    if not (link / "certificate.pem").is_file():
        step.converge(files.make_link(link, str(folder)), f"{link} points to {folder}")


def wanted(project: ProjectPaths, folder: str | None) -> str | None:
    """Where the link must point if this project serves `folder` to them, or nothing; None: it can stay as it is."""
    now = files.link_target(paths.SERVER.default_tls)
    if folder is not None:
        return folder if now != folder else None
    ours = now is not None and Path(now).is_relative_to(project.memory)
    return str(paths.SERVER.unknown_host) if ours else None


def point(step: Step[object], folder: str | None) -> bool:
    """Point the link where it belongs now; True when it changed, and nginx must reload."""
    link, target = paths.SERVER.default_tls, wanted(step.project, folder)
    return target is not None and step.converge(files.make_link(link, target), f"{link} points to {target}")
