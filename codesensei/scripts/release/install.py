"""The packages of a release: a venv made by the build user, and reused by releases with the same requirements."""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from codesensei.scripts.base import commands, files
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.release import causes, jobs, record
from codesensei.scripts.release.jobs import Job, JobResult
from codesensei.scripts.release.release import Release
from codesensei.scripts.release.seal import seal
from codesensei.wire.processes import SYSTEM_PATH
from codesensei.wire.steps import Build, WebServerPackage

# A recent pip: Debian 12's own fails on some hash-pinned requirements.
PIP = "pip==25.3"
UV = "uv==0.9.9"
CACHE_BYTES = 1 << 30
SYSTEM_PYTHON = "/usr/bin/python3"
UV_SCRIPT = Path(__file__).with_name("uv.sh")
# The project's options are for its own requirements: they would refuse what the product installs beside those.
_OWN = ["env", *(f"-u{tool}_{name}" for tool in ("PIP", "UV") for name in ("REQUIRE_HASHES", "CONSTRAINT", "NO_DEPS"))]
_FREEZE_LINES = 20_000
_REFUSED = re.compile(r"PermissionError: \[Errno 13\] [\w -]+: '(/[^']+)'")
_NOTHING = re.compile(r"satisfies the requirement (\S+) \(from versions: none\)")


@dataclass(frozen=True)
class Builder:
    """Runs the commands that make one venv."""

    step: Step[Build]
    release: Release
    venv: Path

    @property
    def python(self) -> str:
        return f"{self.venv}/bin/python"

    @property
    def pip(self) -> list[str]:
        return [self.python, "-m", "pip", "--disable-pip-version-check", "--no-input"]

    @property
    def uses_uv(self) -> bool:
        return self.step.data.installer == "uv"

    @property
    def uv(self) -> list[str]:
        return ["sh", str(UV_SCRIPT), f"{self.step.project.cache}/{UV.replace('==', '-')}/bin/uv"]

    def run(self, title: str, argv: Sequence[str], *, lines: int = jobs.TAIL) -> JobResult:
        """One command as the build user, in the directory that local paths in the requirements are relative to."""
        variables = {
            "PIP_PROGRESS_BAR": "off",
            "UV_LINK_MODE": "copy",
            "UV_PYTHON_INSTALL_DIR": f"{self.venv}/python",
            # Trust the certificates that the server trusts, as pip does; newer versions of uv have the second name.
            "UV_NATIVE_TLS": "true",
            "UV_SYSTEM_CERTS": "true",
            "GIT_TERMINAL_PROMPT": "0",
        }
        directory = self.release.path / self.step.data.install_from
        writable = (self.release.path, self.venv)
        job = Job(title, list(argv), True, directory=directory, variables=variables, writable=writable, lines=lines)
        return jobs.run_job(self.step, self.release, job)

    def require(self, title: str, argv: Sequence[str], *, lines: int = jobs.TAIL) -> JobResult:
        """The same; Failure with the cause when it fails."""
        return require(self.run(title, argv, lines=lines), self.release, title)


def install(step: Step[Build], release: Release) -> None:
    """Give the release its packages: an existing venv of the same content, or a new one, root's once complete."""
    data = step.data
    python = _python(data)
    version = commands.run([python, "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"]).stdout.strip()
    version = data.python if data.installer == "uv" and data.python else version
    # Packages used in place, in the release's directory, cannot serve another release.
    content = release.name if data.in_place else data.venv_id[:12]
    venv = step.project.venvs / f"{content}-py{version}"
    record.uses(step.project, release.name, venv.name)
    if (venv / ".complete").exists():
        return
    files.remove_path(venv)
    files.make_directory(venv, 0o750, step.project.build_user, release.user)
    builder = Builder(step, release, venv)
    (_with_uv if builder.uses_uv else _with_pip)(builder, python)
    _web_server(builder, data.server)
    jobs.end_build_user(step)
    seal(venv, step.project.build_user, release.user)
    files.write_file(venv / ".complete", version + "\n", 0o644)
    _trim_cache(step)
    step.changed(f"packages are installed ({venv.name})")


def _python(data: Build) -> str:
    wanted = data.python
    if not wanted or data.installer == "uv":
        return SYSTEM_PYTHON
    path = shutil.which(f"python{wanted}", path=SYSTEM_PATH)
    if path is None:
        fix = "leave project.python empty for the server's own, or set project.installer to uv, which brings its own"
        raise Failure(f"Python {wanted}", f"this server has no python{wanted}", fix)
    return path


def _requirements(builder: Builder) -> str:
    return posixpath.relpath(builder.step.data.requirements, builder.step.data.install_from)


def _with_pip(builder: Builder, python: str) -> None:
    builder.require("create the venv", [python, "-m", "venv", str(builder.venv)])
    if not builder.run("install pip", [*_OWN, *builder.pip, "install", PIP]).ok:
        # A private index may have only the project's packages.
        builder.step.say(f"the package index does not have {PIP}, so the server's own pip is used")
    title = "install the requirements"
    done = builder.run(title, [*builder.pip, "install", "--requirement", _requirements(builder)])
    if found := _NOTHING.search(done.tail):
        # Only a verbose pip tells what an index answered that was not a list of versions.
        ask = [*builder.pip, "-vv", "install", "--dry-run", "--no-deps", found[1]]
        asked = builder.run(f"ask for {found[1]}", ask).tail.splitlines()
        why = [line for line in asked if line.strip().startswith("Could not fetch URL")]
        done = replace(done, tail="\n".join([*why, done.tail]))
    require(done, builder.release, title)


def _with_uv(builder: Builder, python: str) -> None:
    tool = Path(builder.uv[-1]).parent.parent
    if not (tool / "bin" / "uv").exists():
        pip = [f"{tool}/bin/python", "-m", "pip", "--disable-pip-version-check", "--no-input"]
        builder.require("create uv's venv", [python, "-m", "venv", "--clear", str(tool)])
        builder.require("install uv", [*_OWN, *pip, "install", UV])
    wanted = builder.step.data.python or python
    builder.require("create the venv", [*builder.uv, "venv", "--allow-existing", "--python", wanted, str(builder.venv)])
    pip = [*builder.uv, "pip", "install", "--python", builder.python]
    builder.require("install the requirements", [*pip, "--requirement", _requirements(builder)])


def _web_server(builder: Builder, server: WebServerPackage) -> None:
    """Add the web server and its companions if the requirements lack them; the project's versions stay."""
    if not (builder.venv / "bin" / server.name).exists():
        _install_beside(builder, server.name, server.version)
    for companion in server.companions:
        script = "import importlib.util, sys; sys.exit(not any(map(importlib.util.find_spec, sys.argv[1:])))"
        if not builder.run(f"look for {companion.name}", [builder.python, "-c", script, *companion.modules]).ok:
            _install_beside(builder, companion.name, companion.version)


def _install_beside(builder: Builder, name: str, version: str) -> None:
    """Add a package that the requirements lack, an older one if the project's own versions need that."""
    if builder.uses_uv:
        freeze = [*builder.uv, "pip", "freeze", "--python", builder.python, "--exclude-editable"]
        pip = [*builder.uv, "pip", "install", "--python", builder.python]
    else:
        freeze, pip = [*builder.pip, "freeze", "--exclude-editable"], [*builder.pip, "install"]
    frozen = builder.require("list the packages", freeze, lines=_FREEZE_LINES)
    constraints = [line for line in frozen.tail.splitlines() if "==" in line and not line.startswith(("#", "-"))]
    release, project = builder.release, builder.step.project
    listed = project.environments / f"{release.name}.constraints.txt"
    files.write_file(listed, "\n".join(constraints) + "\n", 0o640, "root", release.user)
    install = [*_OWN, *pip, "--constraint", str(listed)]
    if builder.run(f"install {name}=={version}", [*install, f"{name}=={version}"]).ok:
        return
    older = f"{name}<{version}"
    fix = f"no {name} up to {version} works with the project's packages: add one that does to the requirements"
    done = require(builder.run(f"install {older}", [*install, older]), release, f"install {name}", fix)
    found = next((line for line in done.tail.splitlines() if f"{name}-" in line or f"{name}==" in line), older)
    builder.step.say(f"{name} {version} does not work with the project's packages, so an older one is used: {found}")


def _trim_cache(step: Step[object]) -> None:
    """Keep downloads for the next release, up to CACHE_BYTES."""
    total = 0
    for _, _, names, handle in os.fwalk(step.project.cache, follow_symlinks=False):
        total += sum(os.lstat(name, dir_fd=handle).st_size for name in names)
    if total > CACHE_BYTES:
        files.remove_path(step.project.cache)
        step.say(f"emptied the cache of downloaded packages ({total >> 20} MB)")


def require(done: JobResult, release: Release, title: str, fix: str = "") -> JobResult:
    """`done`, or Failure with the known cause in its output."""
    if done.ok:
        return done
    ended = {"oom-kill": "Out of memory", "timeout": f"it did not end within {jobs.LONGEST_SECONDS // 3600} hours"}
    log = "\n".join(filter(None, [done.tail, ended.get(done.result, "")]))
    cause, known_fix = _in_shared(release, log) or causes.explain_any(log, f"it ended with status {done.code}")
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
