"""One commit's archive: the same commit gives the same bytes everywhere.

It is made in an empty repository that borrows the objects, without any configuration or reference of the operator's,
also where `export-subst` writes names into files. What an archive cannot carry is refused here, by name.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import field
from functools import cached_property
from pathlib import Path

from codesensei.source import bounds
from codesensei.source.command import TooMuch, bounded_git, plain_git, repository_of_ours
from codesensei.source.errors import SourceError, listing
from codesensei.source.tree import Tree
from codesensei.wire.paths import OWN_FOLDER
from codesensei.wire.quick import dataclass
from codesensei.wire.text import printable

KEPT_ARCHIVES = 20
_END = bytes(1024)


@dataclass(frozen=True)
class Commit:
    """A commit, and the name that led to it where that name moves: a branch."""

    revision: str
    branch: str | None


@dataclass(frozen=True)
class Origin:
    """Where a checkout is from: its folder in the cache, what messages call it, the objects of its repository.

    `url` is where these are fetched from; empty where the repository is the operator's own.
    """

    folder: Path
    thing: str
    objects: Path
    url: str = field(default="", repr=False)


@dataclass(frozen=True)
class Checkout:
    """The project at one commit."""

    revision: str
    subject: str
    branch: str | None
    tar_path: Path
    tar_sha256: str
    origin: Origin | None = None

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


def archive_of(origin: Origin, commit: Commit) -> Checkout:
    """The archive of a commit, made in the origin's folder unless it is there.

    SourceError, about the origin, for submodules, Git LFS, encrypted files, links that lead out of the tree and the
    product's own folder.
    """
    folder, thing, objects = origin.folder, origin.thing, origin.objects
    bare = repository_of_ours(folder / "archive.git")
    entries = _entries(thing, folder / "entries", bare, commit, objects)
    archives = folder / "tar"
    archives.mkdir(exist_ok=True)
    tar = archives / f"{commit.revision}.tar"
    if not _is_whole(tar):
        unfinished = tar.with_suffix(".part")
        try:
            bounded_git(
                unfinished, bounds.ARCHIVE_BYTES, bare, "archive", "--format=tar", commit.revision, borrowed=objects
            )
            unfinished.rename(tar)
        except TooMuch:
            raise _too_big(thing, entries) from None
        finally:
            unfinished.unlink(missing_ok=True)
    os.utime(tar)
    for old in sorted(archives.glob("*.tar"), key=lambda tar: tar.stat().st_mtime)[:-KEPT_ARCHIVES]:
        old.unlink(missing_ok=True)
    subject = _subject(plain_git(bare, "cat-file", "commit", commit.revision, borrowed=objects))
    project = Checkout(commit.revision, subject, commit.branch, tar, _sha256(tar), origin)
    _refuse_submodules(thing, entries, project.tree)
    _refuse_files(thing, project.tree)
    return project


def _entries(thing: str, file: Path, bare: Path, commit: Commit, objects: Path) -> list[str]:
    """What git says of each file: mode, kind, object, bytes, a tab and the path. SourceError for too many."""
    words = ("ls-tree", "-r", "-l", "-z", "--full-tree", commit.revision)
    too_many = SourceError(
        thing, f"has more than {bounds.FILES} files in this commit", "deploy a repository with the project alone"
    )
    try:
        bounded_git(file, bounds.LISTING_BYTES, bare, *words, borrowed=objects)
        entries = file.read_bytes().decode("utf-8", "surrogateescape").split("\0")[:-1]
    except TooMuch:
        raise too_many from None
    finally:
        file.unlink(missing_ok=True)
    if not entries:
        raise SourceError(thing, "has no files in this commit", "commit the project, or name another revision")
    if len(entries) > bounds.FILES:
        raise too_many
    return entries


def _too_big(thing: str, entries: list[str]) -> SourceError:
    """The error for an archive that would be too big, with the files that make it so."""
    sizes = {path: int(size) for entry in entries for _, _, _, size, path in [entry.split(None, 4)] if size != "-"}
    biggest = sorted(sizes, key=lambda path: -sizes[path])[:3]
    named = listing(f"{path} ({bounds.size(sizes[path])})" for path in biggest)
    fix = (
        "keep big files out of the repository, or out of releases by a line in .gitattributes: "
        f"{printable(biggest[0])} export-ignore"
    )
    return SourceError(thing, f"has more than {bounds.size(bounds.ARCHIVE_BYTES)} of files, the biggest: {named}", fix)


def _subject(commit: str) -> str:
    """The first paragraph of a commit's message; `git log` would want parents, which a shallow clone does not have."""
    head, _, message = commit.partition("\n\n")
    encoding = next((line.split()[1] for line in head.splitlines() if line.startswith("encoding ")), "utf-8")
    with contextlib.suppress(LookupError, UnicodeError):
        message = message.encode("utf-8", "surrogateescape").decode(encoding)
    return printable(" ".join(message.strip().partition("\n\n")[0].splitlines()))


def _is_whole(tar: Path) -> bool:
    """Whether the archive is there, with the empty blocks at its end that a power cut would have taken from it."""
    try:
        with tar.open("rb") as file:
            file.seek(-len(_END), os.SEEK_END)
            return file.read() == _END
    except OSError:
        return False


def _refuse_submodules(thing: str, entries: list[str], tree: Tree) -> None:
    links = [entry.partition("\t")[2] for entry in entries if entry.startswith("160000 ")]
    # An archive has an empty directory for each that no export-ignore leaves out.
    modules = [name for name in links if tree.is_directory(name)]
    if modules:
        fix = (
            "add their files to the repository (git subtree), install them by a line in the requirements, or keep them "
            f"out of releases by a line in .gitattributes: {printable(modules[0])} export-ignore"
        )
        raise SourceError(thing, f"has submodules, whose files are not in the commit: {listing(modules)}", fix)


def _refuse_files(thing: str, tree: Tree) -> None:
    pointers = tree.lfs_pointers()
    if pointers:
        fix = (
            "move them out of Git LFS (git lfs migrate export), serve them from elsewhere, or keep them out of "
            f"releases by a line in .gitattributes: {printable(pointers[0])} export-ignore"
        )
        raise SourceError(thing, f"keeps files in Git LFS, which are not in the commit: {listing(pointers)}", fix)
    for tool, files in tree.encrypted().items():
        message = f"has files that {tool} has encrypted, and a server has no key: {listing(files)}"
        fix = (
            "set what they hold in codesensei:secretEnv, and keep them out of releases by a line in .gitattributes: "
            f"{printable(files[0])} export-ignore"
        )
        raise SourceError(thing, message, fix)
    links = tree.links_out()
    if links:
        raise SourceError(
            thing,
            f"has links that lead out of the repository: {listing(f'{name} -> {to}' for name, to in links.items())}",
            "put the file itself in their place, remove them, or keep them out of releases by a line in "
            f".gitattributes: {printable(next(iter(links)))} export-ignore",
        )
    own = sorted(name for name in tree.files if name == OWN_FOLDER or name.startswith(f"{OWN_FOLDER}/"))
    if own:
        message = f"has files in {OWN_FOLDER}, the product's own folder in a release: {listing(own)}"
        raise SourceError(thing, message, "remove them from the repository, or move them")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
