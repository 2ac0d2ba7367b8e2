"""Claim the slug for a stack, then point the project's name at the toolkit that runs this.

`claim 1 <stack> <identity> <adopt> <hash of the toolkit>`: called by bootstrap.sh only.
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import os
import pwd
from collections.abc import Iterable, Iterator
from pathlib import Path

from codesensei.scripts.base import files, host, register
from codesensei.scripts.base.step import Failure, Step
from codesensei.wire import paths

SHARED = (
    (paths.SERVER.projects, 0o755),
    (paths.SERVER.memory, 0o711),
    (paths.SERVER.incoming, 0o711),
    (paths.SERVER.challenges, 0o755),
    (paths.SERVER.config, 0o755),
)
TOOLKITS = paths.SERVER.toolkits
# Names that the product itself uses where each slug has its place.
RESERVED = ("toolkit", "incoming", "acme-challenges", "unknown-host", "default-tls")
BOOTSTRAP_LOCK = paths.SERVER.locks / "bootstrap.lock"


def run(step: Step[object]) -> None:
    """Make root's own directories, claim the slug, point the slug at this toolkit, drop unused toolkits."""
    if len(step.args) != 4:
        raise Failure("claim", "it needs a stack, an identity, true or false, and a hash", "run pulumi up again")
    stack, identity, adopt, _ = step.args
    if step.slug in RESERVED:
        raise Failure(f"slug {step.slug}", "codesensei uses this name itself", "choose another codesensei:project.slug")
    _directories(step, SHARED)
    _slug_stays(step, identity)
    before = register.entry(step.slug)
    if before is None and register.kept(step.slug) is None and step.project.root.exists() and adopt != "true":
        raise Failure(
            str(step.project.root),
            "it exists, and no stack of this server has it",
            "choose another codesensei:project.slug, or take it over with codesensei:adopt: true, or move it away",
        )
    if register.claim_slug(step.slug, stack, identity, adopt == "true"):
        taken = before is not None and before.identity != identity
        step.changed(
            f"slug {step.slug} taken over from the stack {before.stack} (identity {before.identity})"
            if before and taken
            else f"slug {step.slug} belongs to the stack {stack} now"
        )
    own = ("", "proofs", "release", "logs")
    _directories(step, [(step.project.memory / name, 0o700) for name in own])
    _incoming(step)
    link = paths.SERVER.library / step.slug
    target = f"toolkit/{own_toolkit().name}"
    step.converge(files.make_link(link, target), f"{link} leads to {target}")
    step.manage(link)
    for name in remove_unused_toolkits():
        step.changed(f"toolkit {name} removed: no project uses it")


def _slug_stays(step: Step[object], identity: str) -> None:
    """Refuse another slug for a stack that serves already; what a first deploy that failed has claimed is free."""
    for other in register.entries().values():
        if other.slug == step.slug or other.identity != identity:
            continue
        if files.link_target(paths.ProjectPaths(other.slug).current):
            raise Failure(
                f"slug {step.slug}",
                f"this stack is deployed as {other.slug}, and its slug does not change",
                f"put codesensei:project.slug: {other.slug} back; or move: make another stack with the slug "
                f"{step.slug}, deploy it, bring database and {paths.ProjectPaths(other.slug).shared}/media over to it, "
                "then destroy this one",
            )
        register.forget(other.slug)
        files.remove_path(paths.SERVER.library / other.slug)
        step.changed(f"slug {other.slug}, which this stack never served under, is free again")


def own_toolkit() -> Path:
    """The toolkit that runs this process."""
    return Path(__file__).resolve().parents[3]


def _directories(step: Step[object], wanted: Iterable[tuple[Path, int]]) -> None:
    for path, mode in wanted:
        step.converge(files.make_directory(path, mode), f"directory {path} made")
        step.manage(path)


def _incoming(step: Step[object]) -> None:
    """Where the source arrives: the login user writes there by SFTP, without sudo."""
    login = pwd.getpwnam(os.environ.get("SUDO_USER") or "root")
    group = grp.getgrgid(login.pw_gid).gr_name
    made = files.make_directory(step.project.incoming, 0o700, login.pw_name, group)
    step.converge(made, f"directory {step.project.incoming} made for {login.pw_name}")


def remove_unused_toolkits(ended: str = "") -> list[str]:
    """Remove the toolkits that no project's name leads to and no running process uses; returns their names.

    `ended` is the slug whose processes do not count: this one, at the end of its destroy.
    """
    used = {os.readlink(link).removeprefix("toolkit/") for link in paths.SERVER.library.iterdir() if link.is_symlink()}
    removed = []
    for toolkit in sorted(TOOLKITS.iterdir()):
        if toolkit.name not in used and not host.mentions(str(toolkit), ended):
            files.remove_path(toolkit)
            removed.append(toolkit.name)
    return removed


@contextlib.contextmanager
def no_bootstrap() -> Iterator[bool]:
    """Hold the lock under which a toolkit is brought; False when somebody brings one now."""
    handle = os.open(BOOTSTRAP_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(handle)
