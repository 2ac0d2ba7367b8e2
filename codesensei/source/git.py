"""Which commit a revision is: in a repository of the operator's machine, or in one that a URL names.

Repositories named by URL are mirrored in a cache outside the checkout; a commit that is there needs no network.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from codesensei.config.project import ProjectConfig, SourceConfig
from codesensei.source.archive import Checkout, Commit, Origin, archive_of
from codesensei.source.command import SCHEMES, GitFailure, operators_git, plain_git, repository_of_ours
from codesensei.source.errors import SourceError, listing, near
from codesensei.source.failures import explain, is_known, without_credentials

FETCH_SECONDS = 600.0
ASK_SECONDS = 60.0
LOCK_SECONDS = 900.0

_FULL = re.compile(r"[0-9a-f]{40}")
# The end of what `git describe` says is a short commit too.
_SHORT = re.compile(r"(?:.+-\d+-g)?(?P<digits>[0-9a-fA-F]{4,40})")
_SCP_LIKE = re.compile(r"[^/:\s]+@(\[[0-9a-fA-F:]+\]|[^/:\s]+):(?!//)\S+")
_FETCH = ("fetch", "--quiet", "--force", "--no-write-fetch-head", "--no-recurse-submodules")
_HEADS = "refs/heads/"
_TAGS = "refs/tags/"


def open_source(project: ProjectConfig, *, cache_dir: Path | None = None, base: Path | None = None) -> Checkout:
    """The project at its revision. `base` is what `source.path` is relative to (default: the working directory).

    SourceError names what cannot be had: the repository, the revision, a clean tree, files kept elsewhere.
    """
    return checkout_of(project.source, cache_dir=cache_dir, base=base)


def checkout_of(source: SourceConfig, *, cache_dir: Path | None = None, base: Path | None = None) -> Checkout:
    """The same, of a source alone."""
    cache = cache_dir or default_cache()
    if source.git is not None:
        return _open_url(source.git, source.revision, cache)
    if source.path is None:
        raise SourceError("project.source", "names no repository", "give git (a URL) or path (a directory here)")
    return _open_path(_directory(source.path, base), source.path, source.revision, cache)


def at(checkout: Checkout, revision: str) -> Checkout | None:
    """The same project at another commit; None where its repository does not have it.

    SourceError for what an archive cannot carry.
    """
    origin = checkout.origin
    if origin is None or not has(origin, revision):
        return None
    try:
        with _locked(origin.folder, origin.thing):
            return archive_of(origin, Commit(revision, None))
    except GitFailure as failure:
        # A clone may have a commit without all of its files.
        raise explain(origin.thing, failure.stderr) from None


def has(origin: Origin, revision: str) -> bool:
    """Whether the repository here has the commit; one that is fetched is asked for it."""
    if not _FULL.fullmatch(revision):
        return False
    if origin.url and _commit_of(origin.objects.parent, revision) is None:
        with _locked(origin.folder, origin.thing):
            _ask_once(origin.objects.parent, origin.url, revision)
    return _commit_of(origin.objects.parent, revision) is not None


def branches(source: SourceConfig, *, base: Path | None = None) -> frozenset[str]:
    """The branches that the repository has now. SourceError where it cannot be asked."""
    try:
        if source.git is not None:
            _check_scheme(source.git)
            names = _remote_refs(source.git)
            return frozenset(name.removeprefix(_HEADS) for name in names if name.startswith(_HEADS))
        directory = _directory(str(source.path), base)
        listed = _git_in(directory, "for-each-ref", "--format=%(refname)", _HEADS.rstrip("/"))
        return frozenset(name.removeprefix(_HEADS) for name in listed.splitlines())
    except GitFailure as failure:
        raise explain(source.git or f"project.source.path {source.path}", failure.stderr) from None


def default_cache() -> Path:
    """Where mirrors and archives are kept, for all checkouts of this user."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "codesensei" / "git"


# A repository that a URL names


def _open_url(url: str, revision: str, cache: Path) -> Checkout:
    _check_scheme(url)
    thing = without_credentials(url)
    folder = cache / hashlib.sha256(url.encode()).hexdigest()[:32]
    mirror = folder / "mirror.git"
    with _locked(folder, thing):
        is_new = not mirror.exists()
        try:
            return _open_mirror(folder, mirror, url, revision)
        except GitFailure as failure:
            if is_new or is_known(failure.stderr):
                raise explain(url, failure.stderr) from None
        # Nothing but a cache: what a killed run or a full disk has spoilt is made again.
        shutil.rmtree(mirror)
        try:
            return _open_mirror(folder, mirror, url, revision)
        except GitFailure as failure:
            raise explain(url, failure.stderr) from None


def _open_mirror(folder: Path, mirror: Path, url: str, revision: str) -> Checkout:
    repository_of_ours(mirror)
    commit = _resolve_url(mirror, url, revision)
    return archive_of(Origin(folder, without_credentials(url), mirror / "objects", url), commit)


def _check_scheme(url: str) -> None:
    scheme = urlsplit(url).scheme.lower() if "://" in url else ""
    if scheme in SCHEMES or (not scheme and "::" not in url and _SCP_LIKE.fullmatch(url)):
        return
    fix = "use https://host/path, ssh://git@host/path, git@host:path or file:///path; for a local one, use path"
    raise SourceError(without_credentials(url), "is not a supported git URL", fix)


def _resolve_url(mirror: Path, url: str, revision: str) -> Commit:
    if _FULL.fullmatch(revision.lower()) and _commit_of(mirror, revision):
        return Commit(revision.lower(), None)
    refs = _remote_refs(url)
    branch, target = _named(refs, revision)
    if target is None:
        target = _abbreviated(mirror, url, revision)
    if target is None or _commit_of(mirror, target) is None:
        _fetch(mirror, url, target or revision)
        # Only a commit is looked for in the mirror: names count as the repository has them now.
        target = target or _abbreviated(mirror, url, revision)
    elif _tags(refs) != _tags(_refs_of(mirror)):
        # Readers know commits by their tags; without them a run goes on.
        with contextlib.suppress(GitFailure):
            tags = f"+{_TAGS}*:{_TAGS}*"
            operators_git("--git-dir", str(mirror), *_FETCH, "--prune", "--", url, tags, seconds=FETCH_SECONDS)
    # A tag may lead to a tag or to something that is no commit.
    commit = _commit_of(mirror, target) if target else None
    if commit is None:
        raise _unknown(without_credentials(url), revision, refs)
    return Commit(commit, branch)


def _named(refs: dict[str, str], revision: str) -> tuple[str | None, str | None]:
    """(branch, commit) of a name; a tag goes before a branch, as everywhere in git. All names but tags move."""
    if revision == "HEAD":
        return "HEAD", refs.get("HEAD")
    full = [revision] if revision.startswith("refs/") else [prefix + revision for prefix in (_TAGS, _HEADS, "refs/")]
    name = next((name for name in full if name in refs), None)
    return (None, None) if name is None else (_moving(name), refs[name])


def _moving(name: str) -> str | None:
    """The short form of a reference that moves; None for a tag."""
    if name.startswith(_TAGS):
        return None
    return name.removeprefix(_HEADS).removeprefix("refs/remotes/")


def _remote_refs(url: str) -> dict[str, str]:
    return _by_name(operators_git("ls-remote", "--quiet", "--", url, seconds=ASK_SECONDS))


def _refs_of(mirror: Path) -> dict[str, str]:
    """The same of the mirror; git says nothing of one that has none."""
    with contextlib.suppress(GitFailure):
        return _by_name(plain_git(mirror, "show-ref", "--dereference"))
    return {}


def _by_name(listed: str) -> dict[str, str]:
    # A tag object's own line comes first, then the one of the commit that it leads to.
    lines = (line.split(maxsplit=1) for line in listed.splitlines())
    return {name.removesuffix("^{}"): commit for commit, name in lines}


def _tags(refs: dict[str, str]) -> dict[str, str]:
    return {name: commit for name, commit in refs.items() if name.startswith(_TAGS)}


def _fetch(mirror: Path, url: str, wanted: str) -> None:
    everything = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
    operators_git("--git-dir", str(mirror), *_FETCH, "--prune", "--", url, *everything, seconds=FETCH_SECONDS)
    if _FULL.fullmatch(wanted) and _commit_of(mirror, wanted) is None:
        _fetch_named(mirror, url, wanted, FETCH_SECONDS)


# The sections of a story ask for the same commit.
@functools.cache
def _ask_once(mirror: Path, url: str, commit: str) -> None:
    _fetch_named(mirror, url, commit, ASK_SECONDS)


def _fetch_named(mirror: Path, url: str, commit: str, seconds: float) -> None:
    """A commit that is on no branch: hosts give one that is asked for by name. When they do not, it is unknown."""
    with contextlib.suppress(GitFailure):
        named = f"{commit}:refs/codesensei/{commit}"
        operators_git("--git-dir", str(mirror), *_FETCH, "--", url, named, seconds=seconds)


def _commit_of(repository: Path, revision: str) -> str | None:
    try:
        words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        return plain_git(repository, *words).strip()
    except GitFailure:
        return None


def _abbreviated(mirror: Path, url: str, revision: str) -> str | None:
    """The one commit in the mirror whose name begins with these digits."""
    short = _SHORT.fullmatch(revision)
    if not short:
        return None
    objects = plain_git(mirror, "rev-parse", f"--disambiguate={short['digits'].lower()}").split()
    commits = [name for name in objects if plain_git(mirror, "cat-file", "-t", name).strip() == "commit"]
    if len(commits) > 1:
        fix = "give more of the digits"
        raise SourceError(without_credentials(url), f"{revision} is short for several commits: {listing(commits)}", fix)
    return commits[0] if commits else None


def _unknown(thing: str, revision: str, refs: dict[str, str]) -> SourceError:
    known = [name.removeprefix(_HEADS).removeprefix(_TAGS) for name in refs if name.startswith((_HEADS, _TAGS))]
    like = near(revision, known)
    fix = f"did you mean {listing(like)}?" if like else "push the commit or the tag, or name one that is there"
    return SourceError(thing, f"has no commit, tag or branch {revision}", fix)


# A repository on this machine


def _directory(written: str, base: Path | None) -> Path:
    """Where the repository is that `source.path` names."""
    directory = ((base or Path.cwd()) / written).resolve()
    if not directory.is_dir():
        fix = "give the repository's directory, relative to Pulumi.yaml"
        raise SourceError(f"project.source.path {written}", f"{directory} is not a directory", fix)
    return directory


def _open_path(directory: Path, written: str, revision: str, cache: Path) -> Checkout:
    thing = f"project.source.path {written}"
    folder = cache / hashlib.sha256(f"path:{directory}".encode()).hexdigest()[:32]
    try:
        is_bare = _check_root(thing, directory)
        commit = _resolve_path(thing, directory, revision)
        if not is_bare:
            _refuse_dirty(thing, directory, commit)
        objects = directory / _git_in(directory, "rev-parse", "--git-path", "objects").strip()
        with _locked(folder, thing):
            return archive_of(Origin(folder, thing, objects), commit)
    except GitFailure as failure:
        raise explain(thing, failure.stderr) from None


def _check_root(thing: str, directory: Path) -> bool:
    """Refuse a directory that is not a repository's root; whether it is a bare one."""
    where = _git_in(directory, "rev-parse", "--is-bare-repository", "--is-inside-git-dir", "--absolute-git-dir")
    is_bare, inside_git, git_directory = where.splitlines()
    if inside_git == "true":
        if is_bare == "true" and Path(git_directory) == directory:
            return True
        fix = "give the directory that holds the repository"
        raise SourceError(thing, "is inside git's own folder of a repository", fix)
    root = Path(_git_in(directory, "rev-parse", "--show-toplevel").rstrip("\n"))
    if root != directory:
        fix = "give that repository's root as path, and the rest as project.directory"
        raise SourceError(thing, f"is inside the repository {root}", fix)
    return False


def _resolve_path(thing: str, directory: Path, revision: str) -> Commit:
    words = ("rev-parse", "--verify", "--quiet")
    try:
        commit = _git_in(directory, *words, "--end-of-options", f"{revision}^{{commit}}").strip()
        name = _git_in(directory, *words, "--symbolic-full-name", "--end-of-options", revision).strip()
    except GitFailure:
        lines = _git_in(directory, "for-each-ref", "--format=%(objectname)%09%(refname)").splitlines()
        raise _unknown(thing, revision, {line.partition("\t")[2]: "" for line in lines}) from None
    return Commit(commit, _moving(name) if name else None)


def _refuse_dirty(thing: str, directory: Path, commit: Commit) -> None:
    """Only where the revision is what is checked out: there one expects to deploy what one sees."""
    try:
        checked_out = _git_in(directory, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").strip()
    except GitFailure:
        return
    if checked_out != commit.revision:
        return
    status = _git_in(directory, "status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=normal")
    changed = [entry[3:] for entry in status.split("\0") if entry]
    if changed:
        fix = "commit them (a release is always a commit), or put what does not belong to the project into .gitignore"
        raise SourceError(thing, f"has changes that are in no commit: {listing(changed)}", fix)


def _git_in(directory: Path, *arguments: str) -> str:
    return operators_git("-C", str(directory), *arguments)


@contextlib.contextmanager
def _locked(folder: Path, thing: str) -> Iterator[None]:
    """One run at a time works on a repository's cache."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / "lock").open("a")
    except OSError as error:
        fix = "make it writable, or set XDG_CACHE_HOME to another directory"
        raise SourceError(thing, f"the cache {folder} cannot be written: {error.strerror}", fix) from None
    with lock:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    fix = "wait for it, or end it"
                    raise SourceError(thing, f"another run has held the cache {folder} for too long", fix) from None
                time.sleep(0.1)
        yield
