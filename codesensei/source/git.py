"""git on the operator's machine: which commit a revision is, and that commit's archive.

Repositories named by URL are mirrored in a cache outside the checkout; a commit that is there needs no network.
Archives are made in an empty repository that borrows the objects, without any configuration or reference of the
operator's: the same commit gives the same bytes everywhere (also where `export-subst` writes names into files).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from codesensei.source.errors import SourceError, listing, near
from codesensei.source.failures import explain, without_credentials
from codesensei.source.tree import Tree

SCHEMES = ("https", "ssh", "file")
KEPT_ARCHIVES = 20
FETCH_SECONDS = 600.0
ASK_SECONDS = 60.0
LOCAL_SECONDS = 120.0
LOCK_SECONDS = 900.0

_FULL = re.compile(r"[0-9a-f]{40}")
_SCP_LIKE = re.compile(r"[^/:\s]+@(\[[0-9a-fA-F:]+\]|[^/:\s]+):(?!//)\S+")
# Variables that would point git at another repository, e.g. when the program is run from a hook.
_FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_NAMESPACE")
_HEADS = "refs/heads/"
_TAGS = "refs/tags/"


class SourceSpec(Protocol):
    """Where the project is: exactly one of `git` (a URL) and `path` (a directory here), and a revision."""

    @property
    def git(self) -> str | None: ...
    @property
    def path(self) -> str | None: ...
    @property
    def revision(self) -> str: ...


class HasSource(Protocol):
    """The part of the project's spec that says where the source is."""

    @property
    def source(self) -> SourceSpec: ...


@dataclass(frozen=True)
class Project:
    """The project at one commit."""

    revision: str
    subject: str
    branch: str | None
    tar_path: Path
    tar_sha256: str

    @property
    def short(self) -> str:
        """The commit as people write it."""
        return self.revision[:7]

    @cached_property
    def tree(self) -> Tree:
        """The files in the archive."""
        return Tree(self.tar_path)

    @property
    def files(self) -> frozenset[str]:
        """Paths of all files, relative to the repository's root."""
        return self.tree.files

    def read(self, path: str) -> str:
        """A file's text; FileNotFoundError when there is none."""
        return self.tree.read(path)


@dataclass(frozen=True)
class _Commit:
    revision: str
    branch: str | None


class GitFailure(Exception):
    """git ended with an error; what it said is in `stderr`."""

    def __init__(self, stderr: str) -> None:
        self.stderr = stderr
        super().__init__(stderr)


def open_source(project: HasSource, *, cache_dir: Path | None = None, base: Path | None = None) -> Project:
    """The project at its revision. `base` is what `source.path` is relative to (default: the working directory).

    SourceError names what cannot be had: the repository, the revision, a clean tree, files kept elsewhere.
    """
    source = project.source
    cache = cache_dir or default_cache()
    if source.git is not None:
        return _open_url(source.git, source.revision, cache)
    if source.path is None:
        raise SourceError("project.source", "names no repository", "give git (a URL) or path (a directory here)")
    return _open_path(((base or Path.cwd()) / source.path).resolve(), source.path, source.revision, cache)


def default_cache() -> Path:
    """Where mirrors and archives are kept, for all checkouts of this user."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "codesensei" / "git"


def _open_url(url: str, revision: str, cache: Path) -> Project:
    _check_scheme(url)
    thing = without_credentials(url)
    folder = cache / hashlib.sha256(url.encode()).hexdigest()[:32]
    with _locked(folder, thing):
        mirror = _repository(folder / "mirror.git")
        commit = _resolve_url(mirror, url, revision)
        return _archive(folder, thing, commit, mirror / "objects")


def _open_path(directory: Path, written: str, revision: str, cache: Path) -> Project:
    thing = f"project.source.path {written}"
    if not directory.is_dir():
        raise SourceError(
            thing, f"{directory} is not a directory", "give the repository's directory, relative to Pulumi.yaml"
        )
    root = Path(_local(thing, directory, "rev-parse", "--show-toplevel").strip())
    if root != directory:
        raise SourceError(
            thing,
            f"is inside the repository {root}",
            "give that repository's root as path, and the rest as project.directory",
        )
    commit = _resolve_path(thing, directory, revision)
    _refuse_dirty(thing, directory, commit)
    objects = Path(_local(thing, directory, "rev-parse", "--git-path", "objects").strip())
    folder = cache / hashlib.sha256(f"path:{directory}".encode()).hexdigest()[:32]
    with _locked(folder, thing):
        return _archive(folder, thing, commit, directory / objects)


def _check_scheme(url: str) -> None:
    scheme = urlsplit(url).scheme.lower() if "://" in url else ""
    if scheme in SCHEMES or (not scheme and "::" not in url and _SCP_LIKE.fullmatch(url)):
        return
    raise SourceError(
        without_credentials(url),
        "is not a git URL of a kind that is allowed",
        "use https://host/path, ssh://git@host/path, git@host:path or file:///path; for a directory here: path",
    )


def _resolve_url(mirror: Path, url: str, revision: str) -> _Commit:
    if _FULL.fullmatch(revision) and _has_commit(mirror, revision):
        return _Commit(revision, None)
    refs = _remote_refs(url)
    branch, target = _named(refs, revision)
    if target is None:
        target = _commit_of(mirror, revision)
    if target is None or not _has_commit(mirror, target):
        _fetch(mirror, url, target or revision)
        target = target or _commit_of(mirror, revision)
    # A tag may lead to a tag or to something that is no commit.
    commit = _commit_of(mirror, target) if target else None
    if commit is None:
        raise _unknown(without_credentials(url), revision, refs)
    return _Commit(commit, branch)


def _named(refs: dict[str, str], revision: str) -> tuple[str | None, str | None]:
    """(branch, commit) of a name; a tag goes before a branch, as everywhere in git."""
    for prefix in ("", _TAGS, _HEADS, "refs/"):
        name = prefix + revision
        if name in refs and (prefix or revision.startswith("refs/")):
            return (name.removeprefix(_HEADS) if name.startswith(_HEADS) else None), refs[name]
    if revision == "HEAD":
        return "HEAD", refs.get("HEAD")
    return None, None


def _remote_refs(url: str) -> dict[str, str]:
    refs: dict[str, str] = {}
    text = _remote(url, ASK_SECONDS, "ls-remote", "--quiet", "--", url)
    for line in text.splitlines():
        commit, _, name = line.partition("\t")
        # A tag object's own line comes first, then the one of the commit that it leads to.
        refs[name.removesuffix("^{}")] = commit
    return refs


def _fetch(mirror: Path, url: str, wanted: str) -> None:
    settings = ["--quiet", "--force", "--no-write-fetch-head", "--no-recurse-submodules"]
    everything = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
    git = ["--git-dir", str(mirror), "fetch", *settings]
    _remote(url, FETCH_SECONDS, *git, "--prune", "--", url, *everything)
    if _FULL.fullmatch(wanted) and not _has_commit(mirror, wanted):
        # On no branch: hosts give a commit that is asked for by name. When they do not, the revision is unknown.
        with contextlib.suppress(GitFailure):
            _git([*git, "--", url, f"{wanted}:refs/codesensei/{wanted}"], FETCH_SECONDS)


def _unknown(thing: str, revision: str, refs: dict[str, str]) -> SourceError:
    known = [name.removeprefix(_HEADS).removeprefix(_TAGS) for name in refs if name.startswith((_HEADS, _TAGS))]
    like = near(revision, known)
    cure = f"did you mean {listing(like)}?" if like else "push the commit or the tag, or name one that is there"
    return SourceError(thing, f"has no commit, tag or branch {revision}", cure)


def _resolve_path(thing: str, directory: Path, revision: str) -> _Commit:
    refs: dict[str, str] = {}
    for line in _local(thing, directory, "for-each-ref", "--format=%(objectname)%09%(refname)").splitlines():
        commit, _, name = line.partition("\t")
        refs[name] = commit
    branch, _ = _named(refs, revision)
    try:
        commit = _git_local(directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except GitFailure:
        raise _unknown(thing, revision, refs) from None
    if revision == "HEAD":
        branch = _git_local(directory, "rev-parse", "--abbrev-ref", "HEAD").strip()
    return _Commit(commit.strip(), branch)


def _refuse_dirty(thing: str, directory: Path, commit: _Commit) -> None:
    """Only where the revision is what is checked out: there one expects to deploy what one sees."""
    try:
        checked_out = _git_local(directory, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").strip()
    except GitFailure:
        return
    is_bare = _local(thing, directory, "rev-parse", "--is-bare-repository").strip() == "true"
    if checked_out != commit.revision or is_bare:
        return
    status = _local(thing, directory, "status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=normal")
    changed = [entry[3:] for entry in status.split("\0") if entry]
    if changed:
        raise SourceError(
            thing,
            f"has changes that are in no commit: {listing(changed)}",
            "commit them (a release is always a commit), or put what does not belong to the project into .gitignore",
        )


def _archive(folder: Path, thing: str, commit: _Commit, objects: Path) -> Project:
    bare = _repository(folder / "archive.git")
    borrowed = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects)}
    _refuse_submodules(thing, _plain(bare, borrowed, "ls-tree", "-r", "-z", "--full-tree", commit.revision))
    archives = folder / "tar"
    archives.mkdir(exist_ok=True)
    tar = archives / f"{commit.revision}.tar"
    if not tar.exists():
        unfinished = tar.with_suffix(".part")
        _plain(bare, borrowed, "archive", "--format=tar", f"--output={unfinished}", commit.revision)
        unfinished.rename(tar)
    os.utime(tar)
    _forget_old(archives)
    subject = _plain(bare, borrowed, "log", "-1", "--no-show-signature", "--format=%s", commit.revision).strip()
    project = Project(commit.revision, subject, commit.branch, tar, _sha256(tar))
    pointers = project.tree.lfs_pointers()
    if pointers:
        raise SourceError(
            thing,
            f"keeps files in Git LFS, which are not in the commit: {listing(pointers)}",
            "move them out of Git LFS (git lfs migrate export), or serve them from elsewhere",
        )
    return project


def _refuse_submodules(thing: str, entries: str) -> None:
    modules = [entry.partition("\t")[2] for entry in entries.split("\0") if entry.startswith("160000 ")]
    if modules:
        raise SourceError(
            thing,
            f"has submodules, whose files are not in the commit: {listing(modules)}",
            "add their files to the repository (git subtree), or install them by a line in the requirements",
        )


def _forget_old(archives: Path) -> None:
    newest_first = sorted(archives.glob("*.tar"), key=lambda tar: tar.stat().st_mtime, reverse=True)
    for tar in newest_first[KEPT_ARCHIVES:]:
        tar.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _repository(directory: Path) -> Path:
    if not (directory / "HEAD").exists():
        _git(["init", "--quiet", "--bare", "--template=", str(directory)], LOCAL_SECONDS, _isolated())
    return directory


def _has_commit(repository: Path, commit: str) -> bool:
    return _commit_of(repository, commit) is not None


def _commit_of(repository: Path, revision: str) -> str | None:
    try:
        return _plain(
            repository, {}, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
        ).strip()
    except GitFailure:
        return None


@contextlib.contextmanager
def _locked(folder: Path, thing: str) -> Iterator[None]:
    """One run at a time works on a repository's cache."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / "lock").open("a")
    except OSError as error:
        raise SourceError(
            thing,
            f"the cache {folder} cannot be written: {error.strerror}",
            "make it writable, or set XDG_CACHE_HOME to another directory",
        ) from None
    with lock:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise SourceError(
                        thing, f"another run has held the cache {folder} for too long", "wait for it, or end it"
                    ) from None
                time.sleep(0.1)
        yield


def _remote(url: str, seconds: float, *arguments: str) -> str:
    try:
        return _git(list(arguments), seconds, _environment())
    except GitFailure as failure:
        raise explain(url, failure.stderr) from None


def _local(thing: str, directory: Path, *arguments: str) -> str:
    try:
        return _git_local(directory, *arguments)
    except GitFailure as failure:
        raise explain(thing, failure.stderr) from None


def _git_local(directory: Path, *arguments: str) -> str:
    return _git(["-C", str(directory), *arguments], LOCAL_SECONDS)


def _plain(repository: Path, variables: dict[str, str], *arguments: str) -> str:
    """git in a repository of ours, with no configuration but this: its output depends on the commit alone."""
    settings = ("tar.umask=0022", "core.autocrlf=false", "core.eol=lf", "core.abbrev=10")
    flags = [flag for setting in settings for flag in ("-c", setting)]
    return _git(["--git-dir", str(repository), *flags, *arguments], LOCAL_SECONDS, {**_isolated(), **variables})


def _git(arguments: list[str], seconds: float, environment: dict[str, str] | None = None) -> str:
    try:
        process = subprocess.Popen(
            ["git", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment or _environment(),
            start_new_session=True,
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
        if isinstance(error, subprocess.TimeoutExpired):
            raise GitFailure(f"no answer within {seconds:.0f} seconds") from None
        raise
    if process.returncode:
        raise GitFailure(stderr.decode("utf-8", "replace"))
    return stdout.decode("utf-8", "surrogateescape")


def _environment() -> dict[str, str]:
    """The operator's own environment: their credentials and ssh settings count, but nothing may ask a question."""
    environment = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    environment.update(GIT_TERMINAL_PROMPT="0", GIT_ALLOW_PROTOCOL=":".join(SCHEMES), LC_ALL="C")
    if not _has_own_ssh(environment):
        environment["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes -o ConnectTimeout=20"
    return environment


def _has_own_ssh(environment: dict[str, str]) -> bool:
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
