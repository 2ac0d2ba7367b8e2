"""Files that git was told to leave out of the commit."""

from __future__ import annotations

import fnmatch
import posixpath

from codesensei.source.archive import Checkout
from codesensei.source.tree import join


def by_line(project: Checkout, *paths: str) -> str:
    """`; .gitignore keeps it out by the line …` for the first of `paths` that one does keep out; else empty.

    The last line that fits a path decides, as it does for git.
    """
    for path in paths:
        said = ""
        folders = path.split("/")[:-1]
        for depth in range(len(folders) + 1):
            folder = "/".join(folders[:depth]) or "."
            file = join(folder, ".gitignore")
            if project.tree.is_file(file):
                below = path if folder == "." else path.removeprefix(f"{folder}/")
                lines = map(str.strip, project.read(file).splitlines())
                fitting = [line for line in lines if line and line[0] != "#" and _fits(line.removeprefix("!"), below)]
                if fitting:
                    said = "" if fitting[-1].startswith("!") else f"; {file} keeps it out by the line {fitting[-1]}"
        if said:
            return said
    return ""


def _fits(pattern: str, path: str) -> bool:
    """Whether a line of .gitignore names a file, or a folder that it is in."""
    anchored = "/" in pattern.rstrip("/")
    names = path.split("/")
    # A line that ends with a slash names folders alone.
    ways = ["/".join(names[:depth]) for depth in range(1, len(names) + (not pattern.endswith("/")))]
    plain = pattern.strip("/").removeprefix("**/")
    if anchored and not pattern.startswith("**/"):
        return any(fnmatch.fnmatchcase(way, plain) for way in ways)
    if anchored:
        return any(fnmatch.fnmatchcase(way, plain) or fnmatch.fnmatchcase(way, f"*/{plain}") for way in ways)
    return any(fnmatch.fnmatchcase(posixpath.basename(way), plain) for way in ways)
