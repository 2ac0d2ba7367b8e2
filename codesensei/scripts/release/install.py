"""The packages of a release: a venv made by the build user, and reused by releases with the same requirements."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

from codesensei.scripts.base import commands, files
from codesensei.scripts.base.step import Failure, Step
from codesensei.scripts.release import exports, jobs, record, with_uv
from codesensei.scripts.release.builder import OWN, Builder, require
from codesensei.scripts.release.release import Release
from codesensei.scripts.release.seal import seal
from codesensei.wire.processes import SYSTEM_PATH
from codesensei.wire.steps import Build, WebServerPackage

# A recent pip: Debian 12's own fails on some hash-pinned requirements.
PIP = "pip==25.3"
CACHE_BYTES = 1 << 30
SYSTEM_PYTHON = "/usr/bin/python3"
_FREEZE_LINES = 20_000
_NOTHING = re.compile(r"satisfies the requirement (\S+) \(from versions: none\)")


def install(step: Step[Build], release: Release) -> None:
    """Give the release its packages: an existing venv of the same content, or a new one, root's once complete."""
    data = step.data
    python = _python(data)
    version = data.python
    if python:
        version = commands.run([python, "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"]).stdout.strip()
    # Packages used in place, in the release's directory, cannot serve another release.
    content = release.name if data.in_place else data.venv_id[:12]
    venv = step.project.venvs / f"{content}-py{version}"
    record.uses(step.project, release.name, venv.name)
    if (venv / ".complete").exists():
        return
    _empty(venv, step, release)
    _web_server(_requirements(Builder(step, release, venv, version), python), data.server)
    jobs.end_build_user(step)
    seal(venv, step.project.build_user, release.user)
    jobs.wait_for_disk(step, venv)
    files.write_file(venv / ".complete", version + "\n", 0o644)
    _trim_cache(step)
    step.changed(f"packages are installed ({venv.name})")


def _empty(venv: Path, step: Step[Build], release: Release) -> None:
    """Give the build user an empty directory for a venv."""
    files.remove_path(venv)
    files.make_directory(venv, 0o750, step.project.build_user, release.user)


def _python(data: Build) -> str:
    """The Python of this server that is asked for; empty where uv brings one."""
    wanted = data.python
    if not wanted:
        return SYSTEM_PYTHON
    path = "" if data.installer == "uv" else shutil.which(f"python{wanted}", path=SYSTEM_PATH) or ""
    if not path and data.installer == "pip":
        fix = "leave project.python empty for the server's own, or set project.installer to uv, which brings its own"
        raise Failure(f"Python {wanted}", f"this server has no python{wanted}", fix)
    return path


def _requirements(builder: Builder, python: str) -> Builder:
    """Install them; returns what installs the packages beside them in the same way."""
    by_uv, installer = replace(builder, uses_uv=True), builder.step.data.installer
    if installer == "uv" or not python:
        with_uv.install(by_uv, python)
        return by_uv
    if installer == "auto":
        why_not = with_uv.attempt(by_uv, python)
        if not why_not:
            return by_uv
        if (lock := builder.step.data.lock) and lock.tool == "pylock":
            fix = "commit a requirements file as well (uv export, pip freeze), and set project.requirements to it"
            raise Failure(builder.step.data.requirements, f"only uv installs from it, and {why_not}", fix)
        builder.step.say(f"pip installs the packages: {why_not}")
        _empty(builder.venv, builder.step, builder.release)
    _with_pip(builder, python)
    return builder


def _with_pip(builder: Builder, python: str) -> None:
    builder.require("create the venv", [python, "-m", "venv", str(builder.venv)])
    if not builder.run("install pip", [*OWN, *builder.pip, "install", PIP]).ok:
        # A private index may have only the project's packages.
        builder.step.say(f"the package index does not have {PIP}, so the server's own pip is used")
    if builder.is_exported:
        with_uv.provide(builder)
        exports.write(builder, with_uv.command(builder))
    title = "install the requirements"
    done = builder.run(title, [*builder.pip, "install", "--requirement", builder.requirements])
    if found := _NOTHING.search(done.tail):
        # Only a verbose pip tells what an index answered that was not a list of versions.
        ask = [*builder.pip, "-vv", "install", "--dry-run", "--no-deps", found[1]]
        asked = builder.run(f"ask for {found[1]}", ask).tail.splitlines()
        why = [line for line in asked if line.strip().startswith("Could not fetch URL")]
        done = replace(done, tail="\n".join([*why, done.tail]))
    require(done, builder.release, title)


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
        uv = with_uv.command(builder)
        freeze = [*uv, "pip", "freeze", "--python", builder.python, "--exclude-editable"]
        pip = [*uv, "pip", "install", "--python", builder.python]
    else:
        freeze, pip = [*builder.pip, "freeze", "--exclude-editable"], [*builder.pip, "install"]
    frozen = builder.require("list the packages", freeze, lines=_FREEZE_LINES)
    constraints = [line for line in frozen.tail.splitlines() if "==" in line and not line.startswith(("#", "-"))]
    release, project = builder.release, builder.step.project
    listed = project.environments / f"{release.name}.constraints.txt"
    files.write_file(listed, "\n".join(constraints) + "\n", 0o640, "root", release.user)
    install = [*OWN, *pip, "--constraint", str(listed)]
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
