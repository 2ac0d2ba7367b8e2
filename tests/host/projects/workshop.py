"""Where a developer makes a project: a Python environment with the generator in it, and a source tree."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.demo.history import git
from tools.engine.cache import cache_root, digest

FILES = Path(__file__).with_name("files")
SECONDS = 600
IGNORED = "__pycache__/\n*.py[cod]\ndb.sqlite3\n/media/\n/staticfiles/\n.env\n"


class WorkshopError(Exception):
    """A generator or an edit did not do what the documentation says."""


class Workshop:
    """A source tree at `source`, and a Python environment that has `packages`, kept for later runs."""

    def __init__(self, source: Path, packages: tuple[str, ...]) -> None:
        self.source = source
        self._packages = packages
        self._environment = cache_root().with_name("workshops") / digest(sys.version, *packages)

    @property
    def _bin(self) -> Path:
        return self._environment / "bin"

    @contextmanager
    def open(self) -> Iterator[Workshop]:
        """An empty source tree and the environment, which nobody else changes meanwhile."""
        with self.reopen():
            shutil.rmtree(self.source, ignore_errors=True)
            self.source.mkdir(parents=True)
            yield self

    @contextmanager
    def reopen(self) -> Iterator[Workshop]:
        """The source tree as it was left."""
        self._environment.parent.mkdir(parents=True, exist_ok=True)
        with self._environment.with_suffix(".lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            self._make_environment()
            yield self

    def _make_environment(self) -> None:
        complete = self._environment / ".complete"
        if complete.exists():
            return
        shutil.rmtree(self._environment, ignore_errors=True)
        venv.create(self._environment, with_pip=True)
        self.run("python", "-m", "pip", "install", "--quiet", *self._packages, directory=self._environment)
        complete.touch()

    def run(self, program: str, *arguments: str, directory: Path | None = None) -> str:
        """Run a program of the environment in the source tree; returns what it prints."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO", "PYTHON"))}
        done = subprocess.run(
            [self._bin / program, *arguments],
            cwd=directory or self.source,
            env={**kept, "PATH": f"{self._bin}:{os.environ['PATH']}", "VIRTUAL_ENV": str(self._environment)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise WorkshopError(f"{program} {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def manage(self, *arguments: str) -> str:
        """Run the project's manage.py."""
        return self.run("python", "manage.py", *arguments)

    def copy(self, *names: str) -> None:
        """Copy what the developer has written (folders of `files`) over the source tree."""
        for name in names:
            shutil.copytree(FILES / name, self.source, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))

    def edit(self, name: str, old: str, new: str) -> None:
        """Change the only place in a file that has the text `old`."""
        path = self.source / name
        text = path.read_text()
        if text.count(old) != 1:
            raise WorkshopError(f"{name} has {text.count(old)} times, and not once: {old!r}\n{text}")
        path.write_text(text.replace(old, new))

    def append(self, name: str, text: str) -> None:
        """Write below what a file has."""
        path = self.source / name
        path.write_text(f"{path.read_text()}\n{text}")

    def freeze(self) -> None:
        """Write the environment's packages into requirements.txt."""
        (self.source / "requirements.txt").write_text(self.run("python", "-m", "pip", "freeze"))

    def commit(self, subject: str) -> str:
        """Commit all of the source tree; returns the full hash."""
        if not (self.source / ".git").exists():
            if not (self.source / ".gitignore").exists():
                (self.source / ".gitignore").write_text(IGNORED)
            git(self.source, "init", "--quiet", "--initial-branch", "main")
        git(self.source, "add", "--all")
        git(self.source, "commit", "--quiet", "--message", subject)
        return git(self.source, "rev-parse", "HEAD").strip()
