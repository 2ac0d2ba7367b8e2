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
from codesensei.scripts.checks import names
from codesensei.wire import paths
from codesensei.wire.names import is_own_slug
from codesensei.wire.steps import Nothing


def run(step: Step[Nothing]) -> None:
    """Make root's own directories, claim the slug, point it at this toolkit, remove unused toolkits."""
    if len(step.args) != 4:
        fix = "this is a bug in codesensei: please report it"
        raise Failure("claim", "it needs a stack, an identity, true or false, and a hash", fix)
    stack, identity, adopt, digest = step.args
    if is_own_slug(step.slug):
        raise Failure(f"slug {step.slug}", "codesensei uses this name itself", "choose another codesensei:project.slug")
    server = paths.SERVER
    shared = ((server.projects, 0o755), (server.memory, 0o711), (server.incoming, 0o711), (server.config, 0o755))
    _directories(step, (*shared, (server.challenges, 0o755)))
    _slug_stays(step, identity)
    before = register.entry(step.slug)
    names.check_folder(step.project, adopt=adopt == "true")
    if register.claim_slug(step.slug, stack, identity, adopt == "true"):
        said = f"now belongs to the stack {stack}"
        if before and before.identity != identity:
            said = f"taken over from the stack {before.stack} (identity {before.identity})"
        step.changed(f"slug {step.slug} {said}")
    _directories(step, [(step.project.memory / name, 0o700) for name in ("", "proofs", "release", "logs")])
    _incoming(step)
    link, target = step.project.library, f"toolkit/{own_toolkit().name}"
    step.converge(files.make_link(link, target), f"{link} leads to {target}")
    step.manage(link)
    for path in sent_toolkits(step.slug):
        if path.name != step.project.sent_toolkit(digest):
            files.remove_path(path)
    for name in remove_unused_toolkits():
        step.changed(f"toolkit {name} removed: no project uses it")


def _slug_stays(step: Step[object], identity: str) -> None:
    """Refuse another slug for a stack that serves; a slug that only a failed first deploy has claimed is freed."""
    for slug, other in list(register.entries().items()):
        if slug == step.slug or other.identity != identity:
            continue
        project = paths.ProjectPaths(slug)
        if files.link_target(project.current):
            fix = f"put codesensei:project.slug: {slug} back; or move: make another stack with the slug {step.slug}, "
            fix += f"deploy it, copy the database and {project.media} to it, then destroy this one"
            cause = f"this stack is deployed as {slug}, and its slug does not change"
            raise Failure(f"slug {step.slug}", cause, fix)
        register.forget(slug)
        files.remove_path(project.library)
        step.changed(f"slug {slug}, which this stack never served under, is free again")


def own_toolkit() -> Path:
    """The toolkit that runs this process."""
    return Path(__file__).resolve().parents[3]


def _directories(step: Step[object], wanted: Iterable[tuple[Path, int]]) -> None:
    for path, mode in wanted:
        step.converge(files.make_directory(path, mode), f"directory {path} made")
        step.manage(path)


def _incoming(step: Step[object]) -> None:
    """Where the source arrives: the login user uploads it by SFTP, without sudo."""
    login = login_user()
    group = grp.getgrgid(login.pw_gid).gr_name
    made = files.make_directory(step.project.incoming, 0o700, login.pw_name, group)
    step.converge(made, f"directory {step.project.incoming} made for {login.pw_name}")


def login_user() -> pwd.struct_passwd:
    """Who has logged in, and brings what is copied."""
    return pwd.getpwnam(os.environ.get("SUDO_USER") or "root")


def sent_toolkits(slug: str) -> list[Path]:
    """The files in which this project's toolkits have arrived."""
    return sorted(Path(login_user().pw_dir).glob(paths.ProjectPaths(slug).sent_toolkit("[0-9a-f]" * 12)))


def sent_dumps(slug: str) -> list[Path]:
    """The files in which dumps for this project's new database have arrived, also in part."""
    return sorted(Path(login_user().pw_dir).glob(paths.ProjectPaths(slug).sent_dump("[0-9a-f]" * 64) + "*"))


def remove_unused_toolkits(ended: str = "") -> list[str]:
    """Remove the toolkits that no project's name leads to and no running process uses; returns their names.

    `ended` is the slug whose processes do not count: this one, at the end of its destroy.
    """
    used = {os.readlink(link).removeprefix("toolkit/") for link in paths.SERVER.library.iterdir() if link.is_symlink()}
    removed = []
    for toolkit in sorted(paths.SERVER.toolkits.iterdir()):
        if toolkit.name not in used and not host.mentions(str(toolkit), ended):
            files.remove_path(toolkit)
            removed.append(toolkit.name)
    return removed


@contextlib.contextmanager
def no_bootstrap() -> Iterator[bool]:
    """Hold the lock under which a toolkit is installed; False while somebody installs one."""
    handle = os.open(paths.SERVER.locks / "bootstrap.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(handle)
