"""The files of one commit, read from its archive; links are followed inside the tree only."""

from __future__ import annotations

import codecs
import posixpath
import tarfile
from collections.abc import Iterable
from pathlib import Path

from codesensei.source import bounds
from codesensei.source.errors import SourceError
from codesensei.wire import links

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_LFS_MAX_BYTES = 1024
# How files begin that a filter of git has encrypted, by the name of the tool.
_ENCRYPTED = {"git-crypt": b"\0GITCRYPT\0", "transcrypt": b"U2FsdGVkX1", "git-agecrypt": b"age-encryption.org/v1\n"}
# These can also begin a file that nobody's filter has made.
_NEED_FILTER = {"transcrypt": b"filter=crypt", "git-agecrypt": b"filter=git-agecrypt"}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Tree:
    """An archive's index. Paths are relative to the repository's root, with slashes and without `./`."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._offsets: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        self._directories: set[str] = {"."}
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                name = member.name.rstrip("/")
                if member.issym():
                    self._links[name] = member.linkname
                elif member.isfile():
                    self._offsets[name] = (member.offset_data, member.size)
                else:
                    self._directories.add(name)

    @property
    def files(self) -> frozenset[str]:
        """Files, and links under their own names."""
        return frozenset(self._offsets) | frozenset(self._links)

    def resolve(self, path: str) -> str | None:
        """Where `path` really is after all links; None when it is not there or leads out of the tree."""
        found = links.resolve(self._links, path)
        found = "." if found == "" else found
        return found if found in self._offsets or found in self._directories else None

    def links_out(self) -> dict[str, str]:
        """Links that lead out of the tree, however they are written, and where each says that it leads."""
        return {name: to for name, to in sorted(self._links.items()) if links.resolve(self._links, name) is None}

    def is_plain(self, path: str) -> bool:
        """Whether `path`, there or not, is no link and lies behind none."""
        return links.resolve(self._links, path) == path

    def is_file(self, path: str) -> bool:
        """Whether `path` leads to a file."""
        return self.resolve(path) in self._offsets

    def is_directory(self, path: str) -> bool:
        """Whether `path` leads to a directory."""
        return self.resolve(path) in self._directories

    def size(self, path: str) -> int:
        """A file's bytes; FileNotFoundError when there is none."""
        return self._place(path)[1]

    def read_bytes(self, path: str) -> bytes:
        """A file's content; FileNotFoundError when there is none, SourceError when it is too long to be read."""
        size = self.size(path)
        if size > bounds.TEXT_BYTES:
            cause = f"has {bounds.size(size)}, and at most {bounds.size(bounds.TEXT_BYTES)} of a file are read"
            raise SourceError(path, cause, "make it shorter, or name another file in the stack config")
        return self.beginning(path)

    def beginning(self, path: str) -> bytes:
        """A file's content, as far as it is read at all; FileNotFoundError when there is none."""
        offset, size = self._place(path)
        with self._archive.open("rb") as archive:
            archive.seek(offset)
            return archive.read(min(size, bounds.TEXT_BYTES))

    def _place(self, path: str) -> tuple[int, int]:
        found = self.resolve(path)
        if found is None or found not in self._offsets:
            raise FileNotFoundError(path)
        return self._offsets[found]

    def read(self, path: str) -> str:
        """A file's text: UTF-8 unless it begins with another byte order mark."""
        data = self.read_bytes(path)
        for mark, encoding in _MARKS:
            if data.startswith(mark):
                return data[len(mark) :].decode(encoding, "replace")
        return data.decode("utf-8", "replace")

    def lfs_pointers(self) -> list[str]:
        """Files whose content is in Git LFS and not here."""
        small = [name for name, (_, size) in self._offsets.items() if size <= _LFS_MAX_BYTES]
        return self._beginning_with(_LFS_POINTER, small)

    def encrypted(self) -> dict[str, list[str]]:
        """Files that only a clone with a key can read, by the tool that has encrypted them."""
        attributes = [self.beginning(name) for name in self.files if posixpath.basename(name) == ".gitattributes"]
        return {
            tool: found
            for tool, mark in _ENCRYPTED.items()
            if tool not in _NEED_FILTER or any(_NEED_FILTER[tool] in text for text in attributes)
            if (found := self._beginning_with(mark, self._offsets))
        }

    def _beginning_with(self, mark: bytes, names: Iterable[str]) -> list[str]:
        with self._archive.open("rb") as archive:

            def begins(offset: int) -> bool:
                archive.seek(offset)
                return archive.read(len(mark)) == mark

            # An empty file's content would be the next one's.
            sized = [(name, *self._offsets[name]) for name in names]
            return sorted(name for name, offset, size in sized if size >= len(mark) and begins(offset))


def join(directory: str, path: str) -> str:
    """`path` in `directory`, in the tree's form."""
    return posixpath.normpath(posixpath.join(directory, path))
