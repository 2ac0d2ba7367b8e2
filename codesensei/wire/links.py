"""Symbolic links inside a tree of files: where a path is after all of them."""

from __future__ import annotations

from collections.abc import Mapping

_MAX_LINKS = 40
# Where links lead in a circle: no path of a file system.
CIRCLE = "\0"


def resolve(links: Mapping[str, str], path: str) -> str | None:
    """`path` after all links of the tree, however they are chained, whether something is there or not.

    Paths are relative to the tree's root, which is the empty text. None where it leads out of the tree, `CIRCLE` where
    links lead in one.
    """
    pending = parts(path)[::-1]
    done: list[str] = []
    followed = 0
    while pending:
        part = pending.pop()
        if part == "..":
            if not done:
                return None
            done.pop()
            continue
        done.append(part)
        if (target := links.get("/".join(done))) is not None:
            followed += 1
            if target.startswith("/"):
                return None
            if followed > _MAX_LINKS:
                return CIRCLE
            done.pop()
            pending.extend(parts(target)[::-1])
    return "/".join(done)


def parts(path: str) -> list[str]:
    """The names in a path, without the empty ones and those that mean nothing."""
    return [part for part in path.split("/") if part not in ("", ".")]
