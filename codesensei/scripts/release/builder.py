"""How one venv is made: its commands run as the build user, and why one of them failed."""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Sequence
from pathlib import Path

from codesensei.scripts.base import files, host
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.release import causes, jobs
from codesensei.scripts.release.jobs import Job, JobResult
from codesensei.scripts.release.release import Release
from codesensei.wire.quick import dataclass
from codesensei.wire.steps import Build

# The project's options are for its own requirements: they would refuse what the product installs beside those.
OWN = ["env", *(f"-u{tool}_{name}" for tool in ("PIP", "UV") for name in ("REQUIRE_HASHES", "CONSTRAINT", "NO_DEPS"))]
TEMPORARY = Path("/tmp")
_REFUSED = re.compile(r"PermissionError: \[Errno 13\] [\w -]+: '(/[^']+)'")


@dataclass(frozen=True)
class Builder:
    """Runs the commands that make one venv; `uses_uv`: uv installs its packages, and else pip does."""

    step: Step[Build]
    release: Release
    venv: Path
    # Of the venv's Python.
    version: str = ""
    uses_uv: bool = False

    @property
    def python(self) -> str:
        return f"{self.venv}/bin/python"

    @property
    def pip(self) -> list[str]:
        return [self.python, "-m", "pip", "--disable-pip-version-check", "--no-input"]

    @property
    def is_exported(self) -> bool:
        """Whether another tool writes the requirements file."""
        lock = self.step.data.lock
        return bool(lock and lock.tool != "pylock")

    @property
    def requirements(self) -> str:
        """The requirements file, relative to where commands run."""
        if self.is_exported:
            return f"{self.venv}/requirements.txt"
        return posixpath.relpath(self.step.data.requirements, self.step.data.install_from)

    def run(self, title: str, argv: Sequence[str], *, lines: int = jobs.TAIL) -> JobResult:
        """One command as the build user, in the directory that local paths in the requirements are relative to."""
        variables = {
            "PIP_PROGRESS_BAR": "off",
            "UV_LINK_MODE": "copy",
            # As pip does; nobody can write byte code into a sealed venv later.
            "UV_COMPILE_BYTECODE": "1",
            "UV_PYTHON_INSTALL_DIR": f"{self.venv}/python",
            # Trust the certificates that the server trusts, as pip does; newer versions of uv have the second name.
            "UV_NATIVE_TLS": "true",
            "UV_SYSTEM_CERTS": "true",
            "GIT_TERMINAL_PROMPT": "0",
        }
        if self.step.data.installer == "auto":
            # As pip chooses among several indexes; a variable of the project's own goes before it.
            variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"
        if not host.space(TEMPORARY).programs:
            # pip builds packages there, and runs what it has built; nothing of it is left.
            variables["TMPDIR"] = str(self.venv)
        directory = self.release.path / self.step.data.install_from
        writable = (self.release.path, self.venv)
        job = Job(title, list(argv), True, directory=directory, variables=variables, writable=writable, lines=lines)
        return jobs.run_job(self.step, self.release, job)

    def require(self, title: str, argv: Sequence[str], *, lines: int = jobs.TAIL) -> JobResult:
        """The same; Failure with the cause when it fails."""
        return require(self.run(title, argv, lines=lines), self.release, title)


def require(done: JobResult, release: Release, title: str, fix: str = "") -> JobResult:
    """`done`, or Failure with the known cause in its output."""
    if done.ok:
        return done
    results = {"oom-kill": "Out of memory", "timeout": f"it did not end within {jobs.LONGEST_SECONDS // 3600} hours"}
    ended = results.get(done.result, "")
    log = "\n".join(filter(None, [done.tail, ended]))
    # First how it ended: what its output says of a program that was killed is no cause.
    cause, known_fix = causes.explain(ended) or _in_shared(release, log) or causes.explain_any(log, f"it {done.ended}")
    raise Failure(f"{title} (release {release.name})", cause, known_fix or fix, done.tail, where=str(done.log))


def _in_shared(release: Release, log: str) -> tuple[str, str] | None:
    """Why a path that leads through the release into a shared folder could not be opened; None for all others."""
    refused = _REFUSED.findall(log)
    path = Path(refused[-1]) if refused else None
    real = Path(os.path.realpath(path)) if path else None
    if path is None or real is None or not path.is_relative_to(release.path):
        return None
    if not real.is_relative_to(os.path.realpath(release.project.shared)):
        return None
    shown = path.relative_to(release.path)
    by_app = "run what needs it in hooks.beforeMigrate or hooks.afterMigrate, which run as the app user"
    if not real.exists():
        return f"the build user may not write {shown}, which is in a shared folder: only {release.user} may", by_app
    found = os.stat(real)
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid != files.user_id(release.user):
        cause = f"{shown} is in a shared folder, and belongs to user {found.st_uid} (mode {mode:04o})"
        return cause, f"on the server: chown {release.user}: {real}"
    cause = f"the build user may not open {shown}, a file of the app user's in a shared folder (mode {mode:04o})"
    return cause, f"read its value from a variable instead, or on the server: chmod g+r {real}; or {by_app}"
