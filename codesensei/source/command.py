"""git as a program: with the operator's own settings for their repositories, with none in repositories of ours."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired
from typing import IO

from codesensei.source.errors import SourceError

SCHEMES = ("https", "ssh", "file")
LOCAL_SECONDS = 600.0

# Variables that would point git at another repository, e.g. when the program is run from a hook.
_FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_NAMESPACE")
_PLAIN = ("tar.umask=0022", "core.autocrlf=false", "core.eol=lf", "core.abbrev=10", "i18n.logOutputEncoding=UTF-8")

_PLAIN_FLAGS = tuple(flag for setting in _PLAIN for flag in ("-c", setting))


class TooMuch(Exception):
    """git says more than what is read of it."""


class GitFailure(Exception):
    """git ended with an error; what it said is in `stderr`, its exit status in `code`."""

    def __init__(self, stderr: str, code: int = 1) -> None:
        self.stderr, self.code = stderr, code
        super().__init__(stderr)


def operators_git(*arguments: str, seconds: float = LOCAL_SECONDS) -> str:
    """git as the operator would run it: credentials, SSH settings and configuration are theirs."""
    return _git(list(arguments), seconds, _environment())


def plain_git(repository: Path, *arguments: str, borrowed: Path | None = None) -> str:
    """git in a repository of ours, with no configuration but this: its output depends on the commit alone.

    `borrowed`: a directory of objects that are read beside the repository's own.
    """
    variables = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": str(borrowed)} if borrowed else {}
    return _git(["--git-dir", str(repository), *_PLAIN_FLAGS, *arguments], LOCAL_SECONDS, {**_isolated(), **variables})


def bounded_git(file: Path, limit: int, repository: Path, *arguments: str, borrowed: Path) -> None:
    """The same, with its output in `file`, of at most about `limit` bytes; TooMuch where it says more."""
    # The shell counts in blocks of 512 or 1024 bytes.
    bounded = ("sh", "-c", 'ulimit -f "$0" && exec "$@"', str(limit // 512 + 1))
    arguments = ("--git-dir", str(repository), *_PLAIN_FLAGS, *arguments)
    environment = {**_isolated(), "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(borrowed)}
    try:
        with file.open("wb") as output:
            _git(list(arguments), LOCAL_SECONDS, environment, before=bounded, output=output)
    except GitFailure as failure:
        if failure.code == -signal.SIGXFSZ or "File too large" in failure.stderr:
            raise TooMuch from None
        raise


def repository_of_ours(directory: Path) -> Path:
    """An empty bare repository, made unless it is there."""
    if not (directory / "HEAD").exists():
        _git(["init", "--quiet", "--bare", "--template=", str(directory)], LOCAL_SECONDS, _isolated())
    return directory


def _git(
    arguments: list[str],
    seconds: float,
    environment: dict[str, str],
    before: Sequence[str] = (),
    output: IO[bytes] | None = None,
) -> str:
    words = [*before, "git", *arguments]
    try:
        process = Popen(
            words, stdin=DEVNULL, stdout=output or PIPE, stderr=PIPE, env=environment, start_new_session=True
        )
    except FileNotFoundError:
        raise SourceError("git", "is not installed on this machine", "install git (apt-get install git)") from None
    try:
        stdout, stderr = process.communicate(timeout=seconds)
    except BaseException as error:
        # git's children (ssh, remote helpers) go with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, TimeoutExpired):
            raise GitFailure(f"no answer within {seconds:.0f} seconds") from None
        raise
    if process.returncode:
        raise GitFailure(stderr.decode("utf-8", "replace"), process.returncode)
    return (stdout or b"").decode("utf-8", "surrogateescape")


def _environment() -> dict[str, str]:
    """The operator's own environment: their credentials and ssh settings count, but nothing may ask a question."""
    environment = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    environment.update(GIT_TERMINAL_PROMPT="0", GIT_ALLOW_PROTOCOL=":".join(SCHEMES), LC_ALL="C")
    if not _has_own_ssh(os.getcwd(), tuple(sorted(environment.items()))):
        environment["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes -o ConnectTimeout=20"
    return environment


# Asked before every other question, and the answer is the same.
@functools.cache
def _has_own_ssh(directory: str, variables: tuple[tuple[str, str], ...]) -> bool:
    """Whether the operator says how ssh is run: in the environment, or in git's configuration for this directory."""
    environment = dict(variables)
    if {"GIT_SSH", "GIT_SSH_COMMAND"} & environment.keys():
        return True
    try:
        return bool(_git(["config", "--get", "core.sshCommand"], LOCAL_SECONDS, environment).strip())
    except GitFailure:
        return False


def _isolated() -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment.update(
        GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL=os.devnull, GIT_ATTR_NOSYSTEM="1", GIT_ALLOW_PROTOCOL="", LC_ALL="C"
    )
    environment.pop("XDG_CONFIG_HOME", None)
    return environment
