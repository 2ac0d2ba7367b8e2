"""The certificate of visitors whose TLS names no host: thrown away, or that of the project that serves by address."""

from __future__ import annotations

from pathlib import Path

from codesensei.scripts.base import files
from codesensei.scripts.base.step import Step
from codesensei.scripts.serving.pair import self_signed
from codesensei.wire import paths

LINK = paths.SERVER.default_tls
THROW_AWAY = paths.SERVER.config / "unknown-host"


def ensure(step: Step[object]) -> None:
    """Make the throw-away certificate and the link to it, where there is none."""
    certificate, key = THROW_AWAY / "certificate.pem", THROW_AWAY / "key.pem"
    if not (certificate.is_file() and key.is_file()):
        made = self_signed(["unknown.invalid"])
        files.make_directory(THROW_AWAY, 0o755)
        files.write_file(key, made.key, 0o600)
        files.write_file(certificate, made.certificate, 0o644)
        step.changed(f"throw-away certificate {certificate} made")
    if not (LINK / "certificate.pem").is_file():
        step.converge(files.make_link(LINK, str(THROW_AWAY)), f"{LINK} leads to {THROW_AWAY}")


def wanted(step: Step[object], folder: str | None) -> str | None:
    """Where the link shall lead when this project shows `folder` to them, or nothing; None: it may stay as it is."""
    now = files.link_target(LINK)
    if folder is not None:
        return folder if now != folder else None
    ours = now is not None and Path(now).is_relative_to(step.project.memory)
    return str(THROW_AWAY) if ours else None


def point(step: Step[object], folder: str | None) -> bool:
    """Lead the link where it belongs now; True when it has changed, and nginx must read it anew."""
    target = wanted(step, folder)
    return target is not None and step.converge(files.make_link(LINK, target), f"{LINK} leads to {target}")
