"""Make a git repository with a history out of the example project: the same commits, hashes included, each time."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tools.demo.errors import DemoError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PROJECT = EXAMPLES / "guestbook"
PATCHES = EXAMPLES / "guestbook-history"
BRANCH = "main"
BROKEN = "broken"
FIRST_SUBJECT = "Open a guestbook"
FIRST_DATE = "Mon, 2 Feb 2026 10:00:00 +0000"
AUTHOR = ("Guestbook Team", "team@guestbook.example")
GIT_SECONDS = 60


@dataclass(frozen=True)
class Commit:
    """One commit: `revision` is the full hash, `short` its first seven digits, `subject` the message's first line."""

    revision: str
    subject: str

    @property
    def short(self) -> str:
        """The first seven digits of the hash."""
        return self.revision[:7]


@dataclass(frozen=True)
class History:
    """The repository at `path`: the commits of branch `main`, oldest first, and the one of branch `broken` on top."""

    path: Path
    commits: tuple[Commit, ...]
    broken: Commit


def make_history(path: Path, project: Path = PROJECT, patches: Path = PATCHES) -> History:
    """Make the repository at `path`, in place of what is there; raises DemoError.

    Branch `main` has the project's files as its first commit and one more for each numbered patch; branch `broken`
    has one commit on top that cannot be served. Authors and dates are fixed, so the hashes are too.
    """
    begin_history(path, project, FIRST_SUBJECT)
    for patch in sorted(patches.glob("[0-9]*.patch")):
        apply(path, patch)
    git(path, "checkout", "--quiet", "-b", BROKEN)
    for patch in sorted(patches.glob(f"{BROKEN}-*.patch")):
        apply(path, patch)
    git(path, "checkout", "--quiet", BRANCH)
    return read_history(path)


def begin_history(path: Path, project: Path, subject: str) -> History:
    """Make a repository at `path` whose only commit has the project's files; raises DemoError."""
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(project, path, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    git(path, "init", "--quiet")
    git(path, "symbolic-ref", "HEAD", f"refs/heads/{BRANCH}")
    git(path, "add", "--all")
    git(path, "commit", "--quiet", "--message", subject, date=FIRST_DATE)
    (first,) = _log(path)
    return History(path, (first,), first)


def read_history(path: Path) -> History:
    """The history of a repository that `make_history` made; raises DemoError."""
    commits = tuple(_log(path, "--reverse", BRANCH))
    return History(path, commits, next(iter(_log(path, "--max-count=1", BROKEN))))


def apply(path: Path, patch: Path) -> None:
    """Commit one patch with its own message, author and date; raises DemoError."""
    git(path, "am", "--quiet", "--committer-date-is-author-date", str(patch))


def git(path: Path, *arguments: str, date: str = "") -> str:
    """Run git in the repository with fixed settings, away from the user's own, and return what it prints."""
    name, email = AUTHOR
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment = {
        **kept,
        "HOME": str(path),
        "XDG_CONFIG_HOME": str(path / ".git"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": email,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": email,
        "LC_ALL": "C",
    }
    if date:
        environment |= {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    command = ["git", "-C", str(path), *arguments]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=GIT_SECONDS, check=True)
    except FileNotFoundError:
        raise DemoError("git is not on PATH: install git and try again.") from None
    except subprocess.TimeoutExpired:
        raise DemoError(f"`{' '.join(command)}` did not end within {GIT_SECONDS} s.") from None
    except subprocess.CalledProcessError as error:
        raise DemoError(f"`{' '.join(command)}` failed: {error.stderr.strip() or error.stdout.strip()}") from None
    return done.stdout


def _log(path: Path, *arguments: str) -> list[Commit]:
    lines = git(path, "log", "--format=%H %s", *arguments).splitlines()
    return [Commit(*line.split(" ", 1)) for line in lines]
