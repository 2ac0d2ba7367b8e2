"""Private virtual environments in the cache, made with the Python that runs this."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from .cache import make_directory
from .errors import EngineError

Say = Callable[[str], None]


def require_venv(say: Say, install_packages: bool) -> None:
    """Make sure that `python -m venv` works. Raises EngineError with the package to install."""
    if importlib.util.find_spec("ensurepip") is not None:
        return
    apt = shutil.which("apt-get")
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if not (install_packages and apt and os.geteuid() == 0):
        raise EngineError(
            "This Python cannot make virtual environments: install the package it lacks with "
            f"`apt-get install {package}`."
        )
    say(f"engine: installing {package} with apt-get")
    command = [apt, "install", "-y", "-q", package]
    if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
        raise EngineError(f"`apt-get install {package}` failed: run `apt-get update` and try again.")


def make_venv(target: Path, packages: list[str], say: Say, install_packages: bool, *options: str) -> Path:
    """The virtual environment `target` with these packages, made if it is missing or its Python is gone.

    packages, options: arguments of `pip install`. The caller holds the cache's lock. Raises EngineError.
    """
    if target.is_dir() and not (target / "bin" / "python").exists():
        shutil.rmtree(target)
    if target.is_dir():
        return target
    require_venv(say, install_packages)

    def fill(directory: Path) -> None:
        _run([sys.executable, "-m", "venv", str(directory)])
        pip = [str(directory / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        _run([*pip, *options, *packages])

    return make_directory(target, fill)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = ((done.stderr or done.stdout).strip().splitlines() or ["no message"])[-1]
        raise EngineError(
            f"`{' '.join(command)}` failed ({last}): see that the package index can be reached, and try again."
        )
