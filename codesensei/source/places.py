"""Places in the source, as its own code computes them from `__file__` with pathlib and os.path; nothing is run."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Mapping, Sequence

from codesensei.source import bounds
from codesensei.source.syntax import dotted

# Stands for the source's root, wherever a release will be.
ROOT = "/:source"
_SAME = {"str", "fspath", "abspath", "realpath", "normpath", "resolve", "absolute", "expanduser", "as_posix"}
_MODULES = {"os", "os.path", "path", "pathlib", "environ"}
_JOINED = {"Path", "PurePath", "PosixPath", "join", "joinpath", "path"}


def inside(place: str) -> str | None:
    """`place` relative to the source's root; None where it is not in it."""
    found = posixpath.relpath(posixpath.normpath(place), ROOT) if place.startswith("/") else ".."
    return None if found.split("/")[0] == ".." else found


def place(node: ast.expr, known: Mapping[str, str | None]) -> str | None:
    """The path that an expression stands for, made of texts and of names with `known` texts; None for others."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.BinOp):
        return _operation(node, known)
    if isinstance(node, ast.Call):
        # Path(__file__).resolve(strict=True) fails where there is nothing, and is the same place else.
        return _called(node, known) if all(word.arg == "strict" for word in node.keywords) else None
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "parents":
        number = _number(node.slice)
        return None if number is None else _above(place(node.value.value, known), number + 1)
    return _above(place(node.value, known), 1) if isinstance(node, ast.Attribute) and node.attr == "parent" else None


def _operation(node: ast.BinOp, known: Mapping[str, str | None]) -> str | None:
    left = place(node.left, known)
    if isinstance(node.op, ast.Div):
        return _joined([left, place(node.right, known)])
    # django-environ's Path
    return _above(left, _number(node.right)) if isinstance(node.op, ast.Sub) else None


def _called(call: ast.Call, known: Mapping[str, str | None]) -> str | None:
    given = [place(argument, known) for argument in call.args]
    name = call.func.attr if isinstance(call.func, ast.Attribute) else dotted(call.func)
    if isinstance(call.func, ast.Attribute) and dotted(call.func.value) not in _MODULES:
        given = [place(call.func.value, known), *given]
    elif isinstance(call.func, ast.Name) and known.get(name) is not None:
        # django-environ's Path, which can be called for what is in it.
        name, given = "join", [known.get(name), *given]
    if name == "dirname" and len(given) == 1:
        return _above(given[0], 1)
    if name in _SAME and len(given) == 1:
        return given[0]
    return _joined(given) if name in _JOINED else None


def _above(path: str | None, levels: int | None) -> str | None:
    if path is None or levels is None:
        return None
    return posixpath.normpath(posixpath.join(path, *[".."] * levels))


def _joined(parts: Sequence[str | None]) -> str | None:
    texts = [part for part in parts if part is not None]
    whole = len(texts) == len(parts) and sum(map(len, texts)) <= bounds.TEXT_LENGTH
    return posixpath.normpath(posixpath.join(*texts)) if texts and whole else None


def _number(node: ast.expr) -> int | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, int) else None
