"""A lock file as the requirements file that pip and uv install: its own tool writes that, and uv runs the tool."""

from __future__ import annotations

from pathlib import Path

from codesensei.scripts.release.builder import OWN, Builder
from codesensei.wire.steps import LockFile

POETRY, POETRY_EXPORT = "poetry==2.2.1", "poetry-plugin-export==1.9.0"
PDM = "pdm==2.26.1"
PIPENV = "pipenv==2025.0.4"
SCRIPT = Path(__file__).with_name("export.sh")
_PYTHON = "/usr/bin/python3"


def write(builder: Builder, uv: list[str]) -> None:
    """Write `builder.requirements`, where another tool does; Failure if it cannot. `uv` begins uv's commands."""
    lock = builder.step.data.lock
    if lock is None or not builder.is_exported:
        return
    # Without a venv, pdm makes one in the release.
    variables = [f"VIRTUAL_ENV={builder.venv}", "PDM_CHECK_UPDATE=0"] if lock.tool == "pdm" else []
    tool = [*OWN, *variables, "sh", str(SCRIPT), builder.requirements, *uv]
    builder.require(f"read {builder.step.data.requirements}", [*tool, *_arguments(builder, lock)])


def _arguments(builder: Builder, lock: LockFile) -> list[str]:
    """What uv runs."""
    hashed, chosen = builder.step.data.hashed, [*lock.extras, *lock.groups]
    of_uv = [*_each("--extra", lock.extras), *_each("--group", lock.groups)]
    run = ["tool", "run", "--quiet", "--python", _PYTHON, "--from"]
    if lock.tool == "uv":
        project = ["--no-dev", "--no-emit-project", "--no-editable", *([] if hashed else ["--no-hashes"])]
        return ["export", "--quiet", "--frozen", "--format", "requirements-txt", *project, *of_uv]
    if lock.tool == "poetry":
        only = ["--only", ",".join(["main", *lock.groups]), *_each("--extras", lock.extras)]
        plain = [] if hashed else ["--without-hashes"]
        return [*run, POETRY, "--with", POETRY_EXPORT, "poetry", "export", "--no-interaction", *only, *plain]
    if lock.tool == "pdm":
        # Groups that are for development are what --prod leaves out.
        only = [*([] if lock.groups else ["--prod"]), *_each("--group", chosen)]
        plain = [] if hashed else ["--without-hashes"]
        return [*run, PDM, "pdm", "export", "--format", "requirements", *only, *plain]
    if lock.tool == "pipenv":
        categories = ["--categories", " ".join(["packages", *lock.groups])]
        return [*run, PIPENV, "pipenv", "requirements", *categories, *(["--hash"] if hashed else [])]
    return ["pip", "compile", "--quiet", "--python", builder.python, *of_uv, "pyproject.toml"]


def _each(option: str, names: tuple[str, ...] | list[str]) -> list[str]:
    return [word for name in names for word in (option, name)]
